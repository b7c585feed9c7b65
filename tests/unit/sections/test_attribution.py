import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import llmcost.sections as verbs
from llmcost.calls import Attribution, CallSite
from llmcost.sections import Sections
from llmcost.sections.call_site import is_library

Program = Callable[..., dict[str, Any]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / ".llmcost"
    folder.mkdir()
    (folder / "semantic_map.json").write_text(
        json.dumps(
            {
                "app/a.py": {"summarize": "summarization", "Bot.reply": "support_bot", "<module>": "batch"},
                "app/llm.py": {"LLMService.generate": "llm_wrapper"},
            }
        )
    )
    return tmp_path


@pytest.fixture
def sections(root: Path) -> Sections:
    return Sections(root / ".llmcost" / "semantic_map.json")


@pytest.fixture
def program(root: Path, sections: Sections) -> Program:
    """Runs source as a file of the program; ``call()`` in it is an LLM call."""

    def run(source: str, file: str = "app/a.py", **names: Any) -> dict[str, Any]:
        namespace = {"__name__": file.removesuffix(".py").replace("/", "."), "call": call, **names}
        exec(compile(source, str(root / file), "exec"), namespace)
        return namespace

    def call() -> Attribution:
        return sections.attribute(sys._getframe(1))

    return run


def test_the_nearest_mapped_function_gives_the_label_and_the_site_is_the_real_one(program: Program) -> None:
    helper = program("\ndef ask():\n    return call()\n", "app/helper.py")["ask"]
    found = program("def summarize():\n    return ask()\n", ask=helper)["summarize"]()
    assert (found.label, found.label_source) == ("summarization", "map")
    assert found.site == CallSite("ask", "app/helper.py", 3)


def test_methods_lambdas_and_module_level_have_their_label(program: Program) -> None:
    names = program("class Bot:\n    def reply(self):\n        return (lambda: call())()\nat_top = call()\n")
    reply = names["Bot"]().reply()
    assert (reply.label, reply.site.function) == ("support_bot", "Bot.reply.<locals>.<lambda>")
    assert (names["at_top"].label, names["at_top"].site.function) == ("batch", "<module>")


def test_a_wrapper_takes_the_label_of_its_nearest_mapped_caller(program: Program) -> None:
    service = program("class LLMService:\n    def generate(self):\n        return call()\n", "app/llm.py")["LLMService"]
    found = program("def summarize():\n    return S().generate()\n", S=service)["summarize"]()
    assert found.label == "summarization"
    assert found.site.function == "LLMService.generate"
    assert service().generate().label == "untracked"


def test_unmapped_code_is_untracked_or_has_the_default_label(program: Program, sections: Sections, root: Path) -> None:
    function = program("def other():\n    return call()\n", "app/b.py")["other"]
    assert (function().label, function().label_source) == ("untracked", "none")
    named = Sections(root / ".llmcost" / "semantic_map.json", default_label="web")
    found = program("def other():\n    return call()\n", "app/b.py", call=lambda: named.attribute(sys._getframe(1)))
    assert (found["other"]().label, found["other"]().label_source) == ("web", "explicit")


def test_precedence_explicit_then_map_then_inherited(program: Program) -> None:
    from llmcost.sections.scope import current, put

    mapped = program("def summarize():\n    return call()\n")["summarize"]
    plain = program("def other():\n    return call()\n", "app/b.py")["other"]
    placed = put(current().with_label("from_task"))
    assert (plain().label, plain().label_source) == ("from_task", "inherited")
    assert (mapped().label, mapped().label_source) == ("summarization", "map")
    with verbs.label("mine"):
        assert (mapped().label, mapped().label_source) == ("mine", "explicit")
    placed.remove()
    assert plain().label == "untracked"


def test_records_are_reused_per_place_line_and_context(program: Program) -> None:
    function = program("def summarize():\n    return [call() for _ in range(3)] + [\n  call()]\n")["summarize"]
    one, two, three, other_line = function()
    assert one is two is three
    assert other_line is not one
    assert other_line.site.line == 3
    with verbs.context(user_id="u"):
        assert function()[0].user_id == "u"
    assert function()[0] is one


def test_code_that_dies_leaves_nothing_and_equal_code_is_not_mixed_up(
    program: Program, sections: Sections, root: Path
) -> None:
    source = "def summarize():\n    return call()\n"
    assert program(source)["summarize"]().label == "summarization"
    assert program(source, "app/b.py")["summarize"]().label == "untracked"
    gc.collect()
    kept = len(sections._sites._places)
    for _ in range(20):
        program(source)["summarize"]()
    gc.collect()
    assert len(sections._sites._places) <= kept + 1
    assert len(sections._sites._references) == len(sections._sites._places)


def test_a_changed_map_gives_new_labels(program: Program, root: Path) -> None:
    now = [0.0]
    path = root / ".llmcost" / "semantic_map.json"
    watching = Sections(path, clock=lambda: now[0])
    function = program("def summarize():\n    return c()\n", c=lambda: watching.attribute(sys._getframe(1)))[
        "summarize"
    ]
    assert function().label == "summarization"
    path.write_text(json.dumps({"app/a.py": {"summarize": "news_digest"}}))
    assert function().label == "summarization"
    now[0] += 60
    assert function().label == "news_digest"


def test_libraries_and_generated_code_are_not_the_programs() -> None:
    assert is_library(json.__file__)
    assert is_library(pytest.__file__)
    assert is_library(verbs.__file__)
    assert is_library("<string>", "dataclasses")
    assert is_library("<frozen runpy>", "x")
    assert not is_library("<stdin>", "__main__")
    assert not is_library(__file__)


def test_frames_of_libraries_are_passed_over(program: Program, sections: Sections) -> None:
    """`json` stands for an SDK: it calls back into us from its own frames."""

    class Odd(json.JSONEncoder):
        def default(self, o: object) -> object:
            return "x"

    seen: list[Attribution] = []

    def hook(pairs: object) -> object:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not frame.f_code.co_filename.endswith("decoder.py"):
            frame = frame.f_back
        seen.append(sections.attribute(frame))
        return pairs

    program("def summarize():\n    json.loads('{\"a\": 1}', object_hook=hook)\n", json=json, hook=hook)["summarize"]()
    assert seen[0].site is not None
    assert (seen[0].label, seen[0].site.function) == ("summarization", "summarize")


def test_no_absolute_path_leaves_for_code_outside_of_the_root(program: Program, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "pkg" / "mod.py"
    namespace = program("", "app/b.py")
    namespace["__name__"] = "pkg.mod"
    exec(compile("def f():\n    return call()\n", str(elsewhere), "exec"), namespace)
    assert namespace["f"]().site.file == "pkg/mod.py"


def test_a_package_may_carry_its_map_as_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "shop_with_map"
    (package / ".llmcost").mkdir(parents=True)
    (package / ".llmcost" / "semantic_map.json").write_text('{"src/shop_with_map/bot.py": {"reply": "bot"}}')
    (package / "__init__.py").touch()
    (package / "bot.py").write_text("def reply(call):\n    return call()\n")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr("llmcost.sections.map_file._starts", list)
    sections = Sections()
    from shop_with_map import bot  # type: ignore[import-not-found]

    assert bot.reply(lambda: sections.attribute(sys._getframe(1))).label == "bot"


def test_very_deep_stacks_are_bounded(program: Program) -> None:
    namespace = program("def dive(n):\n    return dive(n - 1) if n else call()\n", "app/b.py")
    outer = program("def summarize(n):\n    return dive(n)\n", dive=namespace["dive"])["summarize"]
    assert outer(100).label == "summarization"
    assert outer(600).label == "untracked"
