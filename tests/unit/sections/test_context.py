import asyncio
import contextlib
import contextvars
import gc
import inspect
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest
from opentelemetry.context import attach, get_current, set_value

from llmcost.sections import context, label, section
from llmcost.sections.scope import ROOT, Scope, current


@pytest.fixture(autouse=True)
def nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert current() is ROOT
    assert [r for r in caplog.records if r.name.startswith("opentelemetry")] == []


def user() -> str | None:
    return current().user_id


def test_ids_keys_tags_and_metadata_nest() -> None:
    with context(user_id=7, workflow_id="w", tags=["a"], metadata={"x": 1}, review="r1", call_type="rag_query"):
        with context(user_id="u2", session_id="s", agent="pm", tags=["b", "a"], metadata={"y": [2]}, step=3):
            inner = current()
        outer = current()
    assert (outer.user_id, outer.session_id, outer.workflow, outer.call_type) == ("7", None, "w", "rag_query")
    assert (inner.user_id, inner.session_id, inner.workflow, inner.agent) == ("u2", "s", "w", "pm")
    assert inner.tags == ("a", "b")
    assert inner.metadata == {"x": 1, "y": [2]}
    assert inner.context == {"review": "r1", "step": "3"}
    assert current().context == {}


def test_a_single_tag_and_the_other_spelling_of_workflow() -> None:
    with context(tags="production", workflow="w", conversation_id="c"):
        assert (current().tags, current().workflow, current().conversation_id) == (("production",), "w", "c")


def test_sections_make_a_path_and_labels_override() -> None:
    with section("agent:researcher"), label("outer"), section("tool:web_search"), label("billing-summary"):
        assert current().section_path == "agent:researcher/tool:web_search"
        assert current().override == "billing-summary"


def test_the_record_is_taken_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), context(user_id="u"):
        _ = 1 / 0


def test_what_others_leave_in_the_context_stays() -> None:
    def leaky() -> Any:
        with context(user_id="u"):
            attach(set_value("theirs", 1))
        return get_current().get("theirs"), user()

    assert contextvars.copy_context().run(leaky) == (1, None)


async def test_async_with() -> None:
    async with context(user_id="u"), section("a"):
        await asyncio.sleep(0)
        assert f"{user()} {current().section_path}" == "u a"


# --- decorators ---------------------------------------------------------------------------------------------------


@context(user_id="deco")
def plain(a: int, *, b: int = 2) -> tuple[int, int, str | None]:
    """Docs."""
    return a, b, user()


@context(user_id="deco")
async def coroutine() -> str | None:
    await asyncio.sleep(0)
    return user()


@context(user_id="deco")
def steps() -> Generator[str | None, Any, str]:
    got: list[Any] = []
    while len(got) < 2:
        try:
            got.append((yield user()))
        except ValueError as exc:
            got.append(str(exc))
    return f"{got} {user()}"


@context(user_id="deco")
async def async_steps() -> AsyncGenerator[Any, Any]:
    got: list[Any] = []
    while len(got) < 2:
        await asyncio.sleep(0)
        try:
            got.append((yield user()))
        except ValueError as exc:
            got.append(str(exc))
    yield got


def test_decorated_functions_keep_their_kind_name_and_signature() -> None:
    assert plain(1, b=3) == (1, 3, "deco")
    assert (plain.__name__, plain.__doc__, str(inspect.signature(plain))[:16]) == ("plain", "Docs.", "(a: int, *, b: i")
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(steps)
    assert inspect.isasyncgenfunction(async_steps)


async def test_decorated_coroutines() -> None:
    assert await coroutine() == "deco"
    assert list(await asyncio.gather(coroutine(), coroutine())) == ["deco", "deco"]


def test_decorated_generators_are_under_it_in_each_step_and_not_between() -> None:
    generator = steps()
    assert next(generator) == "deco"
    assert user() is None
    assert generator.throw(ValueError("in")) == "deco"
    with pytest.raises(StopIteration) as stop:
        generator.send("sent")
    assert stop.value.value == "['in', 'sent'] deco"


async def test_decorated_async_generators_are_under_it_in_each_step_and_not_between() -> None:
    generator = async_steps()
    assert await anext(generator) == "deco"
    assert user() is None
    assert await generator.athrow(ValueError("in")) == "deco"
    assert await generator.asend("sent") == ["in", "sent"]
    assert [item async for item in generator] == []


async def test_closing_reaches_the_inner_generator() -> None:
    closed: list[Any] = []

    @label("x")
    def inner() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append(current().override)

    @label("y")
    async def inner_async() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(current().override)

    one: Any = inner()
    next(one)
    one.close()
    two: Any = inner_async()
    await anext(two)
    await two.aclose()
    assert closed == ["x", "y"]


def test_methods_static_and_class_methods() -> None:
    class K:
        @label("m")
        def method(self) -> Scope:
            return current()

        @label("s")
        @staticmethod
        def static() -> Scope:
            return current()

        @classmethod
        @label("c")
        def klass(cls) -> Scope:
            return current()

    assert [K().method().override, K.static().override, K.klass().override] == ["m", "s", "c"]
    with pytest.raises(TypeError, match="only functions"):
        label("no")(K)


def test_one_object_many_entries() -> None:
    shared = context(user_id="shared")
    barrier = threading.Barrier(4)
    seen: list[Any] = []

    def work() -> None:
        with shared:
            barrier.wait(10)
            with shared:
                barrier.wait(10)
                seen.append(user())
            seen.append(user())
        seen.append(user())

    threads = [threading.Thread(target=contextvars.Context().run, args=(work,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, seen)) == ["None"] * 4 + ["shared"] * 8
    assert shared._entered == []


# --- blocks inside generators (field case C1: a streamed web response) --------------------------------------------


def stream(name: str, after: Callable[[], Any] = user) -> Iterator[Any]:
    with context(user_id=name):
        yield after()
        yield after()
        with context(agent="second"):
            yield (after(), current().agent)
        yield after()


async def async_stream(name: str) -> AsyncIterator[Any]:
    async with context(user_id=name):
        yield user()
        yield await asyncio.gather(asyncio.to_thread(user), asyncio.create_task(_async_user()))
        with context(agent="second"):
            yield (user(), current().agent)
        yield user()


async def _async_user() -> str | None:
    return user()


def test_steps_driven_in_other_contexts_keep_their_user() -> None:
    generator = stream("ann")
    got = [contextvars.copy_context().run(next, generator) for _ in range(4)]
    assert got == ["ann", "ann", ("ann", "second"), "ann"]
    assert next(generator, "end") == "end"


def test_two_interleaved_generators_and_their_driver_do_not_mix() -> None:
    one, two = stream("ann"), stream("bob")
    got = []
    for _ in range(4):
        got.append((next(one), user(), next(two), user()))
    assert [row[1] for row in got] == [None] * 4
    assert [row[3] for row in got] == [None] * 4
    assert [row[0] for row in got] == ["ann", "ann", ("ann", "second"), "ann"]
    assert [row[2] for row in got] == ["bob", "bob", ("bob", "second"), "bob"]
    list(one)
    list(two)


def test_a_generator_left_early_leaves_nothing() -> None:
    def drive() -> str | None:
        generator = stream("ann")
        next(generator)
        before = user()
        del generator
        gc.collect()
        assert get_current().get("theirs") is None
        return before

    assert drive() is None
    assert user() is None


async def test_async_streams_to_two_clients_one_of_which_hangs_up(caplog: pytest.LogCaptureFixture) -> None:
    async def client(name: str, reads: int) -> list[Any]:
        generator: Any = async_stream(name)
        got = []
        for _ in range(reads):
            got.append(await anext(generator))
            assert user() is None
        if reads == 1:
            del generator  # abandoned: the loop closes it from a task of its own
            gc.collect()
            await asyncio.sleep(0)
        return got

    with caplog.at_level(logging.DEBUG):
        got = await asyncio.gather(client("ann", 4), client("bob", 1), client("cid", 4))
    assert got[0] == ["ann", ["ann", "ann"], ("ann", "second"), "ann"]
    assert got[1] == ["bob"]
    assert got[2] == ["cid", ["cid", "cid"], ("cid", "second"), "cid"]
    assert "different Context" not in caplog.text
    assert user() is None


def test_the_next_request_in_the_same_task_sees_nothing_of_a_stream_that_hung_up() -> None:
    kept = stream("ann")
    next(kept)
    assert user() is None
    with context(session_id="next"):
        assert (user(), current().session_id) == (None, "next")
    kept.close()  # type: ignore[attr-defined]


def test_context_managers_made_of_generators_reach_the_code_between_their_halves() -> None:
    @contextlib.contextmanager
    def request(name: str) -> Iterator[None]:
        with context(user_id=name):
            yield

    with request("ann"):
        assert user() == "ann"
        with request("bob"):
            assert user() == "bob"
        assert user() == "ann"


async def test_async_context_managers_made_of_generators() -> None:
    @contextlib.asynccontextmanager
    async def request(name: str) -> AsyncIterator[None]:
        with context(user_id=name):
            yield

    async with request("ann"):
        assert user() == "ann"
        assert await asyncio.create_task(_async_user()) == "ann"


@pytest.fixture
def fixture_user() -> Iterator[None]:
    with context(user_id="fixture"):
        yield


def test_fixtures_reach_their_test(fixture_user: None) -> None:
    assert user() == "fixture"


def test_ten_thousand_entries_leave_nothing() -> None:
    for index in range(10_000):
        with context(user_id=index):
            pass
    gc.collect()
    assert sum(isinstance(thing, Scope) for thing in gc.get_objects()) < 100
