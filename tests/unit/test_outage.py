"""While nobody answers, one line is logged, then how it stands; with a passed clock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from llmcost.outage import EVERY_SECONDS, Outage

EXPORTER = logging.getLogger("opentelemetry.exporter.otlp.tests")
REFUSED = "Transient error: connection refused"
MINUTE = 60.0


class Clock:
    """A time that is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> Iterator[Outage]:
    made = Outage("traces", clock)
    made.watch()
    yield made
    made.unwatch()


def export(outage: Outage, *, well: bool, messages: int = 2) -> None:
    with outage.during() as ended:
        for _ in range(messages):
            EXPORTER.warning(REFUSED)
        ended(well)


def test_ten_minutes_of_nobody_are_three_lines_and_one_at_the_end(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(121):
        export(outage, well=False)
        clock.now += 5
    outage.unwatch()
    assert caplog.messages == [
        REFUSED,
        f"llmcost: traces are not exported (120 more messages of the exporter held back): {REFUSED}",
        f"llmcost: traces are not exported (120 more messages of the exporter held back): {REFUSED}",
        "llmcost: traces could not be exported; 1 more message of the exporter held back",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_recovery_is_told_once_and_the_next_failure_at_once(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    export(outage, well=False)
    export(outage, well=True, messages=0)
    export(outage, well=True, messages=0)
    told = [REFUSED, "llmcost: traces are exported again; 1 more message of the exporter held back"]
    assert caplog.messages == told
    clock.now += MINUTE
    export(outage, well=False)
    assert caplog.messages == [*told, REFUSED]


def test_what_comes_and_goes_is_not_told_each_time(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(30):
        export(outage, well=False)
        export(outage, well=True, messages=0)
        clock.now += EVERY_SECONDS / 30 - 0.01
    assert len(caplog.messages) <= 3


def test_a_try_that_the_next_mends_leaves_nothing_untold(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    export(outage, well=True)
    export(outage, well=True)
    outage.unwatch()
    assert caplog.messages == [REFUSED]


def test_exporters_of_the_application_log_as_ever(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    export(outage, well=False)
    caplog.clear()
    other = threading.Thread(target=EXPORTER.warning, args=("theirs",))
    with outage.during():
        other.start()
        other.join()
    EXPORTER.error("theirs too")
    assert caplog.messages == ["theirs", "theirs too"]


def test_afterwards_the_loggers_are_as_they_were(outage: Outage) -> None:
    assert outage in EXPORTER.filters
    outage.unwatch()
    assert outage not in EXPORTER.filters
