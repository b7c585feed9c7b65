"""How fast the store takes calls, folds them and answers reports.

    python bench/store.py                     # 1,000,000 calls: some three minutes
    python bench/store.py --calls 50000
    python bench/store.py --keep FOLDER       # make the store once, ask it again and again

Targets: 20,000 calls a second accepted; ``llmcost report`` over 1,000,000 calls in under a second, interpreter
included.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from factories import START_NS, a_call, many_calls  # noqa: E402

from llmcost.calls import Call  # noqa: E402
from llmcost.processors.store import StoreSpanProcessor  # noqa: E402
from llmcost.store.booking import QUARTER_NS  # noqa: E402
from llmcost.store.database import writing  # noqa: E402
from llmcost.store.fold import fold  # noqa: E402
from llmcost.store.paths import StoreFolder  # noqa: E402
from llmcost.store.prune import prune  # noqa: E402
from llmcost.store.record import encode  # noqa: E402
from llmcost.store.spool import Spool  # noqa: E402

VIEWS = (
    "label", "model", "status", "day", "hour", "run", "user", "session", "company", "task",
)  # fmt: skip
USERS, RUNS, COMPANIES, TASKS = 10_000, 200, 300, 12


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="folder of the store; it is filled only where it is empty")
    parser.add_argument("--prune", action="store_true", help="also delete two thirds of it, beside a writer")
    parser.add_argument("--repeats", type=int, default=5, help="times that each report is asked for")
    options = parser.parse_args()
    with folder_of(options.keep) as root:
        accept(root / "accept")
        store = StoreFolder(root / "store")
        if not store.database.exists():
            fill(store, options.calls)
        reports(store, options.repeats)
        if options.prune:
            prune_beside_a_writer(store)


@contextlib.contextmanager
def folder_of(keep: Path | None) -> Iterator[Path]:
    """The folder given, or one that goes away."""
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


def accept(root: Path, count: int = 20_000) -> None:
    """Encode and write, as the thread of a call does, with folding going on in the background and without."""
    calls = list(many_calls(count, days=1))
    started = time.perf_counter()
    for call in calls:
        encode(call)
    print(f"encode            {per_call(started, count):6.1f} us a call")
    processor = StoreSpanProcessor(Spool(StoreFolder(root / "alone")))
    for name, observer in (("observe", processor), ("observe + folding", StoreSpanProcessor.at(root / "folding"))):
        started, busy = time.perf_counter(), time.thread_time()
        for call in calls:
            observer.observe(call)
        micros, own = per_call(started, count), (time.thread_time() - busy) / count * 1e6
        print(f"{name:17} {micros:6.1f} us a call ({own:.1f} us of CPU), {1e6 / micros:,.0f} calls a second")
        observer.shutdown()


def per_call(started: float, count: int) -> float:
    """Microseconds a call since ``started``."""
    return (time.perf_counter() - started) / count * 1e6


def fill(store: StoreFolder, count: int) -> None:
    """Spool and fold many calls of 90 days, of 10,000 users of 300 companies, in 200 runs."""
    spool = Spool(store)
    for call in asked_for(many_calls(count, users=USERS), count):
        spool.append(call)
    spool.close()
    size = sum(path.stat().st_size for path in store.spool.iterdir())
    started, processor_time = time.perf_counter(), time.process_time()
    fold(store)
    micros, busy = per_call(started, count), (time.process_time() - processor_time) / count * 1e6
    print(f"fold              {micros:6.1f} us a call ({busy:.1f} us of CPU), {count:,} calls")
    print(f"size              {size / count:6.0f} bytes a call in the spool, "
          f"{store.database.stat().st_size / count:.0f} in the database")  # fmt: skip


def asked_for(calls: Iterable[Call], count: int) -> Iterator[Call]:
    """The calls with who asked for them: runs follow each other, every user belongs to a company."""
    for number, call in enumerate(calls):
        user = int(str(call.attribution.user_id).rpartition("-")[2])
        context = {"company": f"company-{user % COMPANIES}", "task": f"task-{number % TASKS}"}
        attribution = replace(call.attribution, context=context)
        yield replace(call, run_id=f"run-{number * RUNS // count}", attribution=attribution)


def reports(store: StoreFolder, repeats: int) -> None:
    """The whole command, interpreter included: over all calls, and with one filter."""
    since = f"{datetime.fromtimestamp(START_NS / 1e9, UTC) + timedelta(days=10):%Y-%m-%d}"
    filters = (
        "", f"--since {since}", "--label research", "--model gpt-5-mini", "--user user-77", "--run last",
        "--only company=company-7", "--only task=task-3",
    )  # fmt: skip
    for asked in filters:
        for by in VIEWS:
            command = [sys.executable, "-m", "llmcost", "report", "--by", by, "--store", str(store.root)]
            print(f"report --by {by:8} {asked:24} {timed([*command, *asked.split()], repeats)}")


def timed(command: list[str], repeats: int) -> str:
    """Wall and processor time of a command."""
    walls, cpus = [], []
    for _ in range(repeats):
        before, started = os.times(), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
        walls.append(time.perf_counter() - started)
        after = os.times()
        cpus.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return f"median {statistics.median(walls):.2f} s, best {min(walls):.2f} s, CPU {statistics.median(cpus):.2f} s"


def prune_beside_a_writer(store: StoreFolder) -> None:
    """Delete what is older than 30 days of 90, while another thread makes calls and folds them."""
    waits, folds, done = list[float](), list[float](), threading.Event()

    def write() -> None:
        spool = Spool(store)
        for number in range(10**9):
            if done.wait(0.02):
                break
            started = time.perf_counter()
            spool.append(a_call(10**9 + number, started_ns=START_NS + 89 * 96 * QUARTER_NS))
            waits.append(time.perf_counter() - started)
            if number % 50 == 49:
                started = time.perf_counter()
                fold(store)
                folds.append(time.perf_counter() - started)
        spool.close()

    size = store.database.stat().st_size
    writer = threading.Thread(target=write)
    writer.start()
    started = time.perf_counter()
    with writing(store) as connection:
        result = prune(connection, START_NS // QUARTER_NS + 60 * 96)
    taken = time.perf_counter() - started
    done.set()
    writer.join()
    print(f"prune             {result.calls:,} calls in {taken:.1f} s, {size / 1e6:.0f} MB to "
          f"{store.database.stat().st_size / 1e6:.0f} MB; of {len(waits)} calls {sum(wait > 0.02 for wait in waits)} "
          f"waited for more than 20 ms, one {max(waits) * 1e3:.1f} ms; "
          f"folding took {statistics.median(folds) * 1e3:.1f} ms, at most {max(folds) * 1e3:.1f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
