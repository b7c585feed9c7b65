"""Issue 5, 3.4: a ledger that goes away while a program calls. No exception reaches the program, each budget's
``on_failure`` is followed, and what was spent meanwhile is in the ledger afterwards, to the nano-dollar."""

from __future__ import annotations

import signal
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.budgeting import NANO, URL, Budgeted, body, budgeted
from ledgers import RedisServer, new_server

from llmcost.control.ledger import connection
from llmcost.control.ledger.steady import RETRY_AFTER_S

SECONDS = 30
"""How long each outage lasts, by the clock that decides when a failed ledger is asked again."""

PERSISTENT = ("--appendonly", "yes", "--appendfsync", "always")


class Pace:
    """A monotonic clock that stands still until it is moved."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Scene:
    """A ledger, and how it goes away and comes back."""

    url: str
    leave: Callable[[Any], object]
    come_back: Callable[[Any], object]
    reasons: tuple[str, ...]
    cleanup: list[Callable[[], object]] = field(default_factory=list)
    altogether: bool = True
    """Whether no call at all can be written meanwhile."""


def redis_killed(_: Path, server: RedisServer) -> Scene:
    """A power cut; what was written is on its disk."""
    server.start(*PERSISTENT)
    return Scene(url_of(server), lambda _: server.stop(), lambda _: server.start(*PERSISTENT), ("unreachable",))


def redis_emptied(_: Path, server: RedisServer) -> Scene:
    """A power cut, and nothing was on its disk."""
    server.start()
    return Scene(url_of(server), lambda _: server.stop(), lambda _: server.start(), ("unreachable", "emptied"))


def redis_hanging(_: Path, server: RedisServer) -> Scene:
    """It takes connections and never answers."""
    server.start(*PERSISTENT)

    def send(number: signal.Signals) -> None:
        if server.process is not None:
            server.process.send_signal(number)

    scene = Scene(
        url_of(server, wait_ms=200),
        lambda _: send(signal.SIGSTOP),
        lambda _: send(signal.SIGCONT),
        ("unreachable",),
    )
    scene.cleanup.append(lambda: send(signal.SIGCONT))
    return scene


def sqlite_locked(folder: Path, _: RedisServer) -> Scene:
    """Somebody writes to the file and does not end."""
    rival = sqlite3.connect(folder / "ledger.db", isolation_level=None, check_same_thread=False)
    return Scene(
        f"sqlite://{folder}/ledger.db",
        lambda _: rival.execute("BEGIN IMMEDIATE"),
        lambda _: rival.execute("ROLLBACK"),
        ("busy",),
        [rival.close],
    )


def sqlite_removed(folder: Path, _: RedisServer) -> Scene:
    """The file is removed and stays away: a folder stands in its place."""

    def remove(_: Any) -> None:
        for path in folder.glob("ledger.db*"):
            path.unlink()
        (folder / "ledger.db").mkdir()

    return Scene(
        f"sqlite://{folder}/ledger.db",
        remove,
        lambda _: (folder / "ledger.db").rmdir(),
        ("unreachable", "emptied", "busy"),  # busy: four threads try at once
    )


def sqlite_read_only(folder: Path, _: RedisServer) -> Scene:
    """As on a disk that was mounted anew for reading: SQLite gives the same error, also to root."""
    patch = pytest.MonkeyPatch()

    def leave(ledger: Any) -> None:
        patch.setattr(connection, "_PRAGMAS", (*connection._PRAGMAS, "query_only=1"))
        ledger.close()

    def come_back(ledger: Any) -> None:
        patch.undo()
        ledger.close()

    return Scene(f"sqlite://{folder}/ledger.db", leave, come_back, ("read-only", "busy"), [patch.undo])


def sqlite_full(folder: Path, _: RedisServer) -> Scene:
    """The file may not grow: what needs no page more is still written."""

    def fill(ledger: Any) -> None:
        pages = ledger._inner._file._connection.execute("PRAGMA page_count").fetchone()[0]
        pragma(ledger, f"max_page_count={pages}")
        # What is free inside the file would do for a while.
        with pytest.raises(sqlite3.OperationalError, match="full"):
            ledger._inner._file._connection.executescript(_FILLER)

    def empty(ledger: Any) -> None:
        pragma(ledger, "max_page_count=1000000")
        ledger._inner._file._connection.execute("DROP TABLE IF EXISTS filler")

    return Scene(f"sqlite://{folder}/ledger.db", fill, empty, ("full", "busy"), altogether=False)


_FILLER = """
CREATE TABLE IF NOT EXISTS filler (text);
WITH RECURSIVE row(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM row WHERE n < 100000)
INSERT INTO filler SELECT hex(randomblob(500)) FROM row;
"""


def pragma(ledger: Any, text: str) -> None:
    ledger._inner._file._connection.execute(f"PRAGMA {text}")


def url_of(server: RedisServer, wait_ms: int = 5_000) -> str:
    """A server that is there may be slow on a busy machine; one that is gone refuses at once."""
    return f"{server.url}?namespace={uuid.uuid4().hex}&wait_ms={wait_ms}"


SCENES = (
    redis_killed,
    redis_emptied,
    redis_hanging,
    sqlite_locked,
    sqlite_removed,
    sqlite_read_only,
    sqlite_full,
)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    one = new_server()
    yield one
    one.stop()


@contextmanager
def under_calls(scene: Scene, rule: str) -> Iterator[tuple[Budgeted, Pace]]:
    pace = Pace()
    rows = (
        {"name": "all", "total": 1_000, "on_failure": rule},
        {"name": "users", "scope": "user", "total": 1_000, "on_failure": rule},
    )
    with budgeted(*rows, url=scene.url) as under:
        under.controller.ledger._pace = pace  # type: ignore[attr-defined]
        yield under, pace


def call(under: Budgeted, refusals: list[str]) -> int:
    """One call of the program: the status that it saw."""
    with httpx.Client(transport=httpx.MockTransport(under.respond(httpx))) as client:
        response = client.post(URL, json=body())
        if response.status_code == 402:
            refusals.append(response.json()["error"]["message"])
        return response.status_code


@pytest.mark.parametrize("rule", ["allow", "block"])
@pytest.mark.parametrize("make", SCENES, ids=lambda make: make.__name__)
def test_calls_go_on_by_the_policy_and_all_money_is_booked(
    make: Callable[[Path, RedisServer], Scene], rule: str, tmp_path: Path, server: RedisServer
) -> None:
    scene = make(tmp_path, server)
    refusals: list[str] = []
    try:
        with under_calls(scene, rule) as (under, pace), ThreadPoolExecutor(4) as threads:
            before = [call(under, refusals) for _ in range(3)]
            assert under.spent() == [(3 * NANO, 0, 3)]
            scene.leave(under.controller.ledger)
            during: list[int] = []
            for _ in range(SECONDS):
                pace.at += RETRY_AFTER_S + 0.1
                during += threads.map(lambda _: call(under, refusals), range(4))
            assert set(during) == {200 if rule == "allow" else 402} or not scene.altogether
            assert (402 in during) is (rule == "block")
            scene.come_back(under.controller.ledger)
            after = until_it_answers(under, pace, refusals)
            passed = [*before, *during, *after].count(200)
            under.gate.books.settler.flush(10)
            pace.at += RETRY_AFTER_S + 0.1
            assert under.controller.ledger.flush() == 0  # type: ignore[attr-defined]
            assert under.spent() == [(passed * NANO, 0, passed)]
            assert len(under.requests) == passed
            assert under.controller.counts["ledger_failures"] >= (len(during) if scene.altogether else 1)
            assert (under.controller.counts["unverified"] > 0) is (rule == "allow")
        # Told apart from "over budget".
        assert all(any(f"ledger {reason}" in text for reason in scene.reasons) for text in refusals), set(refusals)
    finally:
        for clean in scene.cleanup:
            clean()


def until_it_answers(under: Budgeted, pace: Pace, refusals: list[str]) -> list[int]:
    """One that has forgotten what it knew is a failure once more; then calls are as they were."""
    found: list[int] = []
    for _ in range(10):
        pace.at += RETRY_AFTER_S + 0.1
        failures = under.controller.counts["ledger_failures"]
        found.append(call(under, refusals))
        if under.controller.counts["ledger_failures"] == failures:
            return found
    raise AssertionError("the ledger did not come back")
