"""The house itself: every module says what it is for, names are in order, and no page is stale."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from llmcost import config

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
SOURCES = {
    path.relative_to(REPOSITORY).as_posix(): path
    for folder in ("llmcost", "analyzer", "scripts", "examples", "bench", "grafana")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
}
FACES = [
    importlib.import_module(name)
    for name in ("llmcost", "llmcost.providers", "llmcost.pricing", "llmcost.sections", "llmcost.exchange")
]
TOP_LEVEL = (
    *("pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".ci/run"),
    *("llmcost/py.typed", "analyzer", "collector-config/README.md", "grafana/README.md", "bench", "tests", "docs"),
    ".pre-commit-config.yaml",
)
CONFIG_FIELDS = set(config.Config.__dataclass_fields__) - {"root"}


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    tree = ast.parse(SOURCES[name].read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree), f"{name} has no docstring"


@pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.__name__))
def test_exported_names_are_sorted_and_exist(face: object) -> None:
    exported = list(getattr(face, "__all__", ()))
    assert exported == sorted(exported)
    assert not [name for name in exported if not hasattr(face, name)]


@pytest.mark.parametrize("path", TOP_LEVEL)
def test_the_top_level_is_complete(path: str) -> None:
    assert (REPOSITORY / path).exists()


def test_the_installed_package_is_tested_where_that_was_asked_for() -> None:
    if os.environ.get("LLMCOST_TEST_INSTALLED") != "1":
        pytest.skip("the checkout is tested; .ci/run tests the built wheel")
    llmcost = importlib.import_module("llmcost")
    assert REPOSITORY not in Path(str(llmcost.__file__)).resolve().parents


def test_every_verb_of_the_makefile_has_a_help_line() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    explained = set(re.findall(r"^([a-z0-9-]+):.*## \S", makefile, re.MULTILINE))
    assert explained == set(phony.group(1).split())


# --- pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["make_reference.py", "make_tables.py"])
def test_what_is_generated_is_fresh(script: str) -> None:
    command = [sys.executable, str(REPOSITORY / "scripts" / script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sample_settings_load_and_name_every_setting() -> None:
    sample = DOCS / "reference" / "llmcost.toml"
    loaded = config.load(environ={"LLMCOST_CONFIG": str(sample)})
    assert loaded.hosts == {"llm.internal.example": "openai"}
    assert loaded.prices["my-model"]["input_cost_per_token"] == pytest.approx(4e-7)
    text = sample.read_text(encoding="utf-8")
    shown = set(tomllib.loads(text)) | set(re.findall(r"^# (\w+) = ", text, re.MULTILINE))
    assert shown == CONFIG_FIELDS


def test_settings_that_are_commented_out_in_the_sample_are_valid_too(tmp_path: Path) -> None:
    text = (DOCS / "reference" / "llmcost.toml").read_text(encoding="utf-8")
    (tmp_path / "prices.json").write_text("{}", encoding="utf-8")
    everything = tmp_path / "llmcost.toml"
    everything.write_text(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    loaded = config.load(environ={"LLMCOST_CONFIG": str(everything)})
    assert loaded.run_id == "nightly"
    assert loaded.price_map == tmp_path / "prices.json"


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")))
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert pages == listed


def test_decisions_are_numbered_without_gaps_and_have_the_three_parts() -> None:
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], path.name
    assert f"The next free number is {len(records) + 1}." in (DOCS / "decisions" / "README.md").read_text("utf-8")


FENCE = re.compile(r"```(python|toml|json)\n(.*?)```", re.DOTALL)
EXAMPLES = [
    pytest.param(language, text, id=f"{path.relative_to(REPOSITORY)}:{language}:{number}")
    for path in sorted([*DOCS.rglob("*.md"), REPOSITORY / "README.md"])
    for number, (language, text) in enumerate(FENCE.findall(path.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize(("language", "text"), EXAMPLES)
def test_examples_in_pages_are_valid(language: str, text: str, tmp_path: Path) -> None:
    if language == "python":
        compile(text, "example", "exec")
        llmcost = importlib.import_module("llmcost")
        assert [name for name in re.findall(r"llmcost\.(\w+)\(", text) if not hasattr(llmcost, name)] == []
    elif language == "json":
        assert json.loads(text)
    else:
        (tmp_path / "llmcost.toml").write_text(text, encoding="utf-8")
        assert config.load(environ={}, directory=tmp_path).root == tmp_path


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "collector-config/README.md", "grafana/README.md"])
def test_links_of_pages_outside_the_documentation_lead_somewhere(name: str) -> None:
    page = REPOSITORY / name
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{name}: {target}"


def test_the_readme_says_all_that_matters_in_forty_lines() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    top = "\n".join(text.splitlines()[:40])
    blocks = re.findall(r"```(\w+)\n(.*?)```", top, re.DOTALL)
    assert [language for language, _ in blocks] == ["console", "text"]
    assert len(blocks[0][1].splitlines()) <= 12
    assert "pip install llmcost-otel" in top
    assert len(re.findall(r"\]\(docs/", top.partition("\n## ")[0])) == 3


def test_the_pre_commit_hooks_run_verbs_of_the_makefile() -> None:
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    verbs = re.findall(r"entry: make ([a-z-]+)$", hooks, re.MULTILINE)
    assert verbs
    assert set(verbs) <= set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
