"""Label entry: functions that start other work put their label into the OTel context while they run.

A stack walk loses the label wherever work is started in a task, and there is no place to hook in ``asyncio`` that all
ways go through. So the functions that the scanner marks ``spawns`` are entered: by events of ``sys.monitoring`` for
just their code on Python 3.12 and newer, by a block around their body, put there at import, on 3.11.
"""

from llmcost.tracing.label_entry.entry import LabelEntry

__all__ = ["LabelEntry"]
