"""Labels beyond the call stack: functions that start other work, threads, and calls told by hand."""
