"""What a call may cost, told from its request: a fair guess, and for strict budgets the most that it can cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from llmcost.calls import NANO, Usage, nano_dollars
from llmcost.control import FREE, Quote
from llmcost.errors import PriceMapError
from llmcost.pricing import PriceBook, PriceRequest
from llmcost.providers import Endpoint, RequestFacts
from llmcost.providers.patterns import watch_pattern
from llmcost.records import make_tuple

CHARACTERS_PER_TOKEN: Final = 4
USUAL_OUTPUT: Final = 1_000
"""Tokens that an answer is guessed to have where nothing is known of its label."""

ELSEWHERE: Final = (
    "previous_response_id", "conversation", "prompt_id", "cachedContent", "cached_content", "agent_id", "container",
    "image_url", "file_id", "file_url", "file_uri", "fileUri", "file_data", "inlineData", "inline_data",
    "input_image", "input_file", "input_audio", "document_url", "images", "video", "source",
)  # fmt: skip
"""Keys of requests whose content counts as input but does not stand in the body as text: kept at the provider, behind a
URL, or a picture whose tokens do not follow from its bytes. With one of them only the model's own limit bounds the
input."""

BILLED_TOOLS: Final = (
    b"web_search", b"file_search", b"code_interpreter", b"code_execution", b"google_search", b"googleSearch",
    b"google_maps", b"googleMaps", b"computer_use", b"web_fetch", b"search_context_size", b'"mcp"', b'"plugins"',
    b'"best_of"',
)  # fmt: skip
"""Words of requests that let the provider run tools: these are billed by use, or bring input of their own."""

MARKS: Final = 64
"""Tokens that a model may add around the messages."""

TOOL_MARKS: Final = 1_000
"""Tokens of the instructions that a model adds where the request has tools; 346 to 804 with Claude's."""

_UNBOUNDED_TOOLS: Final = "fewer tools: those that the provider runs have no bound"
_UNBOUNDED_INPUT: Final = "the text itself in the request: the size of what it refers to is not known"
_MOST_KEPT: Final = 4_096
_MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True)
class _Rates:
    """The rates of one model, in nano-dollars a token; ``bands`` has for each length of prompt from which it holds the
    most that any class of input and output costs."""

    status: str
    input: float = 0.0
    output: float = 0.0
    bands: tuple[tuple[int, float, float], ...] = ()
    request: int = 0
    max_input: int | None = None
    max_output: int | None = None


_UNKNOWN: Final = _Rates("unpriced")


class _Asked(NamedTuple):
    """What decides a quote: the price, and sizes of the request, rounded up so that alike requests share one."""

    request: PriceRequest
    size: int
    max_tokens: int | None
    choices: int
    units: tuple[tuple[str, float], ...]


class Quotes:
    """Quotes calls by a price book.

    Prices may turn with the minute (dated rows, hours of the day), so what is kept holds for one minute.

    Args:
        prices: the price book.
        strict: whether any budget wants a true bound.
    """

    def __init__(self, prices: PriceBook, *, strict: bool) -> None:
        self._prices = prices
        self._strict = strict
        self._minute = 0
        self._rates: dict[PriceRequest, _Rates] = {}
        self._kept: dict[_Asked, Quote] = {}

    def of(self, endpoint: Endpoint, facts: RequestFacts, model: str | None, at: float) -> Quote:
        """What the request may cost if it is sent to a model.

        Args:
            endpoint: where it goes.
            facts: what it asks for.
            model: the model asked for, or one in its place.
            at: Unix seconds.
        """
        self._turn(at)
        wanted = endpoint.shape.asked
        units = tuple([(field, facts.asked(what) or 0) for field, what in wanted.items()]) if wanted else ()
        request = make_tuple(PriceRequest, (endpoint.provider, None, model, facts.service_tier, facts.region))
        size = _rounded_up(len(facts.body))
        asked = make_tuple(_Asked, (request, size, facts.max_tokens, facts.choices or 1, units))
        if self._strict:
            return self._bounded(endpoint, facts, asked, at)
        quote = self._kept.get(asked)
        if quote is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept = {}
            quote = self._kept[asked] = self._fair(asked, at)
        return quote

    def by_hand(self, provider: str, model: str, at: float) -> Quote:
        """What a call may cost of which nothing is known but its model: whether it has a price.

        It holds at least a nano-dollar, unless it is known to be free: what costs nothing passes a used-up budget.
        """
        self._turn(at)
        status = self._rates_of(PriceRequest(provider, None, model, None), at).status
        return FREE if status == "free" else Quote(status, 1, None, "estimated_cost")  # type: ignore[arg-type]

    def _fair(self, asked: _Asked, at: float) -> Quote:
        if asked.units:
            return self._by_units(asked, at)
        rates = self._rates_of(asked.request, at)
        if rates.status != "priced":
            return FREE if rates.status == "free" else Quote(rates.status)  # type: ignore[arg-type]
        output = min(asked.max_tokens or USUAL_OUTPUT, USUAL_OUTPUT) * asked.choices
        nano = asked.size / CHARACTERS_PER_TOKEN * rates.input + output * rates.output
        return Quote("priced", round(nano) + rates.request)

    def _by_units(self, asked: _Asked, at: float) -> Quote:
        """What is billed by what was asked for (images, seconds, characters) is known before the answer."""
        usage = Usage(output_tokens=0, **dict(asked.units))  # type: ignore[arg-type]
        cost = self._prices.explain(asked.request, usage, at).cost
        if cost.total is None or cost.status == "partial":
            return self._fair(asked._replace(units=()), at)
        if cost.status == "zero_listed":
            return Quote("zero_listed")
        nano = nano_dollars(cost.total)
        return Quote("priced", nano, nano) if nano else FREE

    def _bounded(self, endpoint: Endpoint, facts: RequestFacts, asked: _Asked, at: float) -> Quote:
        fair = self._fair(asked, at)
        if fair.status != "priced" or fair.bound is not None:
            return fair
        rates = self._rates_of(asked.request, at)
        bound, missing = _bound(endpoint, facts, rates)
        return Quote("priced", fair.estimate, bound, missing)

    def _turn(self, at: float) -> None:
        minute = int(at) // _MINUTE_S
        if minute != self._minute:
            self._minute = minute
            self._rates, self._kept = {}, {}

    def _rates_of(self, request: PriceRequest, at: float) -> _Rates:
        rates = self._rates.get(request)
        if rates is None:
            rates = self._rates[request] = self._read(request, at)
        return rates

    def _read(self, request: PriceRequest, at: float) -> _Rates:
        try:
            price = self._prices.find(request, at)
        except PriceMapError:  # said at the start; a call must not fail for it
            price = None
        if price is None:
            return _UNKNOWN
        first = price.card.first.usd
        per_request = nano_dollars(float(price.entry.get("input_cost_per_request") or 0))
        bands = tuple(
            (band.above, _most(band.usd, _INPUTS), _most(band.usd, _OUTPUTS))
            for band in (price.card.first, *price.card.longer)
        )
        if not per_request and not any(inputs or outputs for _, inputs, outputs in bands):
            if not _lists_a_price(price.entry):
                return _Rates("zero_listed" if price.zero == "zero_listed" else "free")
            return _Rates("priced")
        return _Rates(
            "priced",
            first.get("input", 0.0) * NANO,
            first.get("output", 0.0) * NANO,
            bands,
            per_request,
            _limit(price.entry.get("max_input_tokens")),
            _limit(price.entry.get("max_output_tokens") or price.entry.get("max_tokens")),
        )


_INPUTS: Final = (
    "input", "cache_write", "cache_write_1h", "cache_read", "audio_input", "image_input", "video_input",
    "audio_cache_read", "image_cache_read",
)  # fmt: skip
_OUTPUTS: Final = ("output", "reasoning", "audio_output", "image_output", "video_output")
_ROUND: Final = 3


def _bound(endpoint: Endpoint, facts: RequestFacts, rates: _Rates) -> tuple[int | None, str | None]:
    """The most that a call can cost in nano-dollars, or what would bound it.

    A token of text is at least one byte, so the prompt has at most as many tokens as the body has bytes, and those that
    the model adds by itself.
    """
    body = facts.body
    if any(word in body for word in BILLED_TOOLS):
        return None, _UNBOUNDED_TOOLS
    if not rates.bands:
        return None, None
    inputs: int | None = len(body) + (MARKS if b'"tools"' not in body else TOOL_MARKS)
    if not body.startswith(b"{") or watch_pattern(ELSEWHERE).search(body) is not None:
        inputs = rates.max_input
    if inputs is None:
        return None, _UNBOUNDED_INPUT
    outputs = facts.max_tokens if facts.max_tokens is not None else rates.max_output
    if outputs is None and any(most for _, _, most in rates.bands):
        return None, _field(endpoint)
    out = (outputs or 0) * (facts.choices or 1)
    reached = [band for band in rates.bands if band[0] < inputs]
    nano = max((inputs * most_in + out * most_out) * NANO for _, most_in, most_out in reached or rates.bands[:1])
    # Rounded up, with room for the rounding of floats: a bound is never below the cost.
    return int(nano * (1 + 1e-12)) + 1 + rates.request, None


def _field(endpoint: Endpoint) -> str:
    """The name of the field that limits the answer, as this provider spells it."""
    paths = endpoint.shape.request.get("max_tokens", ())
    return ".".join(str(part) for part in paths[0]) if paths else "the length of the answer"


def _most(usd: Mapping[str, float], names: Iterable[str]) -> float:
    return max(usd.get(name, 0.0) for name in names)


def _lists_a_price(entry: Mapping[str, object]) -> bool:
    """Whether anything but tokens is billed: pages, queries, seconds."""
    return any(bool(value) and not isinstance(value, str) for name, value in entry.items() if "cost" in name)


def _limit(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value > 0 else None


def _rounded_up(size: int) -> int:
    """To three binary digits, so that requests of about one size share a quote."""
    shift = max(0, size.bit_length() - _ROUND)
    return ((size >> shift) + 1) << shift if shift else size
