import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import pytest
import wrapt
from opentelemetry.context import attach, get_current, get_value, set_value
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from llmcost.sections import context
from llmcost.sections.scope import Scope, current
from llmcost.tracing.propagation import ThreadContext

START, SUBMIT = threading.Thread.start, ThreadPoolExecutor.submit


def inherit(frame: FrameType) -> Scope:
    """As if the function that starts the work were mapped, where its name says so."""
    scope = current(frame)
    return scope.with_label("mapped") if "mapped" in frame.f_code.co_name else scope


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapper that somebody else puts back stays in the chain, to pass calls on; not in the next test."""
    monkeypatch.setattr(threading.Thread, "start", START)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", SUBMIT)


@pytest.fixture
def carrier() -> Iterator[ThreadContext]:
    carrier = ThreadContext(inherit)
    carrier.install()
    yield carrier
    carrier.uninstall()
    assert threading.Thread.start is START
    assert ThreadPoolExecutor.submit is SUBMIT


def seen() -> tuple[str | None, str | None, object]:
    return current().user_id, current().label, get_value("theirs")


def in_thread(make: Any = threading.Thread) -> Any:
    got: list[Any] = []
    thread = make(target=lambda: got.append(seen()))
    thread.start()
    thread.join()
    return got[0]


def test_threads_carry_record_label_and_other_values(carrier: ThreadContext) -> None:
    def mapped() -> Any:
        with context(user_id="u"):
            attach(set_value("theirs", 1))
            return in_thread_directly()

    def in_thread_directly() -> Any:
        return in_thread()

    assert contextvars.copy_context().run(mapped) == ("u", None, 1)
    assert in_thread() == (None, None, None)


def test_the_label_of_the_function_that_starts_the_thread(carrier: ThreadContext) -> None:
    got: list[Any] = []

    def mapped_start() -> None:
        thread = threading.Thread(target=lambda: got.append(seen()))
        thread.start()
        thread.join()
        assert current().label is None
        assert "run" not in vars(thread)

    mapped_start()
    assert got == [(None, "mapped", None)]


def test_subclasses_with_their_own_run_and_timers(carrier: ThreadContext) -> None:
    got: list[Any] = []

    class Own(threading.Thread):
        def run(self) -> None:
            got.append(seen())

    with context(user_id="u"):
        for thread in (Own(), threading.Timer(0, lambda: got.append(seen()))):
            thread.start()
            thread.join()
    assert got == [("u", None, None)] * 2


def test_each_piece_of_work_of_a_pool_has_its_own_context_and_leaves_none(carrier: ThreadContext) -> None:
    with ThreadPoolExecutor(1) as pool:

        def mapped_submit() -> Any:
            return pool.submit(seen).result()

        with context(user_id="one"):
            assert pool.submit(seen).result() == ("one", None, None)
            pool.submit(lambda: attach(set_value("theirs", 1))).result()
        with context(user_id="two"):
            assert list(pool.map(lambda _: seen(), range(2))) == [("two", None, None)] * 2
        assert pool.submit(seen).result() == (None, None, None)
        assert mapped_submit() == (None, "mapped", None)
        assert pool.submit(int, "7", base=8).result() == 7


def test_errors_and_misuse_are_as_before(carrier: ThreadContext) -> None:
    with ThreadPoolExecutor(1) as pool, context(user_id="u"):
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 / 0).result()
        with pytest.raises(TypeError):
            pool.submit()  # type: ignore[call-arg]
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match="once"):
        thread.start()


async def test_the_loops_executor(carrier: ThreadContext) -> None:
    with context(user_id="u"):
        assert await asyncio.get_running_loop().run_in_executor(None, seen) == ("u", None, None)
        assert await asyncio.to_thread(seen) == ("u", None, None)


@pytest.mark.parametrize("theirs_first", [True, False])
def test_beside_the_official_instrumentation_in_any_order(theirs_first: bool) -> None:
    carrier, theirs = ThreadContext(inherit), ThreadingInstrumentor()
    order = [theirs.instrument, carrier.install]
    for install in order if theirs_first else reversed(order):
        install()
    try:
        with context(user_id="u"), ThreadPoolExecutor(1) as pool:
            assert in_thread() == ("u", None, None)
            assert pool.submit(seen).result() == ("u", None, None)
    finally:
        carrier.uninstall()
        theirs.uninstrument()
    with context(user_id="u"):
        assert in_thread() == (None, None, None)


def test_a_patch_over_ours_stays_and_ours_passes_on() -> None:
    carrier = ThreadContext(inherit)
    carrier.install()
    ours = threading.Thread.__dict__["start"]
    calls: list[int] = []

    def over(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        calls.append(1)
        return wrapped(*args, **kwargs)

    threading.Thread.start = wrapt.FunctionWrapper(ours, over)  # type: ignore[method-assign]
    try:
        carrier.uninstall()
        with context(user_id="u"):
            assert in_thread() == (None, None, None)
            carrier.install()
            assert in_thread() == ("u", None, None)
        assert calls == [1, 1]
    finally:
        threading.Thread.start = ours  # type: ignore[method-assign]
        carrier.uninstall()
    assert threading.Thread.start is START


def test_a_fault_of_ours_does_not_reach_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMCOST_STRICT", "0")

    def broken(_: FrameType) -> Scope:
        raise ValueError("ours")

    carrier = ThreadContext(broken)
    carrier.install()
    try:
        before = get_current()
        assert in_thread() == (None, None, None)
        assert get_current() is before
    finally:
        carrier.uninstall()
