"""What a scan finds does not depend on the order of files and functions."""

import random
from pathlib import Path

import pytest
from analyzer_projects import write

from llmcost_analyzer import sinks
from llmcost_analyzer.callgraph import CallGraph
from llmcost_analyzer.facts import FileFacts
from llmcost_analyzer.index import Index
from llmcost_analyzer.labelers.assign import assign
from llmcost_analyzer.project import find_sources
from llmcost_analyzer.reader import facts_of
from llmcost_analyzer.solve import DEPTH

LONG = DEPTH + 40
PROJECT = {
    "base.py": """class Step:
    def __init__(self, llm=None, after=None):
        self.llm = llm
        self.after = after


    def run(self, text):
        return self.after.run(self.llm(text))""",
    "chain.py": "from openai import OpenAI\n\n\n"
    + "\n\n\n".join(f"def made_{n}():\n    return made_{n + 1}()" for n in range(LONG))
    + f"\n\n\ndef made_{LONG}():\n    return OpenAI()",
    "circle.py": """from chain import made_0


def even(client, n):
    return odd(client, n - 1)


def odd(client, n):
    client.responses.create(input=str(n))
    return even(client, n - 1)


def start():
    return even(made_0(), 4)


def again(todo):
    todo = [todo, *todo, start]
    for item in todo:
        item = item.next.next
    return todo[0]()""",
    "steps.py": """from base import Step
from chain import made_0


class First(Step):
    def run(self, text):
        return self.after.run(text)


class Last(Step):
    def run(self, text):
        return self.llm.chat.completions.create(messages=[text])


def build():
    return First(after=First(after=Last(llm=made_0())))


def main():
    return build().run('Summarize the text below in one sentence.')""",
}


def found(root: Path, files: dict[str, str], chance: random.Random) -> list[str]:
    """All that a graph over the files tells, the files taken in any order."""
    write(root, files)
    facts = [item for item in map(facts_of, find_sources(root)) if isinstance(item, FileFacts)]
    chance.shuffle(facts)
    graph = CallGraph(Index(facts), sinks.load())
    nodes = graph.build()
    labels, _ = assign(graph, nodes, {})

    def name(ref: tuple[int, int]) -> str:
        return graph.index.place(ref)

    return sorted(
        f"{name(ref)} {labels[ref].label} {node.hops} {sorted((s.library, s.operation) for s in node.sites)} "
        f"{sorted(map(name, node.callees))}"
        for ref, node in nodes.items()
    )


@pytest.mark.parametrize("seed", range(8))
def test_files_and_functions_in_any_order_give_the_same(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    shuffled = {}
    for path, text in PROJECT.items():
        head, *rest = text.split("\n\n\n")
        chance.shuffle(rest)
        shuffled[path] = "\n\n\n".join([head, *rest])
    usual = found(tmp_path / "a", PROJECT, random.Random(0))
    assert {"Last.run", "odd"} <= {line.split("|")[1].split(":")[0] for line in usual}
    assert found(tmp_path / "b", shuffled, chance) == usual
