"""What the flow works with: the collaborators, composed once by the instrumentor, and the one that is active now."""

from __future__ import annotations

import itertools
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from queue import SimpleQueue
from random import Random
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry import trace
from opentelemetry.context import Context

from llmcost.calls import Attribution, Call
from llmcost.exchange.background import Background
from llmcost.exchange.estimate import TokenRates
from llmcost.lean import dataclass
from llmcost.pricing import PriceBook
from llmcost.providers import Registry

if TYPE_CHECKING:
    from llmcost.exchange.admission import Gate
    from llmcost.exchange.watch import Turn


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from: Unix time in nanoseconds for records, a monotonic one in seconds for durations."""

    now_ns: Callable[[], int] = time.time_ns
    monotonic: Callable[[], float] = time.perf_counter


_random: Final = Random()  # noqa: S311 - an id is no secret
"""Apart from the program's: one that seeds its own would have us make the same ids at each start."""
os.register_at_fork(after_in_child=_random.seed)


def new_call_id(started_ns: int) -> str:
    """A unique id that sorts by time: 12 hex digits of Unix milliseconds, 16 of randomness (safe after a fork)."""
    return f"{started_ns // 1_000_000:012x}{_random.getrandbits(64):016x}"


class Finishable(Protocol):
    """An open call, as the finaliser of a dropped stream knows it."""

    def finish(self, outcome: str, error: BaseException | None = None) -> None:
        """End the call, once."""

    def abandon(self) -> None:
        """It is somebody else's: no ending will count."""


@dataclass(frozen=True, slots=True)
class Options:
    """The settings that the flow obeys."""

    suppress_http_spans: bool = False
    inject_stream_usage: bool = False
    profiles: tuple[str, ...] = ()
    capture_content: str = "NO_CONTENT"
    run_id: str | None = None
    gateways: Mapping[str, str] = field(default_factory=dict)

    def counted_by(self, host: str, port: int | None) -> str | None:
        """What counts the calls to a host nearer to the provider; None where we do."""
        if not self.gateways:
            return None
        return self.gateways.get(f"{host}:{port}") or self.gateways.get(host)


@dataclass(slots=True)
class SpanSum:
    """Running sum of an adopted span that stands for several sends."""

    attempts: int = 0
    cost: float | None = None


class Attribute(Protocol):
    """Says which part of the program a call belongs to."""

    def __call__(self, frame: FrameType | None, context: Context | None = None, /) -> Attribution:
        """From a stack frame, and the OTel context of the call (by default the current one), to its attribution."""


def _unnoticed(host: str) -> None:
    """Nobody asks for requests that could not be read."""


@dataclass(slots=True)
class Engine:
    """The collaborators of the flow.

    Attributes:
        registry: which requests are calls, and where their fields stand.
        prices: the price book.
        attribute: from a stack frame to label, call site and context.
        observe: takes each finished call, with an OTel context that holds its span where there is one.
        unseen: is told the host of a request that may have spent money but could not be read as a call.
        events: is asked, before a call's span ends, for events that belong on it: name and attributes.
        tracer: asked at each call, so that a provider which is set later counts.
        turn: says which requests are watched for what llmcost itself takes; none by default.
        gate: puts calls before the budgets; None where there are none.
    """

    registry: Registry
    prices: PriceBook
    attribute: Attribute
    observe: Callable[[Call, Context | None], None]
    tracer: Callable[[], trace.Tracer]
    unseen: Callable[[str], None] = _unnoticed
    turn: Turn = itertools.repeat(None).__next__
    gate: Gate | None = None
    events: Callable[[Call], Sequence[tuple[str, dict[str, Any]]]] | None = None
    options: Options = field(default_factory=Options)
    clock: Clock = field(default_factory=Clock)
    new_id: Callable[[int], str] = new_call_id
    rates: TokenRates = field(default_factory=TokenRates)
    dropped: SimpleQueue[Finishable] = field(default_factory=SimpleQueue)
    open_streams: dict[int, Finishable] = field(default_factory=dict)
    background: Background = field(default_factory=Background)
    _sums: OrderedDict[int, SpanSum] = field(default_factory=OrderedDict)

    def drain(self) -> None:
        """Finish the calls whose streams were garbage-collected. A finaliser only queues: it may run anywhere."""
        while not self.dropped.empty():
            self.dropped.get_nowait().finish("collected")

    def forget(self) -> None:
        """In a forked child: the calls that are open belong to the parent, which will finish them."""
        for call in self.open_streams.values():
            call.abandon()
        self.open_streams.clear()
        while not self.dropped.empty():
            self.dropped.get_nowait().abandon()
        self.background.forget()

    def close(self) -> None:
        """Finish what is still open, at the end of the program."""
        self.drain()
        for call in list(self.open_streams.values()):
            call.finish("closed")
        self.background.give_up()

    def sum_of(self, span_id: int) -> SpanSum:
        """The running sum of an adopted span; the table is bounded."""
        found = self._sums.get(span_id)
        if found is None:
            found = self._sums[span_id] = SpanSum()
            while len(self._sums) > 4096:
                self._sums.popitem(last=False)
        return found


class ActiveEngine:
    """Holds the engine that the hooks use; None makes every hook pass calls on."""

    __slots__ = ("engine",)

    def __init__(self) -> None:
        self.engine: Engine | None = None


active = ActiveEngine()
