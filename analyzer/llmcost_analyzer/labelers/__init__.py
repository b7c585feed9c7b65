"""Labels: what a function's calls are for. ``rules`` works offline, ``ai`` on request."""
