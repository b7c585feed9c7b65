"""Loaded by ``opentelemetry-instrument`` before it starts the program, for what it does to the environment.

The distribution sends metrics and logs to ``localhost:4317`` unless told otherwise. Where the only exporter that was
asked for is the local store, nothing may connect.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Final

_TRACES: Final = "OTEL_TRACES_EXPORTER"
_OTHERS: Final = ("OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER")
_STORE: Final = "llmcost"


def keep_local(environ: MutableMapping[str, str]) -> None:
    """Let nothing be exported where traces go to the local store alone and no endpoint is set."""
    endpoints = [name for name in environ if name.startswith("OTEL_EXPORTER_OTLP") and name.endswith("ENDPOINT")]
    if environ.get(_TRACES) == _STORE and not endpoints:
        for name in _OTHERS:
            environ.setdefault(name, "none")


keep_local(os.environ)
