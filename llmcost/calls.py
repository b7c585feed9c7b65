"""The records: what one call used, what it cost, where it came from.

A :class:`Call` is built once, when a call is finished, and never changes. Processors, store and reports read it; its
public form on a span is written and read by :mod:`llmcost.attributes`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from llmcost import semconv
from llmcost.lean import dataclass
from llmcost.records import maker, quick

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

Quoted = tuple[str, int, int | None, str | None]
"""A quote as it is kept; see :class:`Call`."""

LabelSource = Literal["map", "explicit", "inherited", "none"]


@quick
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


make_usage: Final = maker(Usage)
NO_USAGE: Final = Usage()


@quick
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


make_cost: Final = maker(Cost)
NANO: Final = 1_000_000_000


def nano_dollars(usd: float) -> int:
    """USD as whole nano-dollars, the unit in which ledger and store count: ``usd * 10**9`` rounded to the nearest
    integer, a tie to the even one. So a single call is right to half a nano-dollar and sums of calls are exact."""
    return round(usd * NANO)


SLOT_S: Final = 300
"""Grain, in seconds, at which calls are added up over time: the day of every time zone and every bucket of ten minutes
is a whole number of these."""

NOT_BILLED: Final = Cost("not_billed")
COUNTED_ELSEWHERE: Final = Cost("counted_elsewhere")
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


@quick
@dataclass(frozen=True, slots=True)
class Call:
    """One request to a model: the record that spans, metrics, store and reports are made from.

    ``started_ns`` is Unix time in nanoseconds; ``duration`` and ``time_to_first_chunk`` are seconds.
    ``usage_estimated`` says that the tokens were counted from text, not stated by the provider.
    ``adopted`` says that the span belongs to another instrumentation; ``metered`` that the conventions' metrics come
    from there too.
    ``error_type`` is the provider's error type, an exception's name or an HTTP status as text.
    ``quotes`` is what budgets were told before the send, by model: status of the price, a fair guess and the most that
    the call could cost in nano-dollars, and what would have bounded it; ``prompt_hash`` names the prompt for them;
    ``budget_wait`` is how long they took, in seconds, which is not part of ``duration``.
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
    region: str | None = None
    max_tokens: int | None = None
    server_address: str | None = None
    server_port: int | None = None
    attempts: int = 1
    run_id: str | None = None
    adopted: bool = False
    metered: bool = False
    usage_estimated: bool = False
    trace_id: str | None = None
    span_id: str | None = None
    counted_by: str | None = None
    parts: tuple[BilledPart, ...] = ()
    budget_action: str = "allow"
    budget_name: str | None = None
    requested_model: str | None = None
    quotes: Mapping[str, Quoted] = field(default_factory=dict)
    prompt_hash: str | None = None
    budget_wait: float = 0.0

    @property
    def label(self) -> str:
        """The semantic label of the section that made the call."""
        return self.attribution.label

    @property
    def call_type(self) -> str:
        """The kind of work: given by the program, or derived from label and operation."""
        return self.attribution.call_type or call_type_of(self.attribution.label, self.operation)


make_call: Final = maker(Call)


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


@lru_cache(maxsize=1024)
def call_type_of(label: str, operation: str) -> str:
    """Derive the call type: the label's words say more than the operation, except for embeddings and their like."""
    by_operation = _CALL_TYPE_OF_OPERATION.get(operation, "other")
    if by_operation != "chat":
        return by_operation
    for word, kind in _CALL_TYPE_WORDS:
        if word in label:
            return kind
    return by_operation


if TYPE_CHECKING:
    stats: Any
else:

    def __getattr__(name: str) -> Any:
        """``llmcost.calls.stats`` stands here for those who ask for it; the store that answers is loaded only then."""
        if name == "stats":
            return importlib.import_module("llmcost.store.stats").stats
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
