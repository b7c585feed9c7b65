"""A scan after edits gives exactly what a scan from scratch gives, whether the last result was kept or not."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from analyzer_projects import write

from llmcost_analyzer import scanner
from llmcost_analyzer.effects import EffectReader
from llmcost_analyzer.entries import Entry, Scan
from llmcost_analyzer.facts import Expr
from llmcost_analyzer.scanner import Options, scan
from llmcost_analyzer.sites import Effects
from llmcost_analyzer.solve import Solver
from llmcost_analyzer.values import Ref

PROJECT = {
    "llm.py": """from openai import OpenAI

client = OpenAI()


def ask(prompt):
    return client.responses.create(input=prompt)
""",
    "work.py": """from llm import ask


def summarize(text):
    return ask(f'Summarize: {text}')


def total(rows):
    return sum(rows)
""",
    "store.py": """import json


class Store:
    def save(self, row):
        return json.dumps(row)

    def load(self):
        return []
""",
    "main.py": """from store import Store
from work import summarize


def main():
    Store().save(summarize('x'))


main()
""",
    "plain.py": """LIMIT = 3


def clip(value):
    print(value)
    return min(value, LIMIT)


names = [lambda x: x, clip]
""",
    "chain.py": """from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from langgraph.graph import StateGraph
from llm import ask


def made(name):
    return ChatOpenAI(model=name)


chain = ChatPromptTemplate.from_template('Translate the text into French: {text}') | made('gpt-4o')


def node(state):
    return ask(state)


def build():
    graph = StateGraph(dict)
    graph.add_node('ask', node)
    return graph.compile()


def run(text):
    return build().invoke(text)
""",
    "agent.py": """from chain import chain, made
from llm import client


class Agent:
    def __init__(self, model, own=None):
        self.model = model
        self.own = own

    def go(self, text):
        return self.model.invoke({'text': text})

    def say(self, text):
        return self.own.responses.create(input=text)


class Polite(Agent):
    def say(self, text):
        return super().say(f'Rewrite this politely, please: {text}')


def agents():
    return [Agent(chain, client), Polite(made('gpt-4o-mini'))]


def start(text):
    for agent in agents():
        agent.say(agent.go(text))
""",
}
LINES = (
    "# a comment",
    "",
    "OTHER = 1",
    "def added(row):\n    print(row)\n    return row",
    "def ask(prompt):\n    return prompt",
    "def more(text):\n    from work import summarize\n    return summarize(text)",
    "from llm import client",
    "client = None",
    "summarize = print",
    "class Store:\n    def save(self, row):\n        from llm import ask\n        return ask(row)",
    "import threading\ndef start():\n    threading.Thread(target=clip).start()",
    "def clip(value):\n    from llm import client\n    return client.responses.create(input=value)",
    "later = [lambda: ask('x')]",
    "import decimal",
    "print(clip(2))",
    "class Other(dict):\n    def load(self):\n        return self.get('x')",
    "class Store(Other):\n    pass",
    "def total(rows):\n    return rows",
    "from store import *",
    "import importlib\nmodule = importlib.import_module('openai')",
    "def texts():\n    return ['anthropic', 'cohere']",
    "LIMIT = 4",
    "client = OpenAI(timeout=3)",
    "from openai import OpenAI\nclient = OpenAI()\nclient.responses.create(input='x')",
    "def broken(:",
    "def made(name):\n    return None",
    "from chain import chain\n\n\ndef translated(text):\n    return chain.invoke(text)",
    "def agents():\n    return []",
    "from agent import agents\nfor agent in agents():\n    agent.go('x')",
    "class Rude(Agent):\n    def say(self, text):\n        return self.own.embeddings.create(input=text)",
    "graph = StateGraph(dict)\ngraph.add_node('clip', clip)\ngraph.compile().invoke({})",
    "hooks = {'ask': summarize}\ndef later(name):\n    return hooks[name]('x')",
)


def edit(text: str, chance: random.Random) -> str:
    """One line, function or class put between two others at the top level, taken out, or moved."""
    blocks = text.split("\n\n\n")
    if chance.random() < 0.15:
        chance.shuffle(blocks)
    elif chance.random() < 0.2 and len(blocks) > 1:
        blocks.pop(chance.randrange(1, len(blocks)))
    elif chance.random() < 0.3:
        return text.replace("    return ", chance.choice(["    print(1)\n    return ", "    x = 2\n    return "]), 1)
    else:
        blocks.insert(chance.randrange(len(blocks) + 1), chance.choice(LINES))
    return "\n\n\n".join(blocks)


NAMES = ("llm", "work", "store", "more", "llm2", "pack/work", "pack/__init__", "pack/store")


def move(root: Path, chance: random.Random) -> None:
    """A file is renamed (over another one, perhaps), taken away or copied; a package may come or go by that."""
    path = root / chance.choice(sorted(file.relative_to(root).as_posix() for file in root.rglob("*.py")))
    other = root / f"{chance.choice(NAMES)}.py"
    other.parent.mkdir(exist_ok=True)
    other.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    if chance.random() < 0.7 and path != other:
        path.unlink()


def plain(entries: list[Entry]) -> list[str]:
    return [repr(entry) for entry in entries]


def whole(found: Scan) -> tuple[object, ...]:
    return plain(found.entries), found.lines, found.files, found.skipped


@pytest.mark.parametrize("seed", range(12))
def test_edits_give_the_map_of_a_cold_scan(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    write(tmp_path, PROJECT)
    scan(tmp_path)
    for _ in range(8):
        path = tmp_path / chance.choice(sorted(PROJECT))
        path.write_text(edit(path.read_text(encoding="utf-8"), chance), encoding="utf-8")
        warm, cold = scan(tmp_path), scan(tmp_path, Options(cache=False))
        assert whole(warm) == whole(cold)


@pytest.mark.parametrize("seed", range(12))
def test_files_that_come_and_go_give_the_map_of_a_cold_scan(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    write(tmp_path, PROJECT)
    scan(tmp_path)
    for _ in range(8):
        if chance.random() < 0.6:
            move(tmp_path, chance)
        else:
            path = chance.choice(sorted(tmp_path.rglob("*.py")))
            path.write_text(edit(path.read_text(encoding="utf-8"), chance), encoding="utf-8")
        warm, cold = scan(tmp_path), scan(tmp_path, Options(cache=False))
        assert whole(warm) == whole(cold)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("plain.py", "LIMIT = 3", "# how many\nLIMIT = 3"),
        ("plain.py", "    print(value)\n", "    print(value)\n    print(value, 2)\n"),
        ("work.py", "\n\ndef summarize", "\n\ndef new(a):\n    return a\n\n\ndef summarize"),
        ("llm.py", "client = OpenAI()", "client = OpenAI()  # the one\nTIMES = 3"),
    ],
)
def test_a_change_that_touches_nothing_builds_no_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str
) -> None:
    write(tmp_path, PROJECT)
    scan(tmp_path)
    path = tmp_path / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    cold = scan(tmp_path, Options(cache=False))
    monkeypatch.delattr(scanner, "CallGraph")
    assert plain(scan(tmp_path).entries) == plain(cold.entries)


def test_a_renamed_file_is_all_that_is_worked_out_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, PROJECT)
    scan(tmp_path)
    (tmp_path / "plain.py").rename(tmp_path / "simple.py")
    cold = scan(tmp_path, Options(cache=False))
    worked = noted_files(monkeypatch)
    assert plain(scan(tmp_path).entries) == plain(cold.entries)
    assert worked <= {"simple.py"}


def test_a_name_of_one_file_leaves_the_same_name_elsewhere_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {**PROJECT, "other.py": "client = 1\n"})
    scan(tmp_path)
    (tmp_path / "other.py").write_text("client = open('x')\n", encoding="utf-8")
    cold = scan(tmp_path, Options(cache=False))
    worked = noted_files(monkeypatch)
    assert plain(scan(tmp_path).entries) == plain(cold.entries)
    assert worked <= {"other.py"}


@pytest.mark.parametrize("seed", range(12))
def test_values_of_the_last_scan_lead_to_the_map_of_a_cold_scan(tmp_path: Path, seed: int) -> None:
    """The calls are all worked out again, from the values on the way to them that are kept."""
    chance = random.Random(seed)
    write(tmp_path, PROJECT)
    scan(tmp_path)
    for _ in range(5):
        for path in sorted(tmp_path.rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            path.write_text(
                edit(text, chance) if chance.random() < 0.2 else f"{text}\nprint({len(text)})\n", encoding="utf-8"
            )
        warm, cold = scan(tmp_path), scan(tmp_path, Options(cache=False))
        assert whole(warm) == whole(cold)


def test_a_value_is_taken_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, PROJECT)
    scan(tmp_path)
    path = tmp_path / "main.py"
    path.write_text(f"from agent import agents\n{PROJECT['main.py']}\nagents()[0].go('x')\n", encoding="utf-8")
    cold = scan(tmp_path, Options(cache=False))
    asked: list[object] = []
    ask = Solver.ask

    def noted(solver: Solver, key: object, work: Callable[[], object], start: object = frozenset()) -> object:
        asked.append(key)
        return ask(solver, key, work, start)

    monkeypatch.setattr(Solver, "ask", noted)
    assert plain(scan(tmp_path).entries) == plain(cold.entries)
    kinds = {key[0] for key in asked if isinstance(key, tuple)}
    assert "global" in kinds
    assert "returned" not in kinds


def noted_files(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The files whose calls are worked out from now on."""
    worked: set[str] = set()
    work_out = EffectReader._work_out

    def noted(reader: EffectReader, ref: Ref, call: Expr) -> Effects:
        worked.add(reader.index.files[ref[0]].path)
        return work_out(reader, ref, call)

    monkeypatch.setattr(EffectReader, "_work_out", noted)
    return worked


@pytest.mark.parametrize(
    "text",
    ["import decimal\n", "print(len('x'))\n", "def new(row):\n    return store(row)\n", "class New:\n    size = 3\n"],
    ids=["an import", "a call", "a function that calls", "a class"],
)
def test_what_rests_on_nothing_that_changed_is_not_worked_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    write(tmp_path, PROJECT)
    scan(tmp_path)
    path = tmp_path / "store.py"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    cold = scan(tmp_path, Options(cache=False))
    worked = noted_files(monkeypatch)
    assert plain(scan(tmp_path).entries) == plain(cold.entries)
    assert worked <= {"store.py"}


def test_a_text_that_names_an_sdk_counts_where_modules_are_imported_by_a_text(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "llm.py": "import importlib\n\n\ndef load(name):\n    return importlib.import_module(name)\n",
            "names.py": "def unused():\n    return ['nothing']\n",
            "use.py": "from llm import load\nclient = load(NAME)\n\n\ndef go(x):\n    return client.rerank(x)\n",
        },
    )
    scan(tmp_path)
    path = tmp_path / "names.py"
    for text in ("voyageai", "cohere.ClientV2", "nothing"):
        path.write_text(f"def unused():\n    return ['{text}']\n", encoding="utf-8")
        assert plain(scan(tmp_path).entries) == plain(scan(tmp_path, Options(cache=False)).entries)


def test_a_change_that_matters_builds_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, PROJECT)
    scan(tmp_path)
    path = tmp_path / "work.py"
    path.write_text(path.read_text(encoding="utf-8").replace("sum(rows)", "ask(rows)"), encoding="utf-8")
    monkeypatch.delattr(scanner, "CallGraph")
    with pytest.raises(NameError):
        scan(tmp_path)
