import gc
import io
import json
from pathlib import Path

import pytest
from analyzer_projects import write

from llmcost.cli import main
from llmcost.cli import scan as cli_scan
from llmcost_analyzer.scanner import Options

APP = """from openai import OpenAI

client = OpenAI()


# Shortens an article.
def summarize_article(text):  # kept
    return client.responses.create(model="gpt-5-mini", input=f"Summarize: {text}")


class Bot:
    @staticmethod
    def translate(text):
        return client.responses.create(model="gpt-5-mini", input=f"Translate: {text}")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write(tmp_path, {"app.py": APP}))
    return tmp_path


def answer(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main(list(arguments), out, err), out.getvalue(), err.getvalue()


def test_scan_says_what_it_found_and_what_to_do_next(project: Path) -> None:
    code, out, err = answer("scan")
    assert (code, err) == (0, "")
    for part in ("2 functions", "summarization", "translation", "Saved to semantic_map.json", "llmcost run", "report"):
        assert part in out
    assert (project / ".llmcost/semantic_map.json").is_file()


def test_json_and_quiet(project: Path) -> None:
    code, out, _ = answer("analyze", ".", "--json")
    assert code == 0
    found = json.loads(out)
    assert [row["function"] for row in found["functions"]] == ["Bot.translate", "summarize_article"]
    assert answer("scan", "--quiet") == (0, "", "")
    assert (project / ".llmcost/semantic_labels.json").is_file()


@pytest.mark.parametrize("collecting", [True, False])
def test_a_scan_leaves_the_garbage_collector_as_it_was(project: Path, collecting: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        assert answer("scan", "--quiet")[0] == 0
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()


def test_check_exits_1_where_the_map_is_stale_and_writes_nothing(project: Path) -> None:
    assert answer("scan", "--check")[0] == 1
    assert not (project / ".llmcost/semantic_map.json").exists()
    answer("scan", "-q")
    code, out, _ = answer("scan", "--check")
    assert (code, out.strip()) == (0, "The semantic map is up to date.")
    write(project, {"app.py": APP.replace("summarize_article", "shorten_article")})
    code, out, _ = answer("scan", "--check")
    assert code == 1
    assert "moved      app.py:summarize_article -> app.py:shorten_article" in out
    code, out, _ = answer("scan", "--diff")
    assert code == 1
    assert '+    "shorten_article": "summarization"' in out


def test_explain(project: Path) -> None:
    code, out, _ = answer("scan", "--explain", "app.py:summarize_article")
    assert code == 0
    for part in ("summarization", "because", "line 8: openai, chat, model gpt-5-mini"):
        assert part in out
    code, _, err = answer("scan", "--explain", "app.py:nothing")
    assert code == 2
    assert "app.py:nothing" in err


def test_annotate_shows_a_diff_writes_on_request_and_is_idempotent(project: Path) -> None:
    code, out, _ = answer("scan", "--annotate")
    assert code == 0
    assert '+@llmcost.label("summarization")' in out
    assert (project / "app.py").read_text() == APP
    assert answer("scan", "--annotate", "--apply")[0] == 0
    once = (project / "app.py").read_text()
    assert '# Shortens an article.\n@llmcost.label("summarization")\ndef summarize_article(text):  # kept\n' in once
    assert '    @staticmethod\n    @llmcost.label("translation")\n    def translate' in once
    lines = once.replace("import llmcost\n", "").splitlines()
    assert [line for line in lines if "llmcost.label" not in line] == APP.splitlines()
    answer("scan", "--annotate", "--apply")
    assert (project / "app.py").read_text() == once
    assert answer("scan", "--annotate")[1] == ""


def test_a_label_in_the_source_is_the_label(project: Path) -> None:
    write(project, {"app.py": APP.replace("# Shortens", "import llmcost\n@llmcost.label('digest')\n# Shortens")})
    found = json.loads(answer("scan", "--json")[1])
    labels = {row["function"]: (row["label"], row["reason"]) for row in found["functions"]}
    assert labels["summarize_article"] == ("digest", "stands in the source")


def test_an_empty_map_is_said_to_be_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert answer("scan")[0] == 0
    assert answer("sections")[1].startswith("The map is empty")


def test_sections_lists_and_sets(project: Path) -> None:
    assert answer("sections")[0] == 2
    answer("scan", "-q")
    assert "app.py:summarize_article" in answer("sections")[1]
    code, out, _ = answer("sections", "set", "app.py:summarize_article", "news_digest")
    assert code == 0
    assert "news_digest" in out
    answer("scan", "-q")
    assert json.loads(answer("sections", "--json")[1])["news_digest"] == ["app.py:summarize_article"]
    assert "(by hand)" in answer("sections")[1]
    for wrong in ("app.py:nothing", "none.py:f", "app.py"):
        code, _, err = answer("sections", "set", wrong, "x")
        assert code == 2
        assert len(err.splitlines()) == 1


def test_ai_says_what_it_would_send_and_cost_and_stops_on_no(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, {"app.py": "import openai\ndef f(x):\n    return openai.responses.create(model='m', input=x + 1)\n"})
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, _, err = answer("scan", "--ai", "gpt-5-mini")
    assert code == 0
    assert "1 functions, about" in err
    assert "for about $0.0" in err


def test_a_folder_that_is_not_there_is_named() -> None:
    code, _, err = answer("scan", "no-such-folder")
    assert (code, err) == (2, "llmcost: no-such-folder: no such folder\n")


def test_watch_scans_again_when_a_file_has_changed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_watch = cli_scan._watch
    looks = 0

    def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            write(
                project, {"more.py": "import openai\ndef translate(x):\n    return openai.responses.create(input=x)\n"}
            )
        if looks == 4:
            raise KeyboardInterrupt

    answer("scan", "-q")
    with pytest.raises(KeyboardInterrupt):
        run_watch(project, Options(), quiet=False, sleep=sleep)
    assert capsys.readouterr().out.count("more.py:translate") == 1
    written = json.loads((project / ".llmcost/semantic_map.json").read_text(encoding="utf-8"))
    assert written["more.py"] == {"translate": "translation"}
