import os
import sqlite3
import stat
import threading
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path

import pytest
from factories import a_call, many_calls

from llmcost.calls import Call, nano_dollars
from llmcost.processors.store import StoreSpanProcessor
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.fold import fold
from llmcost.store.paths import StoreFolder
from llmcost.store.query import Spend
from llmcost.store.record import Mark, encode
from llmcost.store.spool import Spool


@pytest.fixture
def folder(tmp_path: Path) -> StoreFolder:
    return StoreFolder(tmp_path / ".llmcost")


def spooled(folder: StoreFolder, calls: Iterable[Call]) -> Spool:
    spool = Spool(folder)
    for call in calls:
        spool.append(call)
    return spool


def ids(folder: StoreFolder) -> list[str]:
    with reading(folder) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM calls ORDER BY seq")]


def spool_files(folder: StoreFolder) -> list[Path]:
    return sorted(folder.spool.iterdir())


def test_what_was_spooled_is_folded_once_to_the_nano_dollar(folder: StoreFolder) -> None:
    calls = list(many_calls(300))
    spool = spooled(folder, calls)
    assert fold(folder).calls == 300
    assert fold(folder).calls == 0
    with reading(folder) as connection:
        sums = Spend(connection, Filter(), UTC).total
    assert sums.calls == 300
    assert sums.nano == sum(nano_dollars(c.cost.total) for c in calls if c.cost.total is not None)
    assert sums.unpriced == sum(c.cost.total is None for c in calls) > 0
    assert sums.input == sum(c.usage.input_tokens or 0 for c in calls)
    spool.close()


def test_a_file_is_kept_while_its_writer_lives_and_read_on_from_there(folder: StoreFolder) -> None:
    spool = spooled(folder, [a_call(1)])
    fold(folder)
    assert len(spool_files(folder)) == 1
    spool.append(a_call(2))
    assert fold(folder).calls == 1
    spool.close()
    fold(folder)
    assert spool_files(folder) == []
    assert ids(folder) == [a_call(1).id, a_call(2).id]


def test_the_same_call_in_several_files_is_booked_once(folder: StoreFolder) -> None:
    spooled(folder, [a_call(1), a_call(1), a_call(2)]).close()
    spooled(folder, [a_call(2), a_call(3)]).close()
    result = fold(folder)
    assert (result.calls, result.repeated) == (3, 2)
    with reading(folder) as connection:
        assert Spend(connection, Filter(), UTC).total.calls == 3


def test_a_torn_line_is_skipped_and_counted(folder: StoreFolder) -> None:
    spooled(folder, [a_call(1)]).close()
    (file,) = spool_files(folder)
    with file.open("ab") as out:
        out.write(encode(a_call(2))[:-20])
    result = fold(folder)
    assert (result.calls, result.torn) == (1, 1)
    assert spool_files(folder) == []
    with reading(folder) as connection:
        assert Spend(connection, Filter(), UTC).marks() == {"torn": 1}


def test_a_line_still_being_written_is_left_for_the_next_time(folder: StoreFolder) -> None:
    spool = spooled(folder, [a_call(1)])
    (file,) = spool_files(folder)
    whole = encode(a_call(2))
    with file.open("ab", buffering=0) as out:
        out.write(whole[:50])
        assert fold(folder).calls == 1
        out.write(whole[50:])
    result = fold(folder)
    assert (result.calls, result.torn) == (1, 0)
    spool.close()


def test_a_line_longer_than_a_chunk_is_folded(folder: StoreFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmcost.store.fold.CHUNK", 100)
    spooled(folder, many_calls(20)).close()
    assert fold(folder).calls == 20


def test_a_file_of_a_newer_llmcost_is_left_alone(folder: StoreFolder) -> None:
    folder.create()
    newer = folder.spool / "1-x.spool"
    newer.write_bytes(b'[99,"who knows"]\n')
    spooled(folder, [a_call(1)]).close()
    result = fold(folder)
    assert (result.calls, result.newer) == (1, 1)
    assert spool_files(folder) == [newer]


def test_values_of_a_wrong_type_are_torn_and_not_in_the_way_of_others(folder: StoreFolder) -> None:
    folder.create()
    bad = encode(a_call(1)).replace(str(a_call(1).started_ns).encode(), b'"yesterday"')
    (folder.spool / "1-x.spool").write_bytes(bad + encode(a_call(2)))
    assert (fold(folder).calls, ids(folder)) == (1, [a_call(2).id])


def test_files_are_for_their_owner_alone_and_a_store_is_never_committed(folder: StoreFolder) -> None:
    old = os.umask(0)
    try:
        spool = spooled(folder, [a_call(1)])
        fold(folder)
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.root.rglob("*")}
    modes.pop(".gitignore")
    assert modes.pop("spool") == 0o700 == stat.S_IMODE(folder.root.stat().st_mode)
    assert set(modes.values()) == {0o600}
    ignored = (folder.root / ".gitignore").read_text().splitlines()
    assert {"*.db", "*.db-*", "spool/"} < set(ignored)
    assert "*" not in ignored
    spool.close()


def test_an_unknown_cost_is_null_and_not_zero(folder: StoreFolder) -> None:
    spooled(folder, [a_call(1, cost=None), a_call(2, cost=0.0)]).close()
    fold(folder)
    with reading(folder) as connection:
        assert connection.execute("SELECT nano, unpriced FROM calls ORDER BY seq").fetchall() == [(None, 1), (0, 0)]


def test_threads_share_one_file_without_mixing_lines(folder: StoreFolder) -> None:
    spool = Spool(folder)
    calls = list(many_calls(800))

    def write(part: list[Call]) -> None:
        for call in part:
            spool.append(call)

    threads = [threading.Thread(target=write, args=(calls[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()
    result = fold(folder)
    assert (result.calls, result.torn) == (800, 0)


def test_a_forked_child_writes_a_file_of_its_own(folder: StoreFolder) -> None:
    spool = spooled(folder, [a_call(1)])
    child = os.fork()
    if child == 0:
        try:
            spool.append(a_call(2))
            spool.append(a_call(3))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    spool.append(a_call(4))
    assert sorted(path.name.split("-")[0] for path in spool_files(folder)) == sorted([str(os.getpid()), str(child)])
    assert fold(folder).calls == 4
    assert [path.name.split("-")[0] for path in spool_files(folder)] == [str(os.getpid())]
    spool.close()


def test_marks_are_summed(folder: StoreFolder) -> None:
    spool = Spool(folder)
    processor = StoreSpanProcessor(spool, clock=lambda: 10**18)
    processor.unseen("api.openai.com")
    processor.unseen("api.openai.com")
    spool.mark(Mark("dropped", "", 5, 10**18))
    processor.shutdown()
    fold(folder)
    with reading(folder) as connection:
        assert Spend(connection, Filter(), UTC).marks() == {"unseen": 2, "dropped": 5}


def test_two_folders_at_once_book_nothing_twice(folder: StoreFolder) -> None:
    spool = spooled(folder, many_calls(3000))
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(fold(folder).calls)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 3000
    with reading(folder) as connection:
        assert Spend(connection, Filter(), UTC).total.calls == 3000
    spool.close()


def test_a_fold_that_fails_half_way_leaves_no_trace(folder: StoreFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    spooled(folder, many_calls(50)).close()
    with monkeypatch.context() as patch:
        patch.setattr(
            "llmcost.store.booking._add_up", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("full"))
        )
        with pytest.raises(sqlite3.OperationalError):
            fold(folder)
    with reading(folder) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    assert fold(folder).calls == 50
