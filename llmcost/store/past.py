"""Calls of the store as budgets see them, for replays of a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from llmcost.calls import Call, nano_dollars
from llmcost.control import UNPRICED, Admission, PastCall, Quote
from llmcost.control.values import values_of_call
from llmcost.pricing import PriceBook, PriceRequest, billed_tier
from llmcost.store.booking import COUNTED_ELSEWHERE

_NO_MONEY: Final = Quote("free", 0, 0)


class Past:
    """Turns stored calls into calls that can be replayed, and prices them with another model.

    What such a call was quoted then is not stored. Its cost stands for the quote, so the replay knows what each call
    will cost, while a program guesses by the history of the label: near a limit the two may differ by one call.

    Attributes:
        refused: calls that a budget had refused then; what they would have cost is not known, so they are left out.
    """

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices
        self._calls: dict[str, Call] = {}
        self.refused = 0

    def calls(self, stored: Iterable[Call]) -> Iterator[PastCall]:
        """The calls that may be replayed; what is counted elsewhere is no call of its own."""
        for call in stored:
            if call.budget_action == "block":
                self.refused += 1
            elif call.cost.status != COUNTED_ELSEWHERE:
                yield self._past(call)

    def reprice(self, past: PastCall, model: str) -> int | None:
        """What a call would have cost with another model and the same tokens, in nano-dollars."""
        call = self._calls[past.admission.call_id]
        tier = billed_tier(call.service_tier, call.requested_service_tier)
        request = PriceRequest(call.provider, None, model, tier, call.region)
        cost = self._prices.price_call(request, call.usage, at=call.started_ns / 1e9)
        return None if cost.total is None else nano_dollars(cost.total)

    def _past(self, call: Call) -> PastCall:
        self._calls[call.id] = call
        actual = None if call.cost.total is None else nano_dollars(call.cost.total)
        if call.cost.status == "not_billed":
            actual = 0
        quote = UNPRICED if actual is None else Quote("priced", actual, actual) if actual else _NO_MONEY
        model = call.requested_model or call.request_model or call.response_model or ""
        path = call.attribution.section_path
        admission = Admission(
            call.id,
            call.started_ns / 1e9,
            model,
            values_of_call(call),
            quote,
            depth=path.count("/") + 1 if path else 0,
        )
        return PastCall(admission._replace(quote_for=partial(self._quote, admission)), actual, call.duration)

    def _quote(self, admission: Admission, model: str) -> Quote:
        nano = self.reprice(PastCall(admission, None), model)
        return UNPRICED if nano is None else Quote("priced", nano, nano)
