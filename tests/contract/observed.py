"""An observed program for tests: hooks on, calls collected in a list, spans in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from llmcost import instrumentor
from llmcost.calls import Call
from llmcost.runtime import runtime


@dataclass
class Observed:
    """What was seen: finished calls and finished spans."""

    provider: TracerProvider
    exporter: InMemorySpanExporter
    calls: list[Call] = field(default_factory=list)

    def observe(self, call: Call, context: Context | None = None) -> None:
        """Collect a finished call."""
        self.calls.append(call)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """All finished spans."""
        return self.exporter.get_finished_spans()

    @property
    def call(self) -> Call:
        """The only call."""
        assert len(self.calls) == 1, self.calls
        return self.calls[0]

    @property
    def span(self) -> ReadableSpan:
        """The only span."""
        assert len(self.spans) == 1, self.spans
        return self.spans[0]


@contextmanager
def observed(**settings: Any) -> Iterator[Observed]:
    """Observe all calls inside the block, with a tracer provider of its own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    seen = Observed(provider, exporter)
    settings.setdefault("tracer_provider", provider)
    instrumentor.observe(**settings)
    runtime.observers.add(seen)
    try:
        yield seen
    finally:
        instrumentor.shutdown()
