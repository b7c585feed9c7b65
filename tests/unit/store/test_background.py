import sqlite3
import threading
from datetime import UTC
from pathlib import Path

import pytest
from factories import a_call, many_calls

from llmcost.processors.store import StoreSpanProcessor
from llmcost.store.background import BackgroundFolding
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.paths import StoreFolder
from llmcost.store.query import Spend
from llmcost.store.spool import Spool


@pytest.fixture
def folder(tmp_path: Path) -> StoreFolder:
    return StoreFolder(tmp_path / ".llmcost")


def calls_in(folder: StoreFolder) -> int:
    with reading(folder) as connection:
        return Spend(connection, Filter(), UTC).total.calls


def test_a_spool_of_some_size_is_folded_in_a_thread_of_its_own(
    folder: StoreFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, threads = threading.Event(), []
    spool = Spool(folder)
    folding = BackgroundFolding(spool, every_bytes=5_000, every_seconds=3600)
    fold_once = folding.fold_once

    def noted() -> None:
        fold_once()
        threads.append(threading.current_thread())
        done.set()

    monkeypatch.setattr(folding, "fold_once", noted)
    processor = StoreSpanProcessor(spool, folding)
    for call in many_calls(30):
        processor.observe(call)
    assert done.wait(20)
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon
    assert calls_in(folder) > 0
    processor.shutdown()
    threads[0].join(20)
    assert not threads[0].is_alive()


def test_a_spool_of_some_age_is_folded(folder: StoreFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    folding = BackgroundFolding(Spool(folder), every_seconds=0.01)
    monkeypatch.setattr(folding, "fold_once", done.set)
    StoreSpanProcessor(folding._spool, folding).observe(a_call(1))
    assert done.wait(20)
    folding.stop()


def test_no_thread_is_there_before_the_first_call(folder: StoreFolder) -> None:
    before = threading.active_count()
    processor = StoreSpanProcessor.at(folder.root)
    assert threading.active_count() == before
    assert not folder.root.exists()
    processor.shutdown()


def test_a_long_file_is_ended_and_deleted(folder: StoreFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmcost.store.background.ROTATE_BYTES", 2_000)
    spool = Spool(folder)
    folding = BackgroundFolding(spool)
    for call in many_calls(10):
        spool.append(call)
    folding.fold_once()
    assert spool.written == 0
    spool.append(a_call(99))
    folding.fold_once()
    assert len(list(folder.spool.iterdir())) == 1
    assert calls_in(folder) == 11
    spool.close()


def test_what_other_living_processes_write_is_left_to_them(folder: StoreFolder) -> None:
    spool = Spool(folder)
    spool.append(a_call(1))
    (own,) = folder.spool.iterdir()
    other = own.rename(own.with_name("1" + own.name))
    mine = Spool(folder)
    mine.append(a_call(2))
    BackgroundFolding(mine).fold_once()
    assert calls_in(folder) == 1
    assert other.exists()
    spool.close()
    BackgroundFolding(mine).fold_once()
    assert calls_in(folder) == 2
    assert not other.exists()
    mine.close()


def test_a_folding_that_fails_warns_once_and_keeps_the_spool(
    folder: StoreFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(folder)
    spool.append(a_call(1))
    folding = BackgroundFolding(spool)
    with monkeypatch.context() as patch:
        patch.setattr(
            "llmcost.store.background.fold", lambda *_, **__: (_ for _ in ()).throw(sqlite3.OperationalError("locked"))
        )
        folding.fold_once()
        folding.fold_once()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    folding.fold_once()
    assert calls_in(folder) == 1
    spool.close()


def test_a_store_deleted_under_a_running_program_begins_anew(folder: StoreFolder) -> None:
    spool = Spool(folder)
    spool.append(a_call(1))
    for path in folder.spool.iterdir():
        path.unlink()
    folding = BackgroundFolding(spool)
    folding.fold_once()
    spool.append(a_call(2))
    folding.fold_once()
    assert calls_in(folder) == 1
    spool.close()


def test_the_interpreter_s_end_is_not_in_the_way(folder: StoreFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda _: (_ for _ in ()).throw(RuntimeError("at shutdown")))
    processor = StoreSpanProcessor.at(folder.root)
    processor.observe(a_call(1))
    processor.observe(a_call(2))
    processor.shutdown()
    assert sum(path.read_bytes().count(b"\n") for path in folder.spool.iterdir()) == 2
