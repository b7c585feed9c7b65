"""Calls that are looked at: names of what the project imports, values under their names, chains of any length."""

from pathlib import Path

import pytest
from analyzer_projects import found

from llmcost_analyzer import imported, sinks

DYNAMIC = """
import importlib
NAMES = {"chat": "litellm"}
def ask(prompt):
    return importlib.import_module(NAMES["chat"]).completion(model="m", messages=[prompt])
"""
HELD = """
from openai import OpenAI
client = OpenAI()
def ask(prompt):
    return client.responses.create(input=prompt)
class Task:
    run_it = None
    def __init__(self, work):
        self.work = work
def by_attribute(prompt):
    return Task(ask).work(prompt)
def by_variable(prompt):
    work_now = ask
    def inner():
        return work_now(prompt)
    return inner()
def by_parameter(step=ask):
    return step("x")
"""


@pytest.mark.parametrize(
    ("roots", "there", "gone"),
    [
        ({"os"}, set(), {"completion", "kickoff", "append", "create"}),
        ({"litellm"}, {"completion"}, {"kickoff", "append"}),
        ({"crewai"}, {"kickoff", "call"}, {"completion"}),
        ({"langchain_openai"}, {"invoke", "ainvoke"}, {"kickoff"}),
        ({"boto3"}, {"invoke_model", "converse"}, {"kickoff"}),
    ],
)
def test_only_requests_of_imported_packages_are_looked_for(roots: set[str], there: set[str], gone: set[str]) -> None:
    names = imported.last_names(sinks.load(), roots)
    assert there <= names
    assert not gone & names


def test_a_package_that_is_imported_by_a_text_counts(tmp_path: Path) -> None:
    assert found(tmp_path, {"app.py": DYNAMIC})["ask"].kind != "indirect"


def test_functions_that_are_held_under_other_names_are_followed(tmp_path: Path) -> None:
    assert {"by_attribute", "by_variable", "by_parameter"} <= found(tmp_path, {"app.py": HELD}).keys()


def test_a_client_is_followed_through_a_long_chain(tmp_path: Path) -> None:
    """A limit of 60 steps once left most of a large application unknown."""
    steps = "".join(f"def step{n}(thing):\n    return step{n + 1}(thing)\n" for n in range(100))
    code = f"""
from openai import OpenAI
{steps}
def step100(thing):
    return thing.responses.create(input="x")
step0(OpenAI())
"""
    entries = found(tmp_path, {"app.py": code})
    assert entries["step100"].hops == 0
    assert entries["step0"].hops == 100
