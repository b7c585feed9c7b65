"""What a spool does on a disk that refuses, and after kill -9 at any byte."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest
from factories import a_call, many_calls
from stores import filled

from llmcost.calls import nano_dollars
from llmcost.cli import main
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.fold import fold
from llmcost.store.paths import StoreFolder
from llmcost.store.query import Spend, Sums
from llmcost.store.spool import RETRY_SECONDS, Spool


class Disk:
    """Takes so many bytes, then writes short and refuses, until room is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr("llmcost.store.spool.os.write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self._write(descriptor, data[: self.room])
        self.room -= count
        return count


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def total(folder: StoreFolder) -> Sums:
    with reading(folder) as connection:
        return Spend(connection, Filter(), UTC).total


def marks(folder: StoreFolder) -> dict[str, int]:
    with reading(folder) as connection:
        return Spend(connection, Filter(), UTC).marks()


@pytest.fixture
def folder(tmp_path: Path) -> StoreFolder:
    return StoreFolder(tmp_path / ".llmcost")


@pytest.mark.parametrize("room", [0, 1, 300, 447, 448, 449, 2000])
def test_a_full_disk_loses_nothing_and_warns_once(
    folder: StoreFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, room: int
) -> None:
    clock = Clock()
    spool = Spool(folder, clock=clock)
    disk = Disk(monkeypatch, room)
    calls = list(many_calls(20))
    for call in calls[:10]:
        spool.append(call)
    assert spool.waiting > 0
    disk.room = 10**9
    clock.now += RETRY_SECONDS
    for call in calls[10:]:
        spool.append(call)
    assert spool.waiting == 0
    spool.close()
    assert fold(folder).calls == 20
    assert total(folder).nano == sum(nano_dollars(c.cost.total or 0) for c in calls)
    assert [r.levelname for r in caplog.records if r.name == "llmcost"] == ["WARNING"]


def test_while_the_disk_refuses_it_is_not_tried_for_every_call(
    folder: StoreFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def refuse(*_: object) -> int:
        tries.append(1)
        raise OSError(errno.EROFS, "Read-only file system")

    clock = Clock()
    spool = Spool(folder, clock=clock)
    with monkeypatch.context() as patch:
        patch.setattr("llmcost.store.spool.os.open", refuse)
        for call in many_calls(50):
            spool.append(call)
        assert (len(tries), spool.waiting) == (1, 50)
        clock.now += RETRY_SECONDS
        spool.append(a_call(99))
        assert (len(tries), spool.waiting) == (2, 51)
    assert spool.flush()
    spool.close()
    assert fold(folder).calls == 51


def test_what_waits_is_bounded_and_what_was_dropped_is_told(
    folder: StoreFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(folder, limit=5, clock=Clock())
    with monkeypatch.context() as patch:
        patch.setattr("llmcost.store.spool.os.open", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "no")))
        for call in many_calls(12):
            spool.append(call)
        assert (spool.waiting, spool.dropped) == (5, 7)
    spool.flush()
    spool.close()
    assert fold(folder).calls == 5
    assert marks(folder) == {"dropped": 7}
    assert (spool.dropped, spool.dropped_ever) == (0, 7), "told, and counted for good"


def test_a_real_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("a small tmpfs can be mounted by root only")
    try:
        clock = Clock()
        spool = Spool(StoreFolder(place / ".llmcost"), clock=clock)
        filler = place / "filler"
        filler.write_bytes(b"x" * 40_000)
        calls = list(many_calls(100))
        for call in calls:
            spool.append(call)
        assert spool.waiting > 0
        filler.unlink()
        assert spool.flush()
        spool.close()
        lines = [line for file in (place / ".llmcost/spool").iterdir() for line in file.read_bytes().splitlines()]
        written = [line for line in lines if line.endswith(b"]")]
        assert len(set(written)) == 100
    finally:
        subprocess.run(["umount", str(place)], check=True)


WRITER = """
import os, sys
from pathlib import Path
from factories import many_calls
from llmcost.store.paths import StoreFolder
from llmcost.store.spool import Spool
room = int(sys.argv[2])
real = os.write
def write(descriptor, data):
    global room
    if len(data) > room:
        real(descriptor, data[:room])
        os.kill(os.getpid(), 9)
    room -= len(data)
    return real(descriptor, data)
os.write = write
spool = Spool(StoreFolder(Path(sys.argv[1])))
for call in many_calls(200):
    spool.append(call)
"""


@pytest.mark.parametrize("room", [0, 1, 440, 5_000, 20_011, 43_777])
def test_kill_9_at_any_byte_loses_at_most_the_call_being_written(folder: StoreFolder, room: int) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, str(folder.root), str(room)], check=False, env=environment())
    assert done.returncode == -signal.SIGKILL
    (file,) = folder.spool.iterdir()
    data = file.read_bytes()
    whole = data.count(b"\n")
    assert fold(folder).calls == whole
    assert total(folder).calls == whole
    assert marks(folder) == ({"torn": 1} if not data.endswith(b"\n") and data else {})
    assert list(folder.spool.iterdir()) == []


FOLDER = """
import os, sqlite3, sys
from pathlib import Path
from llmcost.store import database, fold
from llmcost.store.paths import StoreFolder
left = int(sys.argv[2])
class Killing(sqlite3.Connection):
    def execute(self, *arguments):
        count()
        return super().execute(*arguments)
    def executemany(self, *arguments):
        count()
        return super().executemany(*arguments)
def count():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
connect = sqlite3.connect
database.sqlite3.connect = lambda *a, **k: connect(*a, factory=Killing, **k)
fold.CHUNK = 4096
fold.fold(StoreFolder(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("statements", [0, 3, 9, 20, 33, 50, 71, 100, 150])
def test_kill_9_while_folding_books_nothing_twice_and_loses_nothing(folder: StoreFolder, statements: int) -> None:
    calls = list(many_calls(60))
    spool = Spool(folder)
    for call in calls:
        spool.append(call)
    spool.close()
    command = [sys.executable, "-c", FOLDER, str(folder.root), str(statements)]
    killed = subprocess.run(command, check=False, env=environment()).returncode
    assert killed in (-signal.SIGKILL, 0)
    fold(folder)
    assert total(folder) == total_of(calls)
    assert list(folder.spool.iterdir()) == []


def total_of(calls: list) -> Sums:  # type: ignore[type-arg]
    known = [c.cost.total for c in calls if c.cost.total is not None]
    return Sums(
        len(calls), len(known), len(calls) - len(known), sum(map(nano_dollars, known)),
        sum(c.usage.input_tokens for c in calls), sum(c.usage.output_tokens for c in calls),
        sum(c.usage.cache_read_tokens for c in calls), sum(c.error_type is not None for c in calls),
    )  # fmt: skip


MANY = """
import os, sys
from pathlib import Path
from factories import many_calls
from llmcost.store.background import BackgroundFolding
from llmcost.store.paths import StoreFolder
from llmcost.store.spool import Spool
folder = StoreFolder(Path(sys.argv[1]))
spool = Spool(folder)
folding = BackgroundFolding(spool, every_bytes=20_000)
calls = list(many_calls(1200))
for n in range(3):
    if os.fork() == 0:
        for call in calls[n * 400:(n + 1) * 400]:
            spool.append(call)
            folding.nudge()
        folding.fold_once()
        os._exit(0)
for n in range(3):
    os.wait()
"""


def test_several_forked_processes_write_and_fold_at_once(folder: StoreFolder) -> None:
    command = [sys.executable, "-W", "ignore", "-c", MANY, str(folder.root)]
    assert subprocess.run(command, check=False, env=environment()).returncode == 0
    fold(folder)
    assert total(folder) == total_of(list(many_calls(1200)))
    assert list(folder.spool.iterdir()) == []


BEGINNER = """
import sys
from pathlib import Path
from llmcost.store.fold import fold
from llmcost.store.paths import StoreFolder
sys.stdin.readline()
fold(StoreFolder(Path(sys.argv[1])))
"""


def test_processes_that_make_the_store_at_once_are_not_in_each_other_s_way(folder: StoreFolder) -> None:
    calls = list(many_calls(6))
    for call in calls:
        spool = Spool(folder)
        spool.append(call)
        spool.close()
    command = [sys.executable, "-c", BEGINNER, str(folder.root)]
    beginners = [subprocess.Popen(command, stdin=subprocess.PIPE, env=environment()) for _ in range(6)]
    for beginner in beginners:
        assert beginner.stdin is not None
        beginner.stdin.write(b"go\n")
        beginner.stdin.flush()
    for beginner in beginners:
        beginner.communicate()
    assert [beginner.returncode for beginner in beginners] == [0] * 6
    assert total(folder) == total_of(calls)
    assert [path.name for path in folder.root.iterdir() if path.name.startswith("new-")] == []


def test_a_store_on_a_read_only_disk_is_read_with_a_word_on_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("a tmpfs can be mounted by root only")
    try:
        folder = filled(place / ".llmcost", many_calls(20))
        spool = Spool(folder)
        spool.append(a_call(99))
        spool.close()
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        assert main(["report", "--json", "--store", str(folder.root)]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["total"]["calls"] == 20
        assert err.count("\n") == 1
        assert "the newest calls are not shown" in err
    finally:
        subprocess.run(["umount", str(place)], check=True)


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
