"""Windows over clock changes, month ends and leap days in three zones, as instants of UTC that were worked out by hand.

Berlin changes at 01:00 UTC, New York at 02:00 by its own clock, and Lord Howe by half an hour.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from ledgers import Clock

from llmcost.control import Admission, Budget, Controller, Quote
from llmcost.control.ledger.memory import MemoryLedger
from llmcost.control.windows import WINDOWS

TABLE = """
Europe/Berlin        daily    2026-03-28T23:00  2026-03-29T22:00   23 hours
Europe/Berlin        daily    2026-10-24T22:00  2026-10-25T23:00   25 hours
Europe/Berlin        daily    2028-02-28T23:00  2028-02-29T23:00   a leap day
Europe/Berlin        daily    2026-12-30T23:00  2026-12-31T23:00   the last of the year
Europe/Berlin        hourly   2026-03-29T00:00  2026-03-29T01:00   before the hour that is missing
Europe/Berlin        hourly   2026-03-29T01:00  2026-03-29T02:00   after it
Europe/Berlin        hourly   2026-10-25T00:00  2026-10-25T01:00   the hour that comes twice
Europe/Berlin        hourly   2026-10-25T01:00  2026-10-25T02:00   its second time
Europe/Berlin        weekly   2026-03-22T23:00  2026-03-29T22:00   167 hours
Europe/Berlin        weekly   2026-10-18T22:00  2026-10-25T23:00   169 hours
Europe/Berlin        weekly   2026-12-27T23:00  2027-01-03T23:00   over the year
Europe/Berlin        monthly  2026-02-28T23:00  2026-03-31T22:00   March
Europe/Berlin        monthly  2026-09-30T22:00  2026-10-31T23:00   October
Europe/Berlin        monthly  2027-01-31T23:00  2027-02-28T23:00   28 days
Europe/Berlin        monthly  2028-01-31T23:00  2028-02-29T23:00   29 days
Europe/Berlin        monthly  2026-11-30T23:00  2026-12-31T23:00   December
America/New_York     daily    2026-03-08T05:00  2026-03-09T04:00   23 hours
America/New_York     daily    2026-11-01T04:00  2026-11-02T05:00   25 hours
America/New_York     daily    2028-02-29T05:00  2028-03-01T05:00   a leap day
America/New_York     daily    2026-12-31T05:00  2027-01-01T05:00   the last of the year
America/New_York     hourly   2026-03-08T06:00  2026-03-08T07:00   before the hour that is missing
America/New_York     hourly   2026-03-08T07:00  2026-03-08T08:00   after it
America/New_York     hourly   2026-11-01T05:00  2026-11-01T06:00   the hour that comes twice
America/New_York     hourly   2026-11-01T06:00  2026-11-01T07:00   its second time
America/New_York     weekly   2026-03-02T05:00  2026-03-09T04:00   167 hours
America/New_York     weekly   2026-10-26T04:00  2026-11-02T05:00   169 hours
America/New_York     weekly   2026-12-28T05:00  2027-01-04T05:00   over the year
America/New_York     monthly  2026-03-01T05:00  2026-04-01T04:00   March
America/New_York     monthly  2026-11-01T04:00  2026-12-01T05:00   November
America/New_York     monthly  2027-02-01T05:00  2027-03-01T05:00   28 days
America/New_York     monthly  2028-02-01T05:00  2028-03-01T05:00   29 days
America/New_York     monthly  2026-12-01T05:00  2027-01-01T05:00   December
Australia/Lord_Howe  daily    2026-10-03T13:30  2026-10-04T13:00   23.5 hours
Australia/Lord_Howe  daily    2026-04-04T13:00  2026-04-05T13:30   24.5 hours
Australia/Lord_Howe  daily    2028-02-28T13:00  2028-02-29T13:00   a leap day
Australia/Lord_Howe  hourly   2026-10-03T14:30  2026-10-03T15:30   before half an hour is missing
Australia/Lord_Howe  hourly   2026-10-03T15:30  2026-10-03T16:00   half an hour
Australia/Lord_Howe  hourly   2026-10-03T16:00  2026-10-03T17:00   after it
Australia/Lord_Howe  weekly   2026-09-27T13:30  2026-10-04T13:00   167.5 hours
Australia/Lord_Howe  weekly   2026-03-29T13:00  2026-04-05T13:30   168.5 hours
Australia/Lord_Howe  monthly  2026-09-30T13:30  2026-10-31T13:00   October
Australia/Lord_Howe  monthly  2026-03-31T13:00  2026-04-30T13:30   April
Australia/Lord_Howe  monthly  2027-01-31T13:00  2027-02-28T13:00   28 days
Australia/Lord_Howe  monthly  2028-01-31T13:00  2028-02-29T13:00   29 days
Australia/Lord_Howe  monthly  2026-11-30T13:00  2026-12-31T13:00   December
"""
ROWS = [line.split(maxsplit=4) for line in TABLE.strip().splitlines()]


def utc(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


def admitted(controller: Controller, at: float) -> bool:
    verdict = controller.admit(Admission(f"c{at}", at, "m", {}, Quote("priced", 10**9, 10**9)))
    if verdict.action != "block":
        controller.settle(verdict, 10**9)
    return verdict.action != "block"


@pytest.mark.parametrize(("zone", "kind", "start", "end", "what"), ROWS, ids=[" ".join(row) for row in ROWS])
def test_a_window_and_a_budget_turn_at_the_same_second(zone: str, kind: str, start: str, end: str, what: str) -> None:
    begin, turn = utc(start), utc(end)
    window = WINDOWS[kind]
    for moment in (begin, begin + 0.5, (begin + turn) / 2, turn - 1, turn - 0.001):
        assert window(moment, ZoneInfo(zone)) == (begin, turn), what
    assert window(begin - 1, ZoneInfo(zone)).end == begin
    assert window(turn, ZoneInfo(zone)).start == turn
    clock = Clock(begin)
    controller = Controller([Budget(name="b", timezone=zone, **{kind: 1})], MemoryLedger(clock), series=())  # type: ignore[arg-type]
    found = []
    for moment in (begin, begin + 1, turn - 1, turn - 0.001, turn, turn + 1):
        clock.at = moment
        found.append(admitted(controller, moment))
    assert found == [True, False, False, False, True, False]
    (standing,) = controller.status.standings()
    assert (standing.spent, standing.resets_at) == (1, window(turn, ZoneInfo(zone)).end)


@pytest.fixture(params=["UTC", "America/Lima", "Asia/Tokyo"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The zone of the machine, which has no say."""
    if not hasattr(time, "tzset"):
        pytest.skip("this system has one zone")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def test_the_zone_of_the_machine_has_no_say(machine: str) -> None:
    """B1: $10 spent by 23:50 in Tokyo; a second after its midnight the day is new, wherever the process runs."""
    del machine
    midnight = utc("2026-05-05T15:00")
    clock = Clock(midnight - 600)
    controller = Controller([Budget(name="b", daily=10, timezone="Asia/Tokyo")], MemoryLedger(clock), series=())
    assert [admitted(controller, clock.at + number) for number in range(11)] == [True] * 10 + [False]
    clock.at = midnight + 1
    assert admitted(controller, clock.at)
    (standing,) = controller.status.standings()
    assert (standing.spent, standing.resets_at) == (1, midnight + 86_400)


def test_windows_turn_without_any_call() -> None:
    """A forerunner's window turned only inside a booking, so a used-up budget stayed used up."""
    clock = Clock(utc("2026-05-05T12:00"))
    budget = Budget(name="b", daily=1, weekly=1, monthly=1, rolling={"2h": 1})
    controller = Controller([budget], MemoryLedger(clock), series=())
    assert admitted(controller, clock.at)
    spent = []
    for later in ("2026-05-05T14:10", "2026-05-06T00:00", "2026-05-11T00:00", "2026-06-01T00:00"):
        clock.at = utc(later)
        spent.append([row.window for row in controller.status.standings() if row.spent])
    assert spent == [["daily", "weekly", "monthly"], ["weekly", "monthly"], ["monthly"], []]
