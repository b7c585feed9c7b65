from pathlib import Path
from textwrap import dedent

import pytest
from analyzer_projects import found

from llmcost_analyzer.guesses import Guesser
from llmcost_analyzer.values import Ref

LLM = """
from openai import OpenAI
client = OpenAI()
def ask(prompt):
    return client.responses.create(model="m", input=prompt)
"""


def program(code: str) -> str:
    return LLM + dedent(code)


def test_reach_over_files_with_hops(tmp_path: Path) -> None:
    work = """
    from app import ask_model
    async def summarize(text):
        return ask_model(f"Summarize: {text}")
    """
    main = """
    from app import work
    def main():
        return work.summarize("x")
    def other():
        return 1
    """
    files = {
        "app/llm.py": LLM,
        "app/__init__.py": "from app.llm import ask as ask_model\n",
        "app/work.py": dedent(work),
        "main.py": dedent(main),
    }
    entries = found(tmp_path, files)
    assert {name: entry.hops for name, entry in entries.items()} == {"ask": 0, "summarize": 1, "main": 2}
    assert [(c.file, c.function, c.line) for c in entries["main"].callees] == [("app/work.py", "summarize", 4)]


def test_dispatch_over_an_abstract_base(tmp_path: Path) -> None:
    base = """
    class Model:
        def generate(self, prompt):
            return self._send(prompt)
        def _send(self, prompt):
            raise NotImplementedError
    """
    real = """
    from base import Model
    from openai import OpenAI
    class Real(Model):
        def __init__(self):
            self.client = OpenAI()
        def _send(self, prompt):
            return self.client.responses.create(input=prompt)
    """
    use = """
    from base import Model
    def answer(model: Model):
        return model.generate("x")
    """
    files = {"base.py": dedent(base), "real.py": dedent(real), "use.py": dedent(use)}
    assert set(found(tmp_path, files)) == {"Real._send", "Model.generate", "answer"}


def test_a_graph_reaches_its_nodes_where_it_runs_not_where_it_is_built(tmp_path: Path) -> None:
    code = program("""
    from langgraph.graph import StateGraph
    def node(state):
        return ask("x")
    def build():
        graph = StateGraph(dict)
        graph.add_node("n", node)
        return graph.compile()
    def run():
        return build().invoke({})
    """)
    assert set(found(tmp_path, {"app.py": code})) == {"ask", "node", "run"}


def test_threads_and_executors_reach_what_they_run(tmp_path: Path) -> None:
    code = program("""
    import threading
    from concurrent.futures import ThreadPoolExecutor
    def one():
        threading.Thread(target=ask, args=("x",)).start()
    def two():
        with ThreadPoolExecutor() as pool:
            return list(pool.map(ask, ["x"]))
    def three():
        return ask
    """)
    entries = found(tmp_path, {"app.py": code})
    assert {name: entry.spawns for name, entry in entries.items()} == {"ask": False, "one": True, "two": True}


def test_code_at_module_level_and_in_nested_functions(tmp_path: Path) -> None:
    code = program("""
    def outer():
        def inner():
            return ask("x")
        return inner()
    print(ask("y"))
    """)
    assert set(found(tmp_path, {"app.py": code})) == {"ask", "outer", "outer.inner", "<module>"}


def test_a_method_handed_over_as_a_callback_is_reached(tmp_path: Path) -> None:
    code = program("""
    class Job:
        def work(self):
            return ask("x")
    def repeat(task):
        return task()
    def start():
        return repeat(Job().work)
    """)
    assert set(found(tmp_path, {"app.py": code})) == {"ask", "Job.work", "repeat", "start"}


def test_who_runs_a_lambda_does_not_run_the_function_around_it(tmp_path: Path) -> None:
    entries = found(
        tmp_path,
        {
            "app.py": "from openai import OpenAI\nclient = OpenAI()\n\n\n"
            "def first_long(rows, key):\n    for row in rows:\n        if key(row):\n            return row\n\n\n"
            "def runs(step):\n    return step()\n\n\n"
            "def answer(rows):\n    text = first_long(rows, lambda row: row.text)\n"
            "    return client.responses.create(input=text)\n\n\n"
            "def later(text):\n    return runs(lambda: client.responses.create(input=text))\n",
        },
    )
    assert entries.keys() == {"answer", "later", "runs"}
    assert [callee.function for callee in entries["runs"].callees] == ["later"]


def test_a_function_among_the_fields_of_an_object_is_found_under_its_name(tmp_path: Path) -> None:
    entries = found(
        tmp_path,
        {
            "llm.py": "from openai import OpenAI\n\n\ndef complete(prompt):\n"
            "    return OpenAI().responses.create(input=prompt)\n",
            "rag.py": "from dataclasses import asdict, dataclass\nfrom llm import complete\n\n\n"
            "def report(text, config: dict):\n    ask = config['best_model_func']\n    return ask(text)\n\n\n"
            "def count(text, config: dict):\n    measure = config['size_func']\n    return measure(text)\n\n\n"
            "@dataclass\nclass Rag:\n    best_model_func: callable = complete\n    size_func: callable = len\n\n"
            "    def run(self, text):\n        count(text, asdict(self))\n        return report(text, asdict(self))\n",
        },
    )
    assert entries.keys() == {"complete", "report", "Rag.run"}


def test_a_text_that_doubles_in_a_circle_has_an_end(tmp_path: Path) -> None:
    merge = """
    def merge(tokens):
        words = [token.text for token in tokens]
        first, second = words[0], words[1]
        words.insert(0, f"{first} {second}")
        return words
    def write_pages(tokens):
        for name in merge(tokens):
            client.responses.create(model=name, input=tokens)
    """
    assert "write_pages" in found(tmp_path, {"app.py": program(merge)})


def test_what_tests_put_in_the_place_of_a_client_hides_no_call(tmp_path: Path) -> None:
    adapter = """
    import json
    class Adapter:
        def __init__(self, client):
            self.client = client
        def send(self, body):
            return self.client.invoke_model(modelId="m", body=json.dumps(body))
    """
    test = """
    from unittest.mock import Mock
    from adapter import Adapter
    class Client:
        def invoke_model(self, modelId, body):
            return {}
    def test_send():
        assert Adapter(Client()).send({}) == {}
        assert Adapter(Mock()).send({})
    """
    entries = found(tmp_path, {"adapter.py": dedent(adapter), "tests/test_adapter.py": dedent(test)})
    assert [site.operation for site in entries["Adapter.send"].call_sites] == ["chat"]


def test_a_partial_that_is_kept_is_no_request(tmp_path: Path) -> None:
    keeps = """
    from functools import partial
    class Sender:
        def __init__(self):
            self.send = partial(client.responses.create, model="m")
        def answer(self, text):
            return self.send(input=text)
    """
    entries = found(tmp_path, {"app.py": program(keeps)})
    assert "Sender.answer" in entries
    assert "Sender.__init__" not in entries


def test_a_module_that_whoever_runs_the_code_puts_there_is_known(tmp_path: Path) -> None:
    plugin = """
    @register(imports=["litellm"])
    def answer(question):
        return litellm.completion(model="m", messages=question)
    """
    assert "answer" in found(tmp_path, {"plugin.py": dedent(plugin), "app.py": "import litellm\n"})


def test_a_function_is_called_by_the_name_it_is_kept_under(tmp_path: Path) -> None:
    graph = """
    def extract_entities(text, config):
        send = config["send"]
        return send(text)
    class Graph:
        extraction = extract_entities
        def insert(self, text):
            return self.extraction(text, config={"send": ask, "size": 1})
    """
    entries = found(tmp_path, {"app.py": program(graph)})
    assert {"extract_entities", "Graph.insert"} <= entries.keys()


def test_a_base_class_of_another_package_runs_what_it_calls(tmp_path: Path) -> None:
    flow = """
    from theflow import Function
    class Chat(Function):
        def run(self, prompt):
            return ask(prompt)
    class Pipeline(Function):
        chat: Chat
        def run(self, text):
            return self.chat(text)
    """
    assert {"Chat.run", "Pipeline.run"} <= found(tmp_path, {"app.py": program(flow)}).keys()


def test_a_request_by_its_shape_alone_is_the_projects_own_where_it_has_such_methods(tmp_path: Path) -> None:
    stores = """
    class Embeddings:
        def embed_query(self, text):
            return client.embeddings.create(model="m", input=text)
    def search(store, embeddings, text):
        return store.near(embeddings.embed_query(text))
    """
    foreign = """
    def search(store, embeddings, text):
        return store.near(embeddings.embed_query(text))
    """
    own = found(tmp_path / "own", {"app.py": program(stores)})["search"]
    assert (own.kind, own.hops) == ("indirect", 1)
    assert found(tmp_path / "foreign", {"app.py": program(foreign)})["search"].kind == "direct"


def test_a_name_of_several_families_is_that_of_the_one_made_to_be_overridden(tmp_path: Path) -> None:
    code = """
    class BaseEmbedding:
        def create_embedding(self, text):
            raise NotImplementedError
    class HostedEmbedding(BaseEmbedding):
        def create_embedding(self, text):
            return client.embeddings.create(model="m", input=text)
    class LocalEmbedding(BaseEmbedding):
        def create_embedding(self, text):
            return len(text)
    class TreeBuilder:
        def __init__(self, config):
            self.models = config.models
        def create_embedding(self, text):
            return self.models[0].create_embedding(text)
    class TreeReader:
        def create_embedding(self, text):
            return text
    """
    assert found(tmp_path, {"app.py": program(code)})["TreeBuilder.create_embedding"].kind == "indirect"


def test_a_common_name_of_several_families_is_that_of_the_one_called_like_the_object(tmp_path: Path) -> None:
    code = """
    class BaseSummarizationModel:
        def summarize(self, text):
            raise NotImplementedError
    class HostedSummarizationModel(BaseSummarizationModel):
        def summarize(self, text):
            return ask(f"Summarize: {text}")
    class Tree:
        def __init__(self, config):
            self.summarization_models = config.models
        def summarize(self, nodes):
            return self.summarization_models["short"].summarize(nodes)
        def cut(self, budget):
            return budget.summarize()
    """
    entries = found(tmp_path, {"app.py": program(code)})
    assert entries["Tree.summarize"].kind == "indirect"
    assert "Tree.cut" not in entries


def test_a_container_of_services_gives_what_it_is_asked_for(tmp_path: Path) -> None:
    code = """
    from injector import Injector
    class ChatService:
        def chat(self, question):
            return ask(question)
    def container():
        return Injector()
    def sql_for(question):
        service = container().get(ChatService)
        return service.chat(question)
    def setting(name):
        return container().get(name).chat(name)
    """
    entries = found(tmp_path, {"app.py": program(code)})
    assert entries["sql_for"].kind == "indirect"
    assert "setting" not in entries


def test_what_the_class_of_an_sdk_lacks_is_that_of_the_projects_own_classes(tmp_path: Path) -> None:
    code = """
    from llama_index.core.llms import LLM
    from llama_index.llms.openai import OpenAI as Model
    class Structured:
        async def structured_reply(self, question):
            return await self.achat(question)
        def remember(self, question):
            return ask(question)
    class OwnModel(Structured, Model):
        pass
    class Other:
        def remember(self, question):
            return ask(question)
    async def reply(llm: LLM, question):
        return llm.remember(question)
    """
    entries = found(tmp_path, {"app.py": program(code)})
    assert [callee.function for callee in entries["reply"].callees] == ["Structured.remember"]


MANY_FAMILIES = "".join(
    f"""
class Rows{number}:
    def fetch_rows(self):
        return ask("{number}")
class Later{number}(Rows{number}):
    def fetch_rows(self):
        return []
def use_{number}(rows_{number}):
    return rows_{number}.fetch_rows()
def pass_on_{number}(thing):
    return thing.fetch_rows()
"""
    for number in range(20)
)


def test_the_families_of_a_name_are_found_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Ref] = []
    root = Guesser._root

    def noted(self: Guesser, ref: Ref, name: str) -> Ref:
        asked.append(ref)
        return root(self, ref, name)

    monkeypatch.setattr(Guesser, "_root", noted)
    entries = found(tmp_path, {"app.py": program(MANY_FAMILIES)})
    assert "Rows7.fetch_rows" in entries
    methods, rounds = 40, 2
    assert 0 < len(asked) <= methods * rounds


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_shallow_stack_finds_what_a_deep_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    files = {"app.py": program(MANY_FAMILIES)}
    deep = found(tmp_path / "deep", files)
    monkeypatch.setattr("llmcost_analyzer.solve.DEPTH", depth)
    assert found(tmp_path / "shallow", files) == deep
