import sqlite3
from datetime import UTC
from pathlib import Path

import pytest
from factories import START_NS, a_call, many_calls
from stores import filled, killed

import llmcost
from llmcost.errors import StoreError
from llmcost.store.booking import QUARTER_NS
from llmcost.store.database import reading, writing
from llmcost.store.filters import Filter
from llmcost.store.fold import fold
from llmcost.store.listing import all_calls, newest, one
from llmcost.store.paths import StoreFolder, find
from llmcost.store.prune import prune
from llmcost.store.query import Spend
from llmcost.store.record import Mark
from llmcost.store.schema import MIGRATIONS, migrate
from llmcost.store.spool import Spool
from llmcost.store.stats import stats

TABLES = ("calls", "records", "spend_by_series", "series", "origins", "marks")


def rows(folder: StoreFolder, table: str) -> list[tuple[object, ...]]:
    with reading(folder) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


def test_a_store_of_version_1_is_brought_up_with_its_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("llmcost.store.schema.MIGRATIONS", MIGRATIONS[:1])
        patch.setattr("llmcost.store.booking.Booking._write_marks", lambda _: None)
        patch.setattr("llmcost.store.fold.is_due", lambda _: False)
        folder = filled(tmp_path, many_calls(30))
    with sqlite3.connect(folder.database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    before = rows(folder, "calls")
    filled(tmp_path, [a_call(999)], [Mark("unseen", "h", 1, START_NS)])
    assert rows(folder, "calls")[:30] == before
    assert len(rows(folder, "calls")) == 31
    assert len(rows(folder, "marks")) == 1
    with sqlite3.connect(folder.database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_published_migration_never_changes() -> None:
    import hashlib

    assert [hashlib.sha256(script.encode()).hexdigest()[:12] for script in MIGRATIONS] == PUBLISHED


PUBLISHED = ["b43ec3f8b971", "13442c8b00cd", "bdb2f9e33f95", "c1161c170cd9"]


def test_a_store_of_a_newer_llmcost_is_refused_by_name(tmp_path: Path) -> None:
    folder = filled(tmp_path, [a_call(1)])
    with sqlite3.connect(folder.database) as connection:
        connection.execute("PRAGMA user_version = 99")
        with pytest.raises(StoreError, match="version 99"):
            migrate(connection)


def test_a_migration_that_fails_leaves_the_old_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(tmp_path, [a_call(1)])
    monkeypatch.setattr("llmcost.store.schema.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE new (a); SELECT nonsense"))
    with pytest.raises(sqlite3.OperationalError), writing(folder):
        pass
    with sqlite3.connect(folder.database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'new'").fetchone() == (0,)


def test_a_store_on_a_disk_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    folder = filled(tmp_path / "store", many_calls(10))
    with reading(folder) as connection:
        assert Spend(connection, Filter(), UTC).total.calls == 10
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM calls")


def test_no_store_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="llmcost run"), reading(StoreFolder(tmp_path / "none")):
        pass


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    folder = filled(tmp_path, [a_call(1)])
    folder.database.write_bytes(b"no database at all" * 500)
    with pytest.raises(StoreError, match=r"calls\.db"), reading(folder):
        pass


def test_the_nearest_store_above_is_found(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find(deep).root == deep / ".llmcost"
    filled(tmp_path / ".llmcost", [a_call(1)])
    (deep.parent / ".llmcost").mkdir()
    assert find(deep).root == tmp_path / ".llmcost"


def test_single_calls_come_back_whole_and_in_order(tmp_path: Path) -> None:
    calls = list(many_calls(20))
    with reading(filled(tmp_path, calls)) as connection:
        assert list(all_calls(connection, Filter())) == calls
        assert list(newest(connection, Filter(), 2)) == calls[:-3:-1]
        assert one(connection, calls[3].id) == calls[3]
        assert one(connection, calls[3].id[:5]) is None
        assert one(connection, "no such") is None
        assert list(all_calls(connection, Filter(values={"user": ("user-1'--",)}))) == []


# --- prune ------------------------------------------------------------------------------------------------------

CUT = START_NS // QUARTER_NS + 60 * 96
MARKS = [Mark("unseen", "old", 1, START_NS), Mark("unseen", "new", 1, START_NS + 80 * 96 * QUARTER_NS)]


def test_old_calls_go_with_all_that_hangs_on_them_and_the_file_shrinks(tmp_path: Path) -> None:
    calls = list(many_calls(4000, users=3000))
    folder = filled(tmp_path / "all", calls, MARKS)
    size = folder.database.stat().st_size
    seen: list[int] = []
    with writing(folder) as connection:
        result = prune(connection, CUT, progress=seen.append, pause=lambda _: None)
    kept = [call for call in calls if call.started_ns // QUARTER_NS >= CUT]
    assert result.calls == len(calls) - len(kept) == seen[-1]
    assert folder.database.stat().st_size < size / 2
    assert result.bytes > size / 3
    only = filled(tmp_path / "kept", kept, MARKS[1:])
    for table in TABLES:
        assert len(rows(folder, table)) == len(rows(only, table)), table
    with reading(folder) as left, reading(only) as right:
        for name in ("label", "model", "user", "day"):
            assert Spend(left, Filter(), UTC).by(name) == Spend(right, Filter(), UTC).by(name)
        assert left.execute("PRAGMA integrity_check").fetchone() == ("ok",)


PRUNING = """
with database.writing(folder) as connection:
    prune(connection, int(sys.argv[3]), pause=lambda _: None)
"""


@pytest.mark.parametrize("statements", [6, 14, 24, 36])
def test_a_prune_that_is_killed_is_finished_by_the_next(tmp_path: Path, statements: int) -> None:
    calls = list(many_calls(1500, users=500))
    folder = filled(tmp_path, calls)
    killed(PRUNING, folder, statements, CUT)
    filled(tmp_path, [a_call(5000, started_ns=START_NS + 80 * 96 * QUARTER_NS)])
    with writing(folder) as connection:
        prune(connection, CUT, pause=lambda _: None)
    kept = sum(call.started_ns // QUARTER_NS >= CUT for call in calls) + 1
    with reading(folder) as connection:
        assert Spend(connection, Filter(), UTC).total.calls == kept
        assert len(list(all_calls(connection, Filter()))) == kept
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_old_calls_that_are_folded_while_pruning_leave_no_money_without_calls(tmp_path: Path) -> None:
    folder = filled(tmp_path, many_calls(300))
    late = Spool(folder)

    def meanwhile(done: int) -> None:
        if done < 100:
            late.append(a_call(9000 + done, started_ns=START_NS))
            fold(folder)

    with writing(folder) as connection:
        prune(connection, CUT, progress=meanwhile, pause=lambda _: None)
    with reading(folder) as connection:
        assert Spend(connection, Filter(until=CUT), UTC).total.calls == 0
        assert list(all_calls(connection, Filter(until=CUT))) == []
    late.close()


# --- stats ------------------------------------------------------------------------------------------------------


def test_stats_of_one_user_and_of_everyone(tmp_path: Path) -> None:
    calls = list(many_calls(400, days=40, users=3))
    folder = filled(tmp_path, calls)
    now = START_NS + 40 * 96 * QUARTER_NS
    recent = [call for call in calls if call.started_ns >= now - 30 * 96 * QUARTER_NS]
    everyone = stats(store=folder.root, now_ns=now)
    assert everyone.calls == len(recent)
    assert everyone.cost == pytest.approx(sum(call.cost.total or 0 for call in recent), abs=1e-6)
    assert sum(usd or 0 for usd in everyone.by_label.values()) == pytest.approx(everyone.cost)
    assert sum(usd or 0 for usd in everyone.by_day.values()) == pytest.approx(everyone.cost)
    users = [stats(f"user-{n}", store=folder.root, now_ns=now) for n in range(3)]
    assert sum(user.calls for user in users) == everyone.calls
    assert stats("nobody", store=folder.root, now_ns=now).average is None
    assert llmcost.calls.stats is stats
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = llmcost.calls.nothing  # type: ignore[attr-defined]
