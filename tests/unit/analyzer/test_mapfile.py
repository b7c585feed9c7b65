import json
from pathlib import Path

import pytest
from analyzer_projects import write

from llmcost.errors import SemanticMapError
from llmcost_analyzer import mapfile
from llmcost_analyzer.entries import Entry
from llmcost_analyzer.scanner import Options, has_function, scan

APP = """
from openai import OpenAI
client = OpenAI()
def summarize_article(text):
    return client.responses.create(model="gpt-5-mini", input=f"Summarize: {text}")
def main():
    return summarize_article("x")
"""


def run(root: Path) -> tuple[list[Entry], mapfile.Changes]:
    found = scan(root, Options(cache=False))
    entries, changes = mapfile.merge(
        found.entries, mapfile.read_previous(root / ".llmcost"), lambda key: has_function(root, key)
    )
    mapfile.write(root / ".llmcost", entries)
    return entries, changes


def the_map(root: Path) -> dict[str, dict[str, str]]:
    document: dict[str, dict[str, str]] = json.loads((root / ".llmcost/semantic_map.json").read_text())
    return document


def edit(root: Path, label: str | None, function: str = "summarize_article") -> None:
    document = the_map(root)
    if label is None:
        del document["app.py"][function]
    else:
        document["app.py"][function] = label
    (root / ".llmcost/semantic_map.json").write_text(json.dumps(document))


def test_both_files_say_what_was_found(tmp_path: Path) -> None:
    run(write(tmp_path, {"app.py": APP}))
    assert the_map(tmp_path)["app.py"]["summarize_article"] == "summarization"
    detail = json.loads((tmp_path / ".llmcost/semantic_labels.json").read_text())["app.py"]["summarize_article"]
    assert detail["kind"] == "direct"
    assert detail["origin"] == "rules"
    assert detail["lines"] == [4, 5]
    assert detail["call_sites"] == [{"line": 5, "library": "openai", "operation": "chat", "model": "gpt-5-mini"}]
    assert 0 < detail["confidence"] <= 1
    assert "summar" in detail["reason"]


def test_a_second_scan_changes_nothing(tmp_path: Path) -> None:
    run(write(tmp_path, {"app.py": APP}))
    before = {path.name: path.read_bytes() for path in (tmp_path / ".llmcost").glob("*.json")}
    _, changes = run(tmp_path)
    assert not changes
    assert {path.name: path.read_bytes() for path in (tmp_path / ".llmcost").glob("*.json")} == before


def test_a_hand_edit_survives_every_later_scan(tmp_path: Path) -> None:
    run(write(tmp_path, {"app.py": APP}))
    edit(tmp_path, "article_digest")
    for source in (APP, APP.replace("Summarize", "Sum up"), APP + "\nx = 1\n"):
        write(tmp_path, {"app.py": source})
        run(tmp_path)
        assert the_map(tmp_path)["app.py"]["summarize_article"] == "article_digest"


def test_a_row_taken_out_by_hand_stays_out(tmp_path: Path) -> None:
    run(write(tmp_path, {"app.py": APP}))
    edit(tmp_path, None, "main")
    run(tmp_path)
    run(tmp_path)
    assert "main" not in the_map(tmp_path)["app.py"]


def test_a_row_added_by_hand_stays_while_its_function_does(tmp_path: Path) -> None:
    run(write(tmp_path, {"app.py": APP + "\ndef helper():\n    pass\n"}))
    edit(tmp_path, "help_desk", "helper")
    run(tmp_path)
    assert the_map(tmp_path)["app.py"]["helper"] == "help_desk"
    write(tmp_path, {"app.py": APP})
    _, changes = run(tmp_path)
    assert changes.gone == [("app.py", "helper")]
    assert "helper" not in the_map(tmp_path)["app.py"]


def test_a_moved_and_renamed_function_keeps_its_label(tmp_path: Path) -> None:
    run(write(tmp_path, {"app.py": APP}))
    edit(tmp_path, "article_digest")
    run(tmp_path)
    (tmp_path / "app.py").unlink()
    write(tmp_path, {"lib/news.py": APP.replace("summarize_article", "shorten")})
    _, changes = run(tmp_path)
    assert (("app.py", "summarize_article"), ("lib/news.py", "shorten")) in changes.moved
    assert the_map(tmp_path)["lib/news.py"]["shorten"] == "article_digest"


def test_an_answer_of_a_model_stays_until_the_function_changes(tmp_path: Path) -> None:
    run(write(tmp_path, {"app.py": APP}))
    path = tmp_path / ".llmcost/semantic_labels.json"
    document = json.loads(path.read_text())
    document["app.py"]["summarize_article"].update(label="press_digest", origin="ai")
    path.write_text(json.dumps(document))
    edit(tmp_path, "press_digest")
    run(tmp_path)
    assert the_map(tmp_path)["app.py"]["summarize_article"] == "press_digest"
    write(tmp_path, {"app.py": APP.replace("\ndef summarize", "\n# a comment\ndef   summarize")})
    run(tmp_path)
    assert the_map(tmp_path)["app.py"]["summarize_article"] == "press_digest"
    write(tmp_path, {"app.py": APP.replace("{text}", "{text!r} in a line")})
    run(tmp_path)
    assert the_map(tmp_path)["app.py"]["summarize_article"] == "summarization"


def test_a_new_a_changed_and_a_gone_function_make_the_map_stale(tmp_path: Path) -> None:
    run(write(tmp_path, {"app.py": APP}))
    changed = APP.replace('summarize_article("x")', 'summarize_article("y")').replace("def main", "def start")
    write(tmp_path, {"app.py": changed + "\ndef other():\n    return start()\n"})
    found = scan(tmp_path, Options(cache=False))
    _, changes = mapfile.merge(found.entries, mapfile.read_previous(tmp_path / ".llmcost"))
    assert changes.new == [("app.py", "other"), ("app.py", "start")]
    assert changes.gone == [("app.py", "main")]


@pytest.mark.parametrize("text", ["{", "[]", '{"app.py": []}', '{"app.py": {"f": 3}}'])
def test_a_broken_map_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, {".llmcost/semantic_map.json": text})
    with pytest.raises(SemanticMapError, match=r"semantic_map\.json"):
        mapfile.read_previous(tmp_path / ".llmcost")
