"""Ledgers that go away: calls never wait long, nothing is lost, nothing is booked twice."""

from __future__ import annotations

import contextlib
import copy
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledgers import START, Clock, RedisServer, counter, new_server, wish

from llmcost.control import Admission, Budget, Controller, Quote, ledger_for
from llmcost.control.ledger import Entry, LedgerFailure, Option, Reservation, open_ledger
from llmcost.control.ledger.journal import Journal, Pending
from llmcost.control.ledger.steady import RETRY_AFTER_S, SteadyLedger
from llmcost.control.plan import key_of

FREE = counter(limit=None)


class Pace:
    """A monotonic clock that stands still until it is moved."""

    at = 0.0

    def __call__(self) -> float:
        return self.at

    def later(self) -> None:
        self.at += RETRY_AFTER_S + 0.1


@pytest.fixture
def server() -> Iterator[RedisServer]:
    one = new_server()
    yield one
    one.stop()


def booked(ledger: SteadyLedger) -> tuple[int, int, int]:
    return ledger.states([FREE])[0]


def held(ledger: SteadyLedger, name: str, amount: int = 10) -> Reservation:
    answer = ledger.reserve(wish(name, amount, FREE))
    assert isinstance(answer, Reservation)
    return answer


def as_child(ledger: SteadyLedger, file: Path) -> SteadyLedger:
    """The ledger as a child of a fork has it."""
    ledger.before_fork()
    child = copy.copy(ledger)
    child._inner = open_ledger(f"sqlite://{file}")
    child._journal = copy.copy(ledger._journal)
    child.after_in_child()
    return child


def unverified(name: str) -> Reservation:
    return Reservation(name, 0, Option((FREE,), (10,)), (), verified=False)


def patient(server: RedisServer) -> str:
    """On a busy machine a server that is there may take its time; one that is gone refuses at once."""
    return f"{server.url}?wait_ms=5000"


# --- Redis --------------------------------------------------------------------------------------------------------


def test_a_redis_that_was_killed_gets_everything_when_it_is_back(server: RedisServer) -> None:
    """Its file is on disk, as in a server that is set up to last."""
    persistent = ("--appendonly", "yes", "--appendfsync", "always")
    server.start(*persistent)
    pace = Pace()
    ledger = SteadyLedger(open_ledger(patient(server)), pace=pace)
    before = held(ledger, "before")
    ledger.settle(held(ledger, "done"), 7)
    server.stop()
    with pytest.raises(LedgerFailure, match="unreachable"):
        ledger.reserve(wish("during", 10, FREE))
    for name, reservation in (("before", before), ("unsafe", unverified("unsafe"))):
        with pytest.raises(LedgerFailure):
            ledger.settle(reservation, 5, [Entry("s", time.time(), 5)])
        assert ledger.waiting >= 1, name
    server.start(*persistent)
    pace.later()
    after = held(ledger, "after")
    assert ledger.flush() == 0
    assert booked(ledger) == (17, 10, 4)
    assert ledger.settle(before, 5) is None
    ledger.settle(after, 1)
    assert booked(ledger) == (18, 0, 4)
    assert sum(bucket.nano for bucket in ledger.spend("s", time.time() - 3600, time.time() + 3600)) == 10


@pytest.mark.parametrize("raised", [ValueError("closed file"), OSError(9), AttributeError("readline")])
def test_a_connection_closed_while_it_is_waited_on_loses_no_settlement(
    raised: Exception, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    inner = open_ledger(patient(server))
    ledger = SteadyLedger(inner)
    call = held(ledger, "a")
    with monkeypatch.context() as patched:

        def closed(*_: object) -> None:
            raise raised

        patched.setattr(inner._client, "evalsha", closed)  # type: ignore[attr-defined]
        with pytest.raises(LedgerFailure, match="unreachable"):
            ledger.settle(call, 7)
    assert ledger.waiting == 1
    assert ledger.flush() == 0
    assert booked(ledger) == (7, 0, 1)
    ledger.close()


def test_a_redis_that_was_emptied_is_a_failure_then_gets_its_memory_back(server: RedisServer) -> None:
    server.start()
    pace = Pace()
    ledger = SteadyLedger(open_ledger(patient(server)), pace=pace)
    other = SteadyLedger(open_ledger(patient(server)), pace=pace)
    open_call = held(ledger, "open", 30)
    ledger.settle(held(ledger, "a"), 7, [Entry("s", time.time(), 7)])
    ledger.set_limit("b|global=|daily", 5)
    assert other.limits() == {"b|global=|daily": 5}
    other.settle(held(other, "b"), 100, [Entry("s", time.time(), 100)])
    server.stop()
    server.start()
    with pytest.raises(LedgerFailure, match="emptied"):
        ledger.reserve(wish("c", 10, FREE))
    with pytest.raises(LedgerFailure, match="emptied"):
        ledger.settle(unverified("c"), 9, [Entry("s", time.time(), 9)])
    pace.later()
    held(ledger, "d")
    with pytest.raises(LedgerFailure, match="emptied"):
        other.reserve(wish("e", 10, FREE))
    pace.later()
    held(other, "e")
    assert ledger.flush() == other.flush() == 0
    assert ledger.limits() == {"b|global=|daily": 5}
    assert booked(ledger) == (7 + 9 + 100, 30 + 10 + 10, 6)
    assert ledger.settle(open_call, 20) is not None
    assert booked(ledger) == (136, 20, 6)
    assert sum(bucket.nano for bucket in ledger.spend("s", time.time() - 3600, time.time() + 3600)) == 116


@pytest.mark.parametrize("rule", ["block", "allow"])
def test_with_no_redis_the_budget_says_what_happens_within_its_time(server: RedisServer, rule: str) -> None:
    """B3: stopped between the first read and the reservation, and a server that hangs in place of refusing."""
    server.start()
    budget = Budget(name="b", daily=1, on_failure=rule)  # type: ignore[arg-type]
    controller = Controller([budget], ledger_for(f"{server.url}?wait_ms=200", [budget]))
    call = Admission("first", time.time(), "m", {}, Quote("priced", 1, 1))
    controller.settle(controller.admit(call), 1)
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        verdicts = [
            controller.admit(Admission(f"c{n}", time.time(), "m", {}, Quote("priced", 1, 1))) for n in range(50)
        ]
        took = time.monotonic() - began
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert {verdict.action for verdict in verdicts} == {rule}
    assert {verdict.decisions[0].cause for verdict in verdicts} == {"ledger"}
    assert all("over" not in verdict.message for verdict in verdicts)
    # One wait of 200 ms; the other calls do not wait at all. The bound leaves room for a busy machine.
    assert took < 2
    assert controller.counts["ledger_failures"] == 50
    assert controller.counts["unverified"] == (50 if rule == "allow" else 0)


@pytest.mark.slow
def test_a_redis_that_dies_and_returns_under_load_ends_with_every_nano_dollar(server: RedisServer) -> None:
    """Eight threads call all the time; the server is killed and started again. ``allow`` lets calls go on meanwhile,
    and what they spent is booked afterwards."""
    persistent = ("--appendonly", "yes", "--appendfsync", "always")
    server.start(*persistent)
    budget = Budget(name="b", total=1000, on_failure="allow")
    ledger = ledger_for(patient(server), [budget])
    controller = Controller([budget], ledger, series=("global",))
    made: list[int] = []
    stop = threading.Event()
    failures: list[BaseException] = []

    def caller(name: int) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            call = Admission(f"{name}-{number}", time.time(), "m", {}, Quote("priced", 2_000, 3_000))
            try:
                verdict = controller.admit(call)
                assert verdict.action == "allow"
                made.append(number % 1_000)
                controller.settle(verdict, number % 1_000)
            except BaseException as exc:  # noqa: BLE001 - nothing may reach the caller
                failures.append(exc)

    threads = [threading.Thread(target=caller, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(made) > 200)
    server.stop()
    before = len(made)
    wait_for(lambda: len(made) > before + 400)
    assert controller.waiting > 0
    server.start(*persistent)
    verified = controller.counts["unverified"]
    assert verified > 0
    wait_for(lambda: ledger.states([TOTAL])[0][2] > before)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    controller.close()
    assert controller.waiting == 0
    assert ledger.states([TOTAL]) == ((sum(made), 0, len(made)),)
    now = time.time()
    assert sum(bucket.nano for bucket in ledger.spend("global", now - 7_200, now + 7_200)) == sum(made)


TOTAL = counter(key_of(Budget(name="b", total=1), "", "total"), None)


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; a ledger that is still gone counts as not yet."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(LedgerFailure):
            if condition():
                return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen within 30 seconds")


def test_valkey_is_spelt_as_itself(server: RedisServer) -> None:
    server.start()
    one, other = (open_ledger(patient(server).replace("redis://", name)) for name in ("valkey://", "redis://"))
    one.reserve(wish("a", 10, FREE))
    assert other.states([FREE]) == ((0, 10, 1),)


# --- SQLite -------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def pace() -> Pace:
    return Pace()


@pytest.fixture
def ledger(file: Path, pace: Pace) -> SteadyLedger:
    return SteadyLedger(open_ledger(f"sqlite://{file}"), file.parent, pace=pace)


def test_a_locked_file_is_waited_for_shortly(file: Path, ledger: SteadyLedger) -> None:
    first = held(ledger, "first")
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(LedgerFailure, match="busy"):
        ledger.reserve(wish("a", 10, FREE))
    with pytest.raises(LedgerFailure, match="busy"):
        ledger.settle(first, 8)
    assert 0.02 <= time.monotonic() - began < 0.5
    assert ledger.waiting == 1
    writer.execute("ROLLBACK")
    held(ledger, "b")
    assert ledger.waiting == 0
    assert booked(ledger) == (8, 10, 2)


@pytest.mark.parametrize("all_gone", [True, False])
def test_a_file_that_was_removed_is_made_again(file: Path, ledger: SteadyLedger, pace: Pace, all_gone: bool) -> None:
    ledger.settle(held(ledger, "a"), 7)
    open_call = held(ledger, "open", 30)
    for path in file.parent.glob("ledger.db*") if all_gone else [file]:
        path.unlink()
    with pytest.raises(LedgerFailure):
        ledger.reserve(wish("b", 10, FREE))
    with pytest.raises(LedgerFailure):
        ledger.settle(unverified("b"), 9)
    pace.later()
    held(ledger, "c")
    assert ledger.flush() == 0
    assert booked(ledger) == (16, 40, 4)
    ledger.settle(open_call, 1)
    assert booked(ledger) == (17, 10, 4)


def test_nothing_is_given_back_twice(
    file: Path, ledger: SteadyLedger, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call in flight may hear of the emptied ledger only after another thread has given everything back."""
    ledger.settle(held(ledger, "a"), 7)
    for path in file.parent.glob("ledger.db*"):
        path.unlink()
    with pytest.raises(LedgerFailure, match="emptied"):
        ledger.reserve(wish("b", 10, FREE))
    pace.later()
    assert booked(ledger) == (7, 0, 1)
    with monkeypatch.context() as late:
        late.setattr(ledger._inner, "states", lambda _: (_ for _ in ()).throw(LedgerFailure("emptied", "late")))
        with pytest.raises(LedgerFailure, match="late"):
            booked(ledger)
    pace.later()
    assert booked(ledger) == (7, 0, 1)
    for path in file.parent.glob("ledger.db*"):
        path.unlink()
    with pytest.raises(LedgerFailure, match="emptied"):
        booked(ledger)
    pace.later()
    assert booked(ledger) == (7, 0, 1)


def emptied(file: Path, ledger: SteadyLedger, pace: Pace) -> None:
    """The ledger's file is lost, and what this process knows given back."""
    for path in file.parent.glob("ledger.db*"):
        path.unlink()
    with pytest.raises(LedgerFailure, match="emptied"):
        booked(ledger)
    pace.later()


def test_a_reset_is_given_back_as_it_was(file: Path, ledger: SteadyLedger, pace: Pace) -> None:
    ledger.settle(held(ledger, "before"), 7)
    released, open_call = held(ledger, "released"), held(ledger, "open", 30)
    ledger.reset("b")
    ledger.release(released)
    emptied(file, ledger, pace)
    assert booked(ledger) == (0, 30, 1)
    ledger.settle(open_call, 20)
    assert booked(ledger) == (20, 0, 1)


def test_what_a_process_keeps_is_given_back_as_kept(file: Path, pace: Pace) -> None:
    """The lease of a process that dies counts as spent, also where the ledger was emptied before."""
    clock = Clock()
    ledger = SteadyLedger(open_ledger(f"sqlite://{file}", clock), pace=pace)
    ledger.reserve(wish("lease", 60, FREE, keep=True))
    emptied(file, ledger, pace)
    assert booked(ledger) == (0, 60, 1)
    clock.at += 601
    assert booked(ledger) == (60, 0, 1)


def test_a_call_that_a_child_settled_is_given_back_by_one_of_them(file: Path, ledger: SteadyLedger, pace: Pace) -> None:
    """It was in flight at the fork: both know it, and the first of them books it."""
    one, other = held(ledger, "by the child"), held(ledger, "by the parent")
    child = as_child(ledger, file)
    child.settle(one, 7)
    for call in (one, other):
        ledger.settle(call, 7)
    child.settle(other, 7)
    assert booked(ledger) == (14, 0, 2)
    emptied(file, ledger, pace)
    with pytest.raises(LedgerFailure, match="emptied"):
        booked(child)
    pace.later()
    booked(ledger)
    assert booked(child) == booked(ledger) == (14, 0, 2)


def test_a_lost_hold_that_is_asked_for_again_is_not_given_back(ledger: SteadyLedger, pace: Pace) -> None:
    """The release of what may have been held waits; meanwhile the same call holds again."""
    inner = ledger._inner
    with pytest.MonkeyPatch.context() as patched:

        def lost(*_: object) -> None:
            raise LedgerFailure("unreachable", "the answer was lost")

        patched.setattr(inner, "reserve", lost)
        with pytest.raises(LedgerFailure, match="unreachable"):
            held(ledger, "again")
    pace.later()
    ledger._catching_up.acquire()  # another thread books what waits, and is slow
    call = held(ledger, "again")
    ledger._catching_up.release()
    assert ledger.flush() == 0
    assert booked(ledger) == (0, 10, 1)
    ledger.settle(call, 4)
    assert booked(ledger) == (4, 0, 1)


def test_a_full_disk_loses_nothing(ledger: SteadyLedger, pace: Pace) -> None:
    first = held(ledger, "a")
    database = ledger._inner._file._connection  # type: ignore[attr-defined]
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    entries = [Entry(f"series-{number}", START, 1) for number in range(400)]
    with pytest.raises(LedgerFailure, match="full"):
        ledger.settle(first, 8, entries)
    assert ledger.waiting == 1
    database.execute("PRAGMA max_page_count = 1000000")
    pace.later()
    assert ledger.flush() == 0
    assert booked(ledger) == (8, 0, 1)
    assert ledger.spend("series-399", START - 900, START + 900)[0].nano == 1


_AS_NOBODY = """
import os, sys
from llmcost.control.ledger import *
from llmcost.control.ledger.steady import SteadyLedger
if os.getuid() == 0:
    os.setuid(65534)
try:
    SteadyLedger(open_ledger(sys.argv[1])).reserve(Request("x", (Option((Counter("b", 0, 0),), (10,)),)))
except LedgerFailure as failure:
    print(failure.reason)
"""


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_file_that_may_not_be_written_is_a_failure() -> None:
    """The user root may write everything, so a process of another user looks."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-read-only-"))
    try:
        ledger = open_ledger(f"sqlite://{folder}/ledger.db")
        ledger.reserve(wish("a", 10, FREE))
        ledger.close()
        (folder / "ledger.db").chmod(0o444)
        folder.chmod(0o555)
        command = [sys.executable, "-c", _AS_NOBODY, f"sqlite://{folder}/ledger.db"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert done.stdout.strip() in {"read-only", "unreachable"}, done.stderr


def test_a_file_that_is_no_database_is_a_failure(file: Path) -> None:
    file.write_bytes(b"not a database, but long enough to look at" * 100)
    ledger = SteadyLedger(open_ledger(f"sqlite://{file}"), pace=Pace())
    with pytest.raises(LedgerFailure, match="damaged"):
        ledger.reserve(wish("a", 10, FREE))
    assert ledger.flush() == 0


def test_a_folder_that_cannot_be_made_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    ledger = SteadyLedger(open_ledger(f"sqlite://{tmp_path}/file/ledger.db"), tmp_path / "file", pace=Pace())
    with pytest.raises(LedgerFailure, match="unreachable"):
        ledger.settle(unverified("a"), 9)
    assert ledger.waiting == 1


# --- what waits outlives its process -------------------------------------------------------------------------------

_LEAVES_WORK = """
import os, signal, sys
from pathlib import Path
from llmcost.control.ledger import *
from llmcost.control.ledger.steady import SteadyLedger
ledger = SteadyLedger(open_ledger("redis://127.0.0.1:9/0"), Path(sys.argv[1]))
for number in range(20):
    option = Option((Counter("b", 0, 0),), (10,))
    try:
        ledger.settle(Reservation(f"c{number}", 0, option, (), False), 3, [Entry("s", 1.8e9, 3)])
    except LedgerFailure:
        pass
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_waits_survives_kill_and_is_booked_once_by_another_process(tmp_path: Path) -> None:
    """B5."""
    folder = tmp_path / "waits"
    subprocess.run([sys.executable, "-c", _LEAVES_WORK, str(folder)], check=False)
    left = list(folder.iterdir())
    assert len(left) == 1
    with left[0].open("ab") as file:
        file.write(b'["torn", 0, tr')
    ledger = SteadyLedger(open_ledger(f"sqlite://{tmp_path}/ledger.db", Clock()), folder, pace=Pace())
    rival = SteadyLedger(open_ledger(f"sqlite://{tmp_path}/ledger.db", Clock()), folder, pace=Pace())
    assert ledger.flush() == 0
    assert rival.flush() == 0
    assert booked(ledger) == (60, 0, 20)
    assert sum(bucket.nano for bucket in ledger.spend("s", 1.8e9 - 900, 1.8e9 + 900)) == 60
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("also", [True, False])
def test_a_release_that_was_called_off_is_not_made_by_another_process(tmp_path: Path, also: bool) -> None:
    died = Journal(tmp_path)
    died.add(Pending(unverified("a"), None))
    if also:
        died.add(Pending(unverified("b"), 5))
    died.call_off("a")
    assert len(died) == also
    if died._file is not None:
        os.close(died._file)  # so does the end of a process
    other = Journal(tmp_path)
    assert other.adopt() == also
    found = other.first()
    assert (found is not None and found.reservation.call_id == "b") is also


def test_the_file_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    living, other = Journal(tmp_path), Journal(tmp_path)
    living.add(Pending(unverified("a"), 5))
    assert other.adopt() == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_is_full_keeps_the_queue_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    journal = Journal(tmp_path / "file" / "folder")
    journal.add(Pending(unverified("a"), 5))
    assert len(journal) == 1
