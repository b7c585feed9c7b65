"""A call's public form: how the record is written on a span, and read back from spans of others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import compress, repeat
from operator import attrgetter, is_not
from typing import Any, Final

from llmcost import semconv
from llmcost.calls import Attribution, Call, Cost, Usage

_MOST_KEPT: Final = 1024
_USAGE_ATTRIBUTES: Final = (
    ("cache_read_tokens", semconv.CACHE_READ_TOKENS),
    ("cache_write_tokens", semconv.CACHE_WRITE_TOKENS),
    ("reasoning_tokens", semconv.REASONING_TOKENS),
    ("audio_input_tokens", semconv.AUDIO_INPUT_TOKENS),
    ("audio_output_tokens", semconv.AUDIO_OUTPUT_TOKENS),
    ("image_input_tokens", semconv.IMAGE_INPUT_TOKENS),
    ("image_output_tokens", semconv.IMAGE_OUTPUT_TOKENS),
)


_attributions: Final[dict[int, tuple[Attribution, dict[str, Any]]]] = {}


class Rows:
    """Attributes that are fields of a record as they stand. Every call passes here: picking runs without bytecode.

    Args:
        rows: the attributes by field; a dotted one is a field of a field. At least two.
    """

    __slots__ = ("_names", "_values")

    def __init__(self, rows: Mapping[str, str]) -> None:
        self._names = tuple(rows.values())
        self._values = attrgetter(*rows)

    def known(self, record: Any) -> Iterable[tuple[str, Any]]:
        """Those that are not None."""
        values = self._values(record)
        return compress(zip(self._names, values, strict=True), map(is_not, values, repeat(None)))

    def filled(self, record: Any) -> Iterable[tuple[str, Any]]:
        """Those that are neither None nor zero nor empty."""
        values = self._values(record)
        return compress(zip(self._names, values, strict=True), values)


_KNOWN: Final = Rows(
    {
        "id": semconv.CALL_ID,
        "call_type": semconv.CALL_TYPE,
        "response_model": semconv.RESPONSE_MODEL,
        "response_id": semconv.RESPONSE_ID,
        "service_tier": semconv.RESPONSE_SERVICE_TIER,
        "run_id": semconv.RUN_ID,
        "usage.input_tokens": semconv.INPUT_TOKENS,
        "usage.output_tokens": semconv.OUTPUT_TOKENS,
        "cost.status": semconv.COST_STATUS,
        "cost.total": semconv.COST_TOTAL,
        "cost.prompt": semconv.COST_PROMPT,
        "cost.completion": semconv.COST_COMPLETION,
        "cost.price_key": semconv.COST_PRICE_KEY,
        "cost.price_source": semconv.COST_PRICE_SOURCE,
        "cost.price_date": semconv.COST_PRICE_DATE,
        "cost.note": semconv.COST_NOTE,
    }
)
_FILLED: Final = Rows(
    {f"usage.{name}": attribute for name, attribute in _USAGE_ATTRIBUTES}
    | {
        "cost.fees": semconv.COST_FEES,
        "usage_estimated": semconv.USAGE_ESTIMATED,
        "finish_reasons": semconv.RESPONSE_FINISH_REASONS,
    }
)
_TROUBLE: Final = Rows(
    {
        "outcome": semconv.CALL_OUTCOME,
        "status_code": semconv.HTTP_STATUS_CODE,
        "error_type": semconv.ERROR_TYPE,
        "error_code": semconv.ERROR_CODE,
    }
)


def end_attributes(call: Call) -> dict[str, Any]:
    """What is known of a call when it has ended: what the answer told, and what it cost in USD.

    The names are the conventions', OpenInference's and our own. No price means no ``llm.cost.*`` attribute at all; how
    a call ended is said where it did not end well.
    """
    out: dict[str, Any] = dict(_KNOWN.known(call))
    out.update(_FILLED.filled(call))
    if call.cost.total is not None:
        _add_sides(out, call.cost)
    if call.stream and call.time_to_first_chunk is not None:
        out[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = call.time_to_first_chunk
    if call.outcome != "complete":
        out.update(_TROUBLE.known(call))
    return out


def _add_sides(out: dict[str, Any], cost: Cost) -> None:
    """Both sides of a cost that is known, and their classes of tokens. A single class is the whole of its side, which
    is said already."""
    if cost.prompt is None or cost.completion is None:
        out[semconv.COST_PROMPT] = cost.prompt or 0.0
        out[semconv.COST_COMPLETION] = cost.completion or 0.0
    for prefix, details in (
        (semconv.COST_PROMPT_DETAILS, cost.prompt_details),
        (semconv.COST_COMPLETION_DETAILS, cost.completion_details),
    ):
        if len(details) > 1:
            out.update(zip(map(prefix.__add__, details), details.values(), strict=True))


def attribution_attributes(attribution: Attribution) -> Mapping[str, Any]:
    """Label, call site and context under their names. Kept by record, since the next call from the same place under
    the same context has the same record."""
    known = _attributions.get(id(attribution))
    if known is not None and known[0] is attribution:
        return known[1]
    made = _attribution_attributes(attribution)
    if len(_attributions) >= _MOST_KEPT:
        _attributions.clear()
    _attributions[id(attribution)] = attribution, made
    return made


def _attribution_attributes(attribution: Attribution) -> dict[str, Any]:
    out: dict[str, Any] = {
        semconv.SEMANTIC_LABEL: attribution.label,
        semconv.SEMANTIC_LABEL_SOURCE: attribution.label_source,
    }
    site = attribution.site
    if site is not None:
        out[semconv.CODE_FUNCTION] = site.function
        out[semconv.CODE_FILE] = site.file
        out[semconv.CODE_LINE] = site.line
    for name, value in (
        (semconv.SECTION_PATH, attribution.section_path),
        (semconv.USER_ID, attribution.user_id),
        (semconv.SESSION_ID, attribution.session_id),
        (semconv.CONVERSATION_ID, attribution.conversation_id),
        (semconv.AGENT_NAME, attribution.agent),
        (semconv.WORKFLOW_NAME, attribution.workflow),
    ):
        if value is not None:
            out[name] = value
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
