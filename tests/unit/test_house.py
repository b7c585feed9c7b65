"""The house itself: every module says what it is for, and public names are in order."""

from __future__ import annotations

import ast
import importlib
import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = {
    path.relative_to(REPOSITORY).as_posix(): path
    for folder in ("llmcost", "analyzer", "scripts", "examples", "bench", "grafana")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
}
FACES = [
    importlib.import_module(name)
    for name in ("llmcost", "llmcost.providers", "llmcost.pricing", "llmcost.sections", "llmcost.exchange")
]


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    tree = ast.parse(SOURCES[name].read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree), f"{name} has no docstring"


@pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.__name__))
def test_exported_names_are_sorted_and_exist(face: object) -> None:
    exported = list(getattr(face, "__all__", ()))
    assert exported == sorted(exported)
    assert not [name for name in exported if not hasattr(face, name)]


def test_the_installed_package_is_tested_where_that_was_asked_for() -> None:
    if os.environ.get("LLMCOST_TEST_INSTALLED") != "1":
        pytest.skip("the checkout is tested; .ci/run tests the built wheel")
    llmcost = importlib.import_module("llmcost")
    assert REPOSITORY not in Path(str(llmcost.__file__)).resolve().parents
