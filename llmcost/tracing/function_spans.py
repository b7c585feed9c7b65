"""``@llmcost.trace_function``: a span around a function of the program, and a name for what is spent in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any, Final, TypeVar, overload

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from llmcost import semconv
from llmcost.sections.decorate import Activity, decorate
from llmcost.sections.scope import KEY, Scope, current

Function = TypeVar("Function", bound=Callable[..., Any])

_SHOWN: Final = (
    ("override", semconv.SEMANTIC_LABEL),
    ("section_path", semconv.SECTION_PATH),
    ("user_id", semconv.USER_ID),
    ("session_id", semconv.SESSION_ID),
    ("conversation_id", semconv.CONVERSATION_ID),
    ("agent", semconv.AGENT_NAME),
    ("workflow", semconv.WORKFLOW_NAME),
)
"""Which parts of the record a function's span shows, and as what."""


class _Ending:
    """A block that ends a span when the run is over, and says so where it failed."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A closed generator and a cancelled task are no failures of the function.
        if isinstance(exc, Exception):
            self._span.record_exception(exc)
            self._span.set_attribute(semconv.ERROR_TYPE, type(exc).__qualname__)
            self._span.set_status(StatusCode.ERROR, f"{type(exc).__name__}: {exc}")
        self._span.end()


class _Traced(Activity):
    """One run of a traced function: its span is current in each step."""

    __slots__ = ("_span",)

    def __init__(self, span: Span, scope: Scope) -> None:
        super().__init__({**trace.set_span_in_context(span, Context()), KEY: scope})
        self._span = span

    def whole(self) -> AbstractContextManager[None]:
        """End the span with the run."""
        return _Ending(self._span)


@overload
def trace_function(function: Function, /) -> Function: ...
@overload
def trace_function(*, name: str | None = None) -> Callable[[Function], Function]: ...
def trace_function(function: Any = None, /, *, name: str | None = None) -> Any:
    """Put a span around each run of a function, coroutine function, generator or async generator.

    Args:
        function: the function, where the decorator is written without parentheses.
        name: name of the span; it is also the label of the calls made inside and a part of their section path.
            Without it the span has the function's name, and labels come from the semantic map as usual.
    """
    if function is None:
        return lambda decorated: trace_function(decorated) if name is None else _traced(decorated, name, name)
    return _traced(function, getattr(function, "__qualname__", type(function).__qualname__), None)


def _traced(function: Function, span_name: str, section: str | None) -> Function:
    tracer = trace.get_tracer(semconv.SCOPE)
    attributes = {semconv.CODE_FUNCTION: _code_name(function)}

    def begin(frame: FrameType) -> Activity:
        scope = _named(current(frame), section)
        shown = {name: value for part, name in _SHOWN if (value := getattr(scope, part)) is not None}
        span = tracer.start_span(span_name, kind=SpanKind.INTERNAL, attributes={**attributes, **shown})
        return _Traced(span, scope)

    return decorate(function, begin)


def _named(scope: Scope, section: str | None) -> Scope:
    if section is None:
        return scope
    path = f"{scope.section_path}/{section}" if scope.section_path else section
    return scope.derive(override=section, section_path=path)


def _code_name(function: object) -> str:
    """The qualified name, as ``code.function.name`` asks for."""
    inner = getattr(function, "__func__", function)
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    module = getattr(inner, "__module__", None)
    return f"{module}.{name}" if module else name
