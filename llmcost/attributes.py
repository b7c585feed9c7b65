"""A call's public form: how the record is written on a span, and read back from spans of others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

from llmcost import semconv
from llmcost.calls import Attribution, Call, Cost, Usage

_USAGE_ATTRIBUTES: Final = (
    ("cache_read_tokens", semconv.CACHE_READ_TOKENS),
    ("cache_write_tokens", semconv.CACHE_WRITE_TOKENS),
    ("reasoning_tokens", semconv.REASONING_TOKENS),
    ("audio_input_tokens", semconv.AUDIO_INPUT_TOKENS),
    ("audio_output_tokens", semconv.AUDIO_OUTPUT_TOKENS),
    ("image_input_tokens", semconv.IMAGE_INPUT_TOKENS),
    ("image_output_tokens", semconv.IMAGE_OUTPUT_TOKENS),
)
_DETAILS: Final = attrgetter(*(field for field, _ in _USAGE_ATTRIBUTES))
_NO_DETAILS: Final = _DETAILS(Usage())

TOLD_OF_CALL: Final = attrgetter(
    "operation", "response_model", "finish_reasons", "service_tier", "run_id", "usage_estimated", "counted_by"
)
TOLD_OF_COST: Final = attrgetter("status", "price_key", "price_source", "price_date", "note")
"""All that :func:`told_attributes` goes by, of a call and of its cost, beside the attribution."""


def add_given(out: dict[str, Any], rows: Iterable[tuple[str, Any]]) -> None:
    """Add the attributes that have a value."""
    for name, value in rows:
        if value is not None:
            out[name] = value


def told_attributes(call: Call) -> dict[str, Any]:
    """What calls of one kind have in common: who answered, how it ended, which price holds, and how far it is known.

    The names are the conventions' and our own.
    """
    cost = call.cost
    out: dict[str, Any] = {semconv.CALL_TYPE: call.call_type, semconv.COST_STATUS: cost.status}
    if call.usage_estimated:
        out[semconv.USAGE_ESTIMATED] = True
    if call.finish_reasons:
        out[semconv.RESPONSE_FINISH_REASONS] = call.finish_reasons
    rows = (
        (semconv.RESPONSE_MODEL, call.response_model),
        (semconv.RESPONSE_SERVICE_TIER, call.service_tier),
        (semconv.RUN_ID, call.run_id),
        (semconv.COST_COUNTED_BY, call.counted_by),
        (semconv.COST_PRICE_KEY, cost.price_key),
        (semconv.COST_PRICE_SOURCE, cost.price_source),
        (semconv.COST_PRICE_DATE, cost.price_date),
        (semconv.COST_NOTE, cost.note),
    )
    add_given(out, rows)
    return out


def add_measured(out: dict[str, Any], call: Call) -> None:
    """Add what is a call's own: its ids, what it used, and what it cost in USD under OpenInference's and our names.

    No price means no ``llm.cost.*`` attribute at all; how a call ended is said where it did not end well.
    """
    out[semconv.CALL_ID] = call.id
    if call.response_id is not None:
        out[semconv.RESPONSE_ID] = call.response_id
    if call.cost.total is not None:
        _add_cost(out, call.cost)
    _add_usage(out, call.usage)
    if call.stream and call.time_to_first_chunk is not None:
        out[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = call.time_to_first_chunk
    if call.outcome != "complete":
        _add_trouble(out, call)


def _add_usage(out: dict[str, Any], usage: Usage) -> None:
    """Token counts under the conventions' names. Unknown totals and zero details are left out."""
    if usage.input_tokens is not None:
        out[semconv.INPUT_TOKENS] = usage.input_tokens
    if usage.output_tokens is not None:
        out[semconv.OUTPUT_TOKENS] = usage.output_tokens
    counts = _DETAILS(usage)
    if counts != _NO_DETAILS:
        for (_, name), count in zip(_USAGE_ATTRIBUTES, counts, strict=True):
            if count:
                out[name] = count


def _add_cost(out: dict[str, Any], cost: Cost) -> None:
    out[semconv.COST_TOTAL] = cost.total
    out[semconv.COST_PROMPT] = cost.prompt or 0.0
    out[semconv.COST_COMPLETION] = cost.completion or 0.0
    if cost.fees:
        out[semconv.COST_FEES] = cost.fees
    # A single class of tokens is the whole of its side, which is said already.
    if len(cost.prompt_details) > 1:
        for kind, amount in cost.prompt_details.items():
            out[semconv.COST_PROMPT_DETAILS + kind] = amount
    if len(cost.completion_details) > 1:
        for kind, amount in cost.completion_details.items():
            out[semconv.COST_COMPLETION_DETAILS + kind] = amount


def _add_trouble(out: dict[str, Any], call: Call) -> None:
    """How a call ended that did not end well; absent otherwise, since each attribute costs half a microsecond."""
    out[semconv.CALL_OUTCOME] = call.outcome
    if call.status_code is not None:
        out[semconv.HTTP_STATUS_CODE] = call.status_code
    if call.error_type is not None:
        out[semconv.ERROR_TYPE] = call.error_type
    if call.error_code is not None:
        out[semconv.ERROR_CODE] = call.error_code


def attribution_attributes(attribution: Attribution) -> dict[str, Any]:
    """Label, call site and context under their names."""
    out: dict[str, Any] = {
        semconv.SEMANTIC_LABEL: attribution.label,
        semconv.SEMANTIC_LABEL_SOURCE: attribution.label_source,
    }
    site = attribution.site
    if site is not None:
        out[semconv.CODE_FUNCTION] = site.function
        out[semconv.CODE_FILE] = site.file
        out[semconv.CODE_LINE] = site.line
    rows = (
        (semconv.SECTION_PATH, attribution.section_path),
        (semconv.USER_ID, attribution.user_id),
        (semconv.SESSION_ID, attribution.session_id),
        (semconv.CONVERSATION_ID, attribution.conversation_id),
        (semconv.AGENT_NAME, attribution.agent),
        (semconv.WORKFLOW_NAME, attribution.workflow),
    )
    add_given(out, rows)
    if attribution.tags:
        out[semconv.TAGS] = attribution.tags
    if attribution.metadata:
        out[semconv.METADATA] = json.dumps(attribution.metadata, default=str, sort_keys=True)
    for key, text in attribution.context.items():
        out[semconv.CONTEXT_PREFIX + key] = text
    return out


# --- reading spans of others ------------------------------------------------------------------------------------


def read(attributes: Mapping[str, Any], name: str) -> Any:
    """The value of a conventions' attribute in its newest, an older or a foreign spelling; None where there is none."""
    value = attributes.get(name)
    if value is not None:
        return value
    for old in semconv.FOREIGN_SPELLINGS.get(name, ()):
        value = attributes.get(old)
        if value is not None:
            return value
    return None


def usage_of(attributes: Mapping[str, Any], *, exclusive_input: bool = False) -> Usage:
    """The usage that a span of another instrumentation states.

    Args:
        attributes: the span's attributes, in any of the known spellings.
        exclusive_input: the instrumentation counts cached and written tokens apart from the input (OpenLIT does).
    """
    found: dict[str, Any] = {field: _count(read(attributes, name)) or 0 for field, name in _USAGE_ATTRIBUTES}
    given = _count(read(attributes, semconv.INPUT_TOKENS))
    if given is not None and exclusive_input:
        given += found["cache_read_tokens"] + found["cache_write_tokens"]
    return Usage(input_tokens=given, output_tokens=_count(read(attributes, semconv.OUTPUT_TOKENS)), **found)


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and value >= 0 else None
