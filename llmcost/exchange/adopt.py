"""Whose span is it? An open GenAI span of another instrumentation, or of an SDK itself, is adopted, never doubled."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context

from llmcost import semconv

_OPENINFERENCE_KIND: Final = "openinference.span.kind"
_OPENINFERENCE_KINDS: Final = frozenset({"LLM", "EMBEDDING", "RERANKER"})
_OPENLLMETRY_REQUEST_TYPE: Final = "llm.request.type"
_SUPPRESSED: Final = (
    _SUPPRESS_INSTRUMENTATION_KEY,
    "suppress_instrumentation",
    "suppress_language_model_instrumentation",
)
LABEL: Final = "llmcost.inside-a-call"
"""The context key that is set while a request is below the client: the label of the call."""


def adoptable(span: trace.Span) -> bool:
    """Whether a span that is open at the HTTP client stands for the model call which is about to be sent.

    Agent, workflow and tool spans do not: they only surround the call.
    """
    if not span.is_recording():
        return False
    attributes: Mapping[str, Any] | None = getattr(span, "attributes", None)
    if not attributes:
        return False
    operation = attributes.get(semconv.OPERATION_NAME)
    if operation is not None:
        return operation in semconv.PRICED_OPERATIONS
    kind = attributes.get(_OPENINFERENCE_KIND)
    if kind is not None:
        return kind in _OPENINFERENCE_KINDS
    return _OPENLLMETRY_REQUEST_TYPE in attributes


def may_create_span(context: Context) -> bool:
    """False where the program has switched instrumentation off in this context; calls are still counted."""
    return not any(map(context.get, _SUPPRESSED))


_WITHOUT_METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "com.anthropic.sdk.python": ("anthropic",),
    "mistralai_sdk_tracer": ("mistralai",),
    "openinference.instrumentation.openai": ("openai", "openai_v2"),
    "openinference.instrumentation.anthropic": ("anthropic",),
}
"""Scopes that make spans but do not record ``gen_ai.client.*`` (as of late 2026), and the names under which another
instrumentation of the same SDK, which does, may be loaded beside them."""
_EMITTING: Final = ("opentelemetry.instrumentation.genai.", "opentelemetry.instrumentation.")


def records_metrics(span: trace.Span) -> bool:
    """Whether the conventions' metrics of a call come from others, given that ``span`` was adopted."""
    scope = getattr(getattr(span, "instrumentation_scope", None), "name", "")
    names = _WITHOUT_METRICS.get(scope)
    if names is None:
        return True
    return any(prefix + name in sys.modules for prefix in _EMITTING for name in names)


_NEVER_ON_ADOPTED: Final = (semconv.ERROR_TYPE,)


def absent_from(span: trace.Span, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What may be written on an adopted span: our own names always, the conventions' names only where absent."""
    present: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    return {
        name: value
        for name, value in attributes.items()
        if name.startswith(("llm.", "llmcost."))
        or (name not in present and name not in _NEVER_ON_ADOPTED and not _spelt_otherwise(name, present))
    }


def _spelt_otherwise(name: str, present: Mapping[str, Any]) -> bool:
    return any(old in present for old in semconv.FOREIGN_SPELLINGS.get(name, ()))
