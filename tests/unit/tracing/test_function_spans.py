import asyncio
import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from llmcost.sections import context, section
from llmcost.sections.scope import ROOT, current
from llmcost.tracing.function_spans import trace_function


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def current_name() -> str | None:
    return getattr(trace.get_current_span(), "name", None)


def test_a_named_function_is_span_label_and_section(exporter: InMemorySpanExporter) -> None:
    @trace_function(name="summarize_article")
    def work() -> Any:
        return current_name(), current().override, current().section_path

    with section("agent:a"), context(user_id="u"):
        assert work() == ("summarize_article", "summarize_article", "agent:a/summarize_article")
    assert current() is ROOT
    (span,) = exporter.get_finished_spans()
    assert span.kind is trace.SpanKind.INTERNAL
    assert attributes(span) == {
        "code.function.name": f"{__name__}.test_a_named_function_is_span_label_and_section.<locals>.work",
        "llm.semantic_label": "summarize_article",
        "llmcost.section_path": "agent:a/summarize_article",
        "user.id": "u",
    }


def test_without_a_name_the_labels_stay_as_they_are(exporter: InMemorySpanExporter) -> None:
    @trace_function
    def one() -> Any:
        return current().override

    @trace_function()
    def two() -> Any:
        return one()

    assert two() is None
    inner, outer = exporter.get_finished_spans()
    assert (inner.name.rsplit(".", 1)[1], outer.name.rsplit(".", 1)[1]) == ("one", "two")
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


def test_an_error_is_said_and_passed_on(exporter: InMemorySpanExporter) -> None:
    @trace_function
    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fails()
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)["error.type"] == "ValueError"
    assert [event.name for event in span.events] == ["exception"]


async def test_coroutines_and_tasks(exporter: InMemorySpanExporter) -> None:
    @trace_function(name="c")
    async def work() -> str | None:
        await asyncio.sleep(0)
        return current_name()

    assert inspect.iscoroutinefunction(work)
    assert list(await asyncio.gather(work(), work())) == ["c", "c"]
    assert len(exporter.get_finished_spans()) == 2


async def test_generators_have_one_span_that_is_current_in_steps_only(exporter: InMemorySpanExporter) -> None:
    @trace_function(name="g")
    def steps() -> Iterator[str | None]:
        yield current_name()
        yield current_name()

    @trace_function(name="a")
    async def async_steps() -> AsyncIterator[str | None]:
        yield current_name()
        await asyncio.sleep(0)
        yield current_name()

    generator = steps()
    assert next(generator) == "g"
    assert current_name() is None
    assert list(generator) == ["g"]
    assert [item async for item in async_steps()] == ["a", "a"]
    left: Any = steps()
    next(left)
    left.close()
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["g", "a", "g"]
    assert {span.status.status_code for span in spans} == {StatusCode.UNSET}


async def test_an_abandoned_async_generator_leaves_no_span_and_no_error(
    exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """Field case 9: the loop closes the generator from a task of its own, in another context."""

    @trace_function(name="stream")
    async def stream() -> AsyncIterator[int]:
        yield 1
        yield 2

    @trace_function(name="app")
    async def app() -> None:
        generator: Any = stream()
        assert await anext(generator) == 1
        assert current_name() == "app"
        del generator
        gc.collect()
        await asyncio.sleep(0)
        with trace.get_tracer("later").start_as_current_span("later"):
            await asyncio.sleep(0)

    await app()
    await asyncio.sleep(0)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"stream", "app", "later"}
    assert spans["later"].parent is not None
    assert spans["later"].parent.span_id == spans["app"].context.span_id
    assert caplog.records == []
