"""What is known of a call when it is sent, and when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.context import Context

from llmcost.calls import Attribution
from llmcost.providers import Endpoint, RequestFacts
from llmcost.records import make_tuple

if TYPE_CHECKING:
    from llmcost.exchange.held import Held
    from llmcost.exchange.watch import Watch


class Started(NamedTuple):
    """A call that is about to be sent.

    ``context`` is the OTel context of the code that sends it, ``at_ns`` is Unix time in nanoseconds, ``at`` monotonic
    seconds; ``held`` is what budgets said to it, where there are any; ``watch`` measures llmcost itself, now and then.
    """

    endpoint: Endpoint
    request: RequestFacts
    host: str
    port: int | None
    attribution: Attribution
    context: Context
    at_ns: int
    at: float
    held: Held | None = None
    watch: Watch | None = None

    def admitted(self, held: Held, at: float) -> Started:
        """The same call after budgets were asked, at monotonic second ``at``."""
        return make_tuple(Started, (*self[:7], at, held, self[9]))


class Ended(NamedTuple):
    """A call that is over. ``by`` says what ended it, ``at`` and ``first_chunk`` are monotonic seconds.

    ``measure`` gives the length of the answer's text in characters; it is asked for only where tokens are estimated
    or a model's rate is learnt.
    """

    started: Started
    by: str
    at: float
    status: int | None = None
    error: BaseException | None = None
    first_chunk: float | None = None
    chunks: int = 0
    measure: Callable[[], int] | None = None
