"""The records: what one call used, what it cost, where it came from; and their public form, span attributes.

A :class:`Call` is built once, when a call is finished, and never changes. Processors, store and reports read it;
only this module knows how it is written on a span.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from llmcost import semconv

CostStatus = Literal[
    "priced", "estimated", "partial", "unpriced", "zero_listed", "not_billed", "explicit", "counted_elsewhere"
]
"""How far a cost can be trusted.

``priced``: usage and price are known. ``estimated``: the usage was estimated. ``partial``: the stream was cut, or some
class of the usage has no price. ``unpriced``: no price is known, so there is no cost. ``zero_listed``: a hosted model
that the map lists at 0. ``not_billed``: the provider refused or failed the call. ``explicit``: given by hand.
``counted_elsewhere``: another span nearer to the provider counts this call.
"""

Outcome = Literal["complete", "truncated", "closed", "cancelled", "failed", "collected"]
"""How a call ended: read to the end; ended without its end mark; left early; cancelled; failed; garbage-collected."""

LabelSource = Literal["map", "explicit", "inherited", "none"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used. Totals are inclusive: cached and written tokens are part of ``input_tokens``, one-hour writes
    part of ``cache_write_tokens``, reasoning part of ``output_tokens``, audio, image and video tokens part of their
    total, cached audio part of both cache and audio. Only ``citation_tokens`` come on top of the input.

    ``None`` in ``input_tokens`` or ``output_tokens`` means unknown; the details default to 0.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    audio_cache_read_tokens: int = 0
    image_cache_read_tokens: int = 0
    video_cache_read_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    video_input_tokens: int = 0
    video_output_tokens: int = 0
    citation_tokens: int = 0
    input_characters: int = 0
    output_characters: int = 0
    input_seconds: float = 0.0
    output_seconds: float = 0.0
    video_input_seconds: float = 0.0
    video_resolution: str | None = None
    input_images: int = 0
    images: int = 0
    image_size: str | None = None
    image_quality: str | None = None
    queries: int = 0
    pages: int = 0
    annotated_pages: int = 0
    web_searches: int = 0
    search_context: str | None = None
    map_searches: int = 0
    code_sessions: int = 0
    file_searches: int = 0

    @property
    def total_tokens(self) -> int | None:
        """Input plus output tokens, or None where both are unknown."""
        if self.input_tokens is None and self.output_tokens is None:
            return None
        return (self.input_tokens or 0) + (self.output_tokens or 0)


NO_USAGE: Final = Usage()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost, in USD: ``prompt + completion + fees = total``, all None where no price is known.

    ``fees`` is what is not per token (searches, images, pages, requests). ``prompt_details`` and
    ``completion_details`` split the sums by class of token. ``price_source`` is ``litellm``, ``override`` or
    ``provider``; ``price_date`` the ISO date of the map or override.
    """

    status: CostStatus
    total: float | None = None
    prompt: float | None = None
    completion: float | None = None
    fees: float | None = None
    price_key: str | None = None
    price_source: str | None = None
    price_date: str | None = None
    prompt_details: Mapping[str, float] = field(default_factory=dict)
    completion_details: Mapping[str, float] = field(default_factory=dict)
    note: str | None = None


NOT_BILLED: Final = Cost("not_billed")
UNPRICED: Final = Cost("unpriced")


@dataclass(frozen=True, slots=True)
class CallSite:
    """The function of the program that made a call: qualified name, path (relative to the map's root where there is
    one) and line."""

    function: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Attribution:
    """Which part of the program a call belongs to, and who asked for it."""

    label: str = semconv.UNTRACKED
    label_source: LabelSource = "none"
    site: CallSite | None = None
    section_path: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    conversation_id: str | None = None
    agent: str | None = None
    workflow: str | None = None
    call_type: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)


UNATTRIBUTED: Final = Attribution()


@dataclass(frozen=True, slots=True)
class BilledPart:
    """A further model that one response billed (an advisor, a fallback)."""

    model: str
    usage: Usage
    cost: Cost


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a model: the record that spans, metrics, store and reports are made from.

    ``started_ns`` is Unix time in nanoseconds; ``duration`` and ``time_to_first_chunk`` are seconds.
    ``error_type`` is the provider's error type, an exception's name or an HTTP status as text.
    """

    id: str
    started_ns: int
    duration: float
    operation: str
    provider: str
    request_model: str | None
    usage: Usage
    cost: Cost
    attribution: Attribution = UNATTRIBUTED
    outcome: Outcome = "complete"
    response_model: str | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    stream: bool = False
    chunks: int = 0
    time_to_first_chunk: float | None = None
    status_code: int | None = None
    error_type: str | None = None
    error_code: str | None = None
    service_tier: str | None = None
    requested_service_tier: str | None = None
    max_tokens: int | None = None
    server_address: str | None = None
    server_port: int | None = None
    attempts: int = 1
    requested_model: str | None = None
    budget_action: str = "allow"
    budget_name: str | None = None
    run_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    counted_by: str | None = None
    parts: tuple[BilledPart, ...] = ()

    @property
    def label(self) -> str:
        """The semantic label of the section that made the call."""
        return self.attribution.label

    @property
    def call_type(self) -> str:
        """The kind of work: given by the program, or derived from label and operation."""
        return self.attribution.call_type or call_type_of(self.attribution.label, self.operation)


# --- call type --------------------------------------------------------------------------------------------------

_CALL_TYPE_OF_OPERATION: Final[Mapping[str, semconv.CallType]] = {
    "embeddings": "embedding",
    "rerank": "rag_query",
    "moderation": "classification",
    "chat": "chat",
    "generate_content": "chat",
    "text_completion": "chat",
}
_CALL_TYPE_WORDS: Final[tuple[tuple[str, semconv.CallType], ...]] = (
    ("sentiment", "sentiment_analysis"),
    ("summar", "summarization"),
    ("embed", "embedding"),
    ("classif", "classification"),
    ("extract", "extraction"),
    ("rag_query", "rag_query"),
    ("retriev", "rag_query"),
    ("rag", "rag_synthesis"),
    ("system", "system"),
)


def call_type_of(label: str, operation: str) -> str:
    """Derive the call type: the label's words say more than the operation, except for embeddings and their like."""
    by_operation = _CALL_TYPE_OF_OPERATION.get(operation, "other")
    if by_operation != "chat":
        return by_operation
    for word, kind in _CALL_TYPE_WORDS:
        if word in label:
            return kind
    return by_operation


# --- public form ------------------------------------------------------------------------------------------------


def start_attributes(call_facts: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that are set when the span is created, because samplers may read them. Drops what is None."""
    return {key: value for key, value in call_facts.items() if value is not None}


_USAGE_ATTRIBUTES: Final = (
    ("cache_read_tokens", semconv.CACHE_READ_TOKENS),
    ("cache_write_tokens", semconv.CACHE_WRITE_TOKENS),
    ("reasoning_tokens", semconv.REASONING_TOKENS),
    ("audio_input_tokens", semconv.AUDIO_INPUT_TOKENS),
    ("audio_output_tokens", semconv.AUDIO_OUTPUT_TOKENS),
    ("image_input_tokens", semconv.IMAGE_INPUT_TOKENS),
    ("image_output_tokens", semconv.IMAGE_OUTPUT_TOKENS),
)


def usage_attributes(usage: Usage) -> dict[str, Any]:
    """Token counts under the conventions' names. Unknown totals and zero details are left out."""
    out: dict[str, Any] = {}
    if usage.input_tokens is not None:
        out[semconv.INPUT_TOKENS] = usage.input_tokens
    if usage.output_tokens is not None:
        out[semconv.OUTPUT_TOKENS] = usage.output_tokens
    for name, attribute in _USAGE_ATTRIBUTES:
        value = getattr(usage, name)
        if value:
            out[attribute] = value
    return out


def cost_attributes(cost: Cost) -> dict[str, Any]:
    """Cost in USD under OpenInference's and our names. No price means no ``llm.cost.*`` attribute at all."""
    out: dict[str, Any] = {semconv.COST_STATUS: cost.status}
    if cost.total is not None:
        out[semconv.COST_TOTAL] = cost.total
        out[semconv.COST_PROMPT] = cost.prompt or 0.0
        out[semconv.COST_COMPLETION] = cost.completion or 0.0
        if cost.fees:
            out[semconv.COST_FEES] = cost.fees
        for kind, amount in cost.prompt_details.items():
            out[semconv.COST_PROMPT_DETAILS + kind] = amount
        for kind, amount in cost.completion_details.items():
            out[semconv.COST_COMPLETION_DETAILS + kind] = amount
    if cost.price_key is not None:
        out[semconv.COST_PRICE_KEY] = cost.price_key
    if cost.price_source is not None:
        out[semconv.COST_PRICE_SOURCE] = cost.price_source
    if cost.price_date is not None:
        out[semconv.COST_PRICE_DATE] = cost.price_date
    if cost.note is not None:
        out[semconv.COST_NOTE] = cost.note
    return out


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
