"""What the flow tells the engine about a call before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

PriceStatus = Literal["priced", "free", "unpriced", "zero_listed"]
"""``free``: the user's own row says 0. ``zero_listed``: the map says 0 for a hosted model, which is not believed."""

KNOWN: Final = ("priced", "free")
"""Where a price is known, so that the amounts of a quote mean something."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a call to one model may cost, in nano-dollars.

    Attributes:
        status: whether a price is known.
        estimate: a fair guess from the request; used until the label has a history.
        bound: the most that the call can cost; None where nothing in the request bounds it.
        unbounded: the field of the request that would bound it, for the message.
    """

    status: PriceStatus = "priced"
    estimate: int = 0
    bound: int | None = None
    unbounded: str | None = None

    @property
    def has_price(self) -> bool:
        """Whether the amounts mean something."""
        return self.status in KNOWN


FREE = Quote("free", 0, 0)
UNPRICED = Quote("unpriced")


class Admission(NamedTuple):
    """A call that asks to be sent.

    Attributes:
        call_id: makes reserve and settle idempotent.
        started: Unix time in seconds; decides the windows.
        model: as requested.
        values: scope to value: ``user``, ``label``, ``provider``, ``session``, ``run``, ``trace`` and every context
            key. ``model`` need not be in it.
        quote: what the requested model costs.
        quote_for: the same for a fallback.
        depth: how deep the section path is.
        prompt_hash: names the prompt without telling it.
        rewritable: False where the request is signed, so that its model must stay.
    """

    call_id: str
    started: float
    model: str
    values: Mapping[str, str] = MappingProxyType({})
    quote: Quote = FREE
    quote_for: Callable[[str], Quote] | None = None
    depth: int = 0
    prompt_hash: str | None = None
    rewritable: bool = True

    @property
    def label(self) -> str:
        """The section of the code that makes the call."""
        return self.values.get("label", "")
