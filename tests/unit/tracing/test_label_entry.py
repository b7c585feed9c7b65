import asyncio
import contextvars
import copy
import importlib
import inspect
import json
import pickle
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.context import attach, get_current, set_value

import llmcost
from llmcost.sections import Sections, label
from llmcost.sections.scope import ROOT, current
from llmcost.tracing.label_entry import LabelEntry
from llmcost.tracing.propagation import ThreadContext

PROGRAM = Path(__file__).parents[2] / "fixtures" / "label_entry"
WAYS = (
    "gather",
    "create_task",
    "task_group",
    "as_completed",
    "wait_for",
    "to_thread",
    "run_in_executor",
    "pool",
    "thread",
    "callback",
    "async_generator",
)
OTHERS = (
    "generator",
    "_items",
    "fails",
    "waits",
    "pauses",
    "recursive",
    "with_signature",
    "caller_of_wrapper",
    "Service.static",
    "Service.cached",
    "Service.outer.<locals>.inner",
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for file in PROGRAM.glob("*.py"):
        shutil.copy(file, tmp_path)
    folder = tmp_path / ".llmcost"
    folder.mkdir()
    labels = {name: f"label_of_{name}" for name in (*WAYS, *OTHERS)}
    (folder / "semantic_map.json").write_text(json.dumps({"ways.py": {**labels, "wrapper": "llm_wrapper"}}))
    spawns: dict[str, Any] = {name: {"spawns": True} for name in labels}
    spawns["wrapper"] = {"spawns": True, "kind": "wrapper"}
    (folder / "semantic_labels.json").write_text(json.dumps({"ways.py": spawns}))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


class Observed:
    """A program under label entry and thread context."""

    def __init__(self, root: Path) -> None:
        self.sections = Sections(root / ".llmcost" / "semantic_map.json")
        self.entry = LabelEntry(self.sections.semantic_map, self.sections.inherit)
        self.threads = ThreadContext(self.sections.inherit)

    def load(self) -> ModuleType:
        ways = importlib.import_module("ways")
        sys.modules["leaf"].attribute = lambda: self.sections.attribute(sys._getframe(1))  # type: ignore[attr-defined]
        return ways

    def install(self) -> None:
        self.entry.install()
        self.threads.install()

    def uninstall(self) -> None:
        self.threads.uninstall()
        self.entry.uninstall()


@pytest.fixture
def observed(root: Path) -> Iterator[Observed]:
    observed = Observed(root)
    yield observed
    observed.uninstall()
    for name in ("ways", "leaf"):
        sys.modules.pop(name, None)
    assert current() is ROOT
    assert observed.entry not in sys.meta_path


@pytest.fixture(params=["before_import", "after_import"])
def ways(request: pytest.FixtureRequest, observed: Observed) -> ModuleType:
    if request.param == "after_import":
        loaded = observed.load()
        observed.install()
        return loaded
    observed.install()
    return observed.load()


def run(function: Any, *args: Any) -> Any:
    """As a program does: in a context of its own, which nothing may be left in."""

    def inside() -> Any:
        if inspect.iscoroutinefunction(function):

            async def main() -> Any:
                got = await function(*args)
                assert current() is ROOT
                return got

            got = asyncio.run(main())
        else:
            got = function(*args)
        assert current() is ROOT
        return got

    return contextvars.copy_context().run(inside)


@pytest.mark.parametrize("way", WAYS)
def test_the_label_is_right_whatever_way_the_work_was_started(ways: ModuleType, way: str) -> None:
    found = run(getattr(ways, way))
    assert found
    assert {made.label for made in found} == {f"label_of_{way}"}


@pytest.mark.parametrize("way", WAYS)
def test_the_label_is_right_below_the_frames_of_a_real_sdk(observed: Observed, way: str) -> None:
    openai, http = pytest.importorskip("openai"), pytest.importorskip("httpx2")
    observed.install()
    ways = observed.load()
    labels: list[str] = []

    def answer(_: Any) -> Any:
        labels.append(observed.sections.attribute(sys._getframe(0)).label)
        return http.Response(200, json={"object": "list", "data": [], "model": "m"})

    async def answer_async(request: Any) -> Any:
        return answer(request)

    ask = {"model": "m", "input": "x", "encoding_format": "float"}
    client = openai.OpenAI(api_key="made-up", http_client=http.Client(transport=http.MockTransport(answer)))
    http_async = http.AsyncClient(transport=http.MockTransport(answer_async))
    client_async = openai.AsyncOpenAI(api_key="made-up", http_client=http_async)
    leaf: Any = sys.modules["leaf"]
    leaf.attribute = lambda: client.embeddings.create(**ask)
    leaf.attribute_async = lambda: client_async.embeddings.create(**ask)
    assert run(getattr(ways, way))
    assert labels
    assert set(labels) == {f"label_of_{way}"}


def test_methods_decorated_and_nested_functions(ways: ModuleType) -> None:
    assert run(ways.Service.static)[0].label == "label_of_Service.static"
    assert run(ways.Service().cached)[0].label == "label_of_Service.cached"
    assert run(ways.Service().outer)[0].label == "label_of_Service.outer.<locals>.inner"


def test_a_wrapper_has_the_label_of_its_caller(ways: ModuleType) -> None:
    assert run(ways.caller_of_wrapper)[0].label == "label_of_caller_of_wrapper"
    assert run(ways.wrapper)[0].label == "untracked"


def test_generators_are_never_entered(ways: ModuleType) -> None:
    generator = ways.generator()
    assert next(generator).label_source == "map"
    assert current() is ROOT


def test_the_label_ends_with_an_error_and_the_traceback_is_as_before(ways: ModuleType) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run(ways.fails)
    frames = traceback.extract_tb(caught.value.__traceback__)
    package = str(Path(llmcost.__file__ or "").parent)
    assert [frame for frame in frames if frame.filename.startswith(package)] == []
    assert frames[-1].name == "fails"
    assert frames[-1].line == 'raise ZeroDivisionError("on line 2 of fails")'
    assert [frame.name for frame in frames].count("fails") == 1


def test_the_label_ends_with_a_cancelled_or_closed_coroutine(ways: ModuleType) -> None:
    async def main() -> None:
        started = asyncio.Event()
        task = asyncio.create_task(ways.waits(started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)
    never_awaited = ways.gather()
    never_awaited.close()
    assert current() is ROOT


def test_a_coroutine_that_is_closed_in_another_context_takes_nothing_from_it(ways: ModuleType) -> None:
    coroutine = ways.pauses()
    contextvars.copy_context().run(coroutine.send, None)

    def elsewhere() -> str | None:
        with label("kept"):
            coroutine.close()
            return current().override

    assert contextvars.copy_context().run(elsewhere) == "kept"


def test_a_span_around_stays_and_comes_back(ways: ModuleType) -> None:
    def work() -> Any:
        attach(set_value("theirs", 1))
        before = get_current()
        made = ways.pool()
        return made[0].label, get_current() is before

    assert contextvars.copy_context().run(work) == ("label_of_pool", True)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")
def test_other_tools_of_monitoring_keep_their_ids(observed: Observed) -> None:
    monitoring: Any = vars(sys)["monitoring"]
    taken = [number for number in (3, 4) if monitoring.get_tool(number) is None]
    for number in taken:
        monitoring.use_tool_id(number, "theirs")
    try:
        observed.entry.install()
        assert {monitoring.get_tool(number) for number in taken} == {"theirs"}
        assert observed.entry not in sys.meta_path
    finally:
        for number in taken:
            monitoring.free_tool_id(number)
    observed.entry.install()
    assert monitoring.get_tool(4) == "llmcost"
    observed.entry.uninstall()
    assert monitoring.get_tool(4) is None


def test_recursion(ways: ModuleType) -> None:
    assert run(ways.recursive, 5)[0].label == "label_of_recursive"


def test_an_explicit_label_wins(ways: ModuleType) -> None:
    def work() -> Any:
        with label("mine"):
            return ways.pool()

    assert {made.label for made in run(work)} == {"mine"}


def test_signature_docs_pickle_copy_and_source_are_as_before(ways: ModuleType) -> None:
    function = ways.with_signature
    expected = "(a: int, /, b: str = 'x', *args: float, c: bool = False, **rest: object) -> dict[str, object]"
    assert str(inspect.signature(function)) == expected
    assert function.__doc__ == "Docs."
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.copy(function) is function
    assert inspect.getsource(function).startswith("def with_signature")
    assert function(1, "b", 2.0, c=True, d=4) == {"a": 1, "b": "b", "args": (2.0,), "c": True, "rest": {"d": 4}}
    assert inspect.iscoroutinefunction(ways.gather)
    assert inspect.isgeneratorfunction(ways.generator)
    assert function.__code__.co_varnames[:5] == ("a", "b", "c", "args", "rest")
    assert type(ways.__loader__).__name__ == "SourceFileLoader"
    assert "get_code" not in vars(ways.__loader__)
    assert [name for name in vars(ways) if "llmcost" in name] == []


def test_tracers_see_the_lines_of_the_program_only(ways: ModuleType) -> None:
    lines: list[int] = []

    def tracer(frame: Any, event: str, arg: object) -> Any:
        if frame.f_code is not ways.recursive.__code__:
            return None
        if event == "line":
            lines.append(frame.f_lineno - frame.f_code.co_firstlineno)
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        ways.recursive(1)
    finally:
        sys.settrace(before)
    assert set(lines) == {1}


def test_uninstall_restores(observed: Observed) -> None:
    plain = observed.load()
    codes = {name: getattr(plain, name).__code__ for name in WAYS}
    observed.install()
    assert {made.label for made in run(plain.gather)} == {"label_of_gather"}
    observed.uninstall()
    assert all(getattr(plain, name).__code__ is code for name, code in codes.items())
    assert {made.label for made in run(plain.gather)} == {"untracked"}
    observed.install()
    assert {made.label for made in run(plain.gather)} == {"label_of_gather"}


def test_uninstall_after_an_import_under_it(observed: Observed) -> None:
    observed.install()
    ways = observed.load()
    observed.uninstall()
    assert {made.label for made in run(ways.to_thread)} == {"untracked"}
    assert compile(Path(ways.__file__ or "").read_text(), "x", "exec").co_consts
    if sys.version_info < (3, 12):
        assert not any(type(constant).__name__ == "Entry" for constant in ways.gather.__code__.co_consts)


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
import leaf
from llmcost.sections import Sections
from llmcost.tracing.label_entry import LabelEntry
from llmcost.tracing.propagation import ThreadContext

leaf.attribute = lambda: sections.attribute(sys._getframe(1))
{program}
async def main():
    for way in (gather, create_task, task_group, as_completed, wait_for, to_thread, run_in_executor, callback):
        print(way.__name__, *{{made.label for made in await way()}})

if __name__ == "__main__":
    for way in (pool, thread):
        print(way.__name__, *{{made.label for made in way()}})
    asyncio.run(gather_first())
    asyncio.run(main())
"""
SITE = """
import sys
sys.path.insert(0, {root!r})
from llmcost.sections import Sections
from llmcost.tracing.label_entry import LabelEntry
from llmcost.tracing.propagation import ThreadContext
import builtins
builtins.sections = sections = Sections()
LabelEntry(sections.semantic_map, sections.inherit).install()
ThreadContext(sections.inherit).install()
"""


@pytest.mark.parametrize("arguments", [["app.py"], ["-m", "app"]])
def test_functions_of_the_entry_script(root: Path, arguments: list[str]) -> None:
    """Begun by a ``sitecustomize``, as ``llmcost run`` and ``opentelemetry-instrument`` do."""
    map_file = root / ".llmcost" / "semantic_map.json"
    labels_file = root / ".llmcost" / "semantic_labels.json"
    extra = {"gather_first": "label_of_gather_first"}
    document = json.loads(map_file.read_text())["ways.py"] | extra
    map_file.write_text(json.dumps({"app.py": document}))
    details = json.loads(labels_file.read_text())["ways.py"] | {"gather_first": {"spawns": True}}
    labels_file.write_text(json.dumps({"app.py": details}))
    program = (PROGRAM / "ways.py").read_text()
    first = (
        "async def gather_first():\n"
        "    print('gather_first', *{made.label for made in await asyncio.gather(aleaf(), aleaf())})\n"
    )
    (root / "app.py").write_text(SCRIPT.format(root=str(root), program=program + first))
    site = root / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE.format(root=str(root)))
    repository = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={"PYTHONPATH": f"{site}:{repository}", "LLMCOST_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert lines == {name: f"label_of_{name}" for name in lines}
    assert len(lines) == 11
