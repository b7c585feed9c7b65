"""Calls of the store as budgets see them, for replays of a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from llmcost.calls import COUNTED_ELSEWHERE, Call, nano_dollars
from llmcost.control import FREE, UNPRICED, Admission, PastCall, Quote
from llmcost.control.values import values_of_call
from llmcost.pricing import PriceBook, PriceRequest, billed_tier


class Past:
    """Turns stored calls into calls that can be replayed, and prices them with another model.

    A call that budgets were asked about, also in mode ``observe``, is stored with what they were told, so its replay is
    told the same. For any other its cost stands for that: the replay knows what the call will cost, while a program
    guesses by the history of the label. Near a limit the two may differ by a call.

    Attributes:
        guessed: calls of the second kind.
        refused: calls that a budget had refused then. What they would have cost is not known, so the guess of then
            stands for it where they pass now.
        left_out: such calls without a guess.
    """

    def __init__(self, prices: PriceBook) -> None:
        self._prices = prices
        self.guessed = 0
        self.refused = 0
        self.left_out = 0

    def calls(self, stored: Iterable[Call]) -> Iterator[PastCall]:
        """The calls that may be replayed; what is counted elsewhere is no call of its own."""
        for call in stored:
            if call.budget_action == "block":
                self.refused += 1
                if not call.quotes:
                    self.left_out += 1
                    continue
            if call.cost.status != COUNTED_ELSEWHERE.status:
                yield self._past(call)

    def _past(self, call: Call) -> PastCall:
        self.guessed += not call.quotes
        model = call.requested_model or call.request_model or call.response_model or ""
        path = call.attribution.section_path
        actual = _actual(call, model)
        admission = Admission(
            call.id,
            call.started_ns / 1e9,
            model,
            values_of_call(call),
            _quote(call, model, actual),
            partial(self._quote_for, call),
            path.count("/") + 1 if path else 0,
            call.prompt_hash,
        )
        sent = call.status_code is not None or call.cost.status != "not_billed" or call.budget_action == "block"
        return PastCall(admission, actual, call.budget_wait + call.duration, sent, partial(self._reprice, call))

    def _quote_for(self, call: Call, model: str) -> Quote:
        return _quote(call, model, None if model in call.quotes else self._reprice(call, model))

    def _reprice(self, call: Call, model: str) -> int | None:
        """What a call would have cost with another model and the same tokens, in nano-dollars."""
        if call.budget_action != "block" and (model == call.request_model or call.cost.status == "not_billed"):
            return _actual(call, model)
        tier = billed_tier(call.service_tier, call.requested_service_tier)
        request = PriceRequest(call.provider, None, model, tier, call.region)
        cost = self._prices.price_call(request, call.usage, at=call.started_ns / 1e9)
        return None if cost.total is None else nano_dollars(cost.total)


def _quote(call: Call, model: str, cost: int | None) -> Quote:
    known = call.quotes.get(model)
    if known is not None:
        return Quote(*known)  # type: ignore[arg-type]
    return UNPRICED if cost is None else Quote("priced", cost, cost) if cost else FREE


def _actual(call: Call, model: str) -> int | None:
    """What the call cost, in nano-dollars; None where that is not known."""
    if call.budget_action == "block":
        return _quote(call, model, None).estimate
    if call.cost.total is not None:
        return nano_dollars(call.cost.total)
    return 0 if call.cost.status == "not_billed" else None
