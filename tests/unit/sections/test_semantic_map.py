import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from llmcost.errors import SemanticMapError
from llmcost.sections.map_file import INTERVAL, WatchedMap, locate
from llmcost.sections.semantic_map import Section, load


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def write(root: Path, document: object, name: str = "semantic_map.json") -> Path:
    folder = root / ".llmcost"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_files_are_found_by_their_path_under_the_root(tmp_path: Path) -> None:
    path = write(tmp_path, {"agents/summarizer.py": {"summarize_article": "summarization"}})
    read = load(path)
    file = read.file_of(str(tmp_path / "agents" / "summarizer.py"), "anything")
    assert file == "agents/summarizer.py"
    assert read.section(file, "summarize_article") == Section("summarization")
    assert read.section(file, "other") is None
    assert read.file_of(str(tmp_path / "other.py"), "agents.other") is None


def test_symbolic_links_and_backslashes_lead_to_the_same_file(tmp_path: Path) -> None:
    real = tmp_path / "real"
    path = write(real, {".\\app\\x.py": {"f": "a"}})
    (tmp_path / "link").symlink_to(real)
    (real / "app").mkdir()
    (real / "app" / "x.py").touch()
    assert load(path).file_of(str(tmp_path / "link" / "app" / "x.py"), None) == "app/x.py"


@pytest.mark.parametrize(
    ("module", "filename", "expected"),
    [
        ("shop.agents.bot", "/usr/lib/python3/site-packages/shop/agents/bot.py", "src/shop/agents/bot.py"),
        ("shop.agents", "/x/site-packages/shop/agents/__init__.py", "src/shop/agents/__init__.py"),
        ("tool", "/elsewhere/tool.py", "src/tool.py"),
        ("helpers", "/elsewhere/helpers.py", None),  # app/helpers.py: one part says too little
        ("shop.missing", "/elsewhere/shop/missing.py", None),
        ("a.twin", "/elsewhere/a/twin.py", None),  # one/a/twin.py or two/a/twin.py: not known which
    ],
)
def test_code_that_runs_elsewhere_is_found_by_its_module(
    tmp_path: Path, module: str, filename: str, expected: str | None
) -> None:
    files = ("src/shop/agents/bot.py", "src/shop/agents/__init__.py", "src/tool.py", "app/helpers.py")
    read = load(write(tmp_path, {file: {"f": "x"} for file in (*files, "one/a/twin.py", "two/a/twin.py")}))
    assert read.file_of(filename, module) == expected


def test_a_file_under_the_root_is_not_taken_for_another_of_the_same_module_name(tmp_path: Path) -> None:
    read = load(write(tmp_path, {"agents/bot.py": {"f": "x"}}))
    assert read.file_of(str(tmp_path / "old" / "agents" / "bot.py"), "agents.bot") is None
    installed = tmp_path / ".venv" / "lib" / "site-packages" / "agents" / "bot.py"
    assert read.file_of(str(installed), "agents.bot") == "agents/bot.py"


def test_names_match_with_and_without_locals_and_nested_ones_belong_to_the_outer(tmp_path: Path) -> None:
    read = load(write(tmp_path, {"a.py": {"outer.inner": "x", "K.run.<locals>.step": "y", "plain": "z"}}))
    assert read.section("a.py", "outer.<locals>.inner") == Section("x")
    assert read.section("a.py", "K.run.<locals>.step") == Section("y")
    assert read.section("a.py", "plain.<locals>.<lambda>") == Section("z")
    assert read.section("a.py", "plain.<locals>.deep.<locals>.<genexpr>") == Section("z")
    assert read.section("a.py", "K.run") is None


def test_wrappers_give_no_label_unless_edited_by_hand(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.py": {
                "by_kind": {"kind": "wrapper", "label": "chat"},
                "edited": {"kind": "wrapper", "label": "llm_wrapper"},
                "spawning": {"kind": "indirect", "label": "s", "spawns": True},
            }
        },
        "semantic_labels.json",
    )
    read = load(
        write(
            tmp_path,
            {"a.py": {"by_kind": "chat", "by_label": "llm_wrapper", "edited": "mine", "spawning": "s", "none": None}},
        )
    )
    assert read.section("a.py", "by_kind") == Section(None)
    assert read.section("a.py", "by_label") == Section(None)
    assert read.section("a.py", "edited") == Section("mine")
    assert read.section("a.py", "spawning") == Section("s", spawns=True)
    assert read.section("a.py", "none") == Section(None)


@pytest.mark.parametrize(
    "broken",
    ["{", "[]", '{"a.py": 1}', '{"a.py": {"f": 7}}', '{"a.py": {"f": " "}}', "[" * 100_000, "\ufffe", '{"a.py": []}'],
)
def test_a_broken_map_is_refused_by_the_name_of_its_file(tmp_path: Path, broken: str) -> None:
    path = write(tmp_path, broken)
    with pytest.raises(SemanticMapError, match=r"semantic_map\.json"):
        load(path)


def test_hostile_names_are_data(tmp_path: Path) -> None:
    label = "x\n%s{0}<script>'; DROP TABLE calls"
    read = load(write(tmp_path, {"../../etc/passwd": {"__import__('os')": label}, "": {"": "y"}}))
    assert read.section("../../etc/passwd", "__import__('os')") == Section(label)


def test_the_map_is_found_upwards_from_the_first_folder_that_has_one(tmp_path: Path) -> None:
    path = write(tmp_path / "project", {})
    deep = tmp_path / "project" / "src" / "pkg"
    deep.mkdir(parents=True)
    assert locate([tmp_path / "nothing", deep]) == path
    assert locate([tmp_path / "nothing"]) is None


def test_a_changed_map_is_read_again_but_not_before_its_time(tmp_path: Path) -> None:
    path = write(tmp_path, {"a.py": {"f": "one"}})
    clock = Clock()
    watched = WatchedMap(path, clock=clock)
    first = watched.refresh()
    write(tmp_path, {"a.py": {"f": "second"}})
    clock.now += INTERVAL / 2
    assert watched.refresh() is first
    clock.now += INTERVAL / 2
    assert watched.refresh().section("a.py", "f") == Section("second")


def test_a_broken_map_warns_once_and_the_last_good_one_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, {"a.py": {"f": "good"}})
    clock = Clock()
    watched = WatchedMap(path, clock=clock)
    watched.refresh()
    for broken in ("{", "{{", "[[["):
        write(tmp_path, broken)
        clock.now += INTERVAL
        assert watched.refresh().section("a.py", "f") == Section("good")
    assert [str(path) in record.getMessage() for record in caplog.records] == [True]
    write(tmp_path, {"a.py": {"f": "better"}})
    clock.now += INTERVAL
    assert watched.refresh().section("a.py", "f") == Section("better")
    path.unlink()
    clock.now += INTERVAL
    assert watched.refresh().section("a.py", "f") == Section("better")


def test_no_map_says_once_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    watched = WatchedMap(clock=clock)
    monkeypatch.setattr("llmcost.sections.map_file._starts", lambda: [str(tmp_path)])
    for _ in range(3):
        assert not watched.refresh()
        clock.now += INTERVAL
    assert [record.getMessage().count("llmcost scan") for record in caplog.records] == [1]
    write(tmp_path, {"a.py": {"f": "later"}})
    clock.now += INTERVAL
    assert watched.refresh().section("a.py", "f") == Section("later")


def test_a_map_named_by_hand_that_is_missing_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watched = WatchedMap(tmp_path / "gone.json", clock=Clock())
    assert not watched.refresh()
    assert "gone.json" in caplog.text


def test_before_the_main_module_runs_the_command_line_names_the_entry_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a ``sitecustomize``, where ``__main__`` has no file yet."""
    path = write(tmp_path / "app", {"a.py": {"f": "x"}})
    script = tmp_path / "app" / "bin" / "run.py"
    script.parent.mkdir()
    script.touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    assert locate() is None
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert locate() == path
