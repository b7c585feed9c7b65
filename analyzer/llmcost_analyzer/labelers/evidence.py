"""What there is to read about a function's task: names, docstrings, prompts, what it hands on, what it calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from llmcost_analyzer.callgraph import CallGraph, Node
from llmcost_analyzer.facts import Expr, Scope
from llmcost_analyzer.labelers.gather import Gathered, Gatherer, is_prose, words
from llmcost_analyzer.labelers.rules import PLAIN_WORDS
from llmcost_analyzer.values import Ref

_MOST_TEXT: Final = 6000
_OWN_PROMPT: Final = (60, 160)
"""Characters of prompts, and of texts in the body, from which a function is taken to have a prompt of its own."""
_NAME_LENGTH: Final = 12
"""Characters of a key, a role or a mode; longer texts say something."""
_GENERIC_METHODS: Final = frozenset(
    {
        "__call__",
        "forward",
        "run",
        "invoke",
        "execute",
        "process",
        "arun",
        "ainvoke",
        "aforward",
        "_run",
        "_arun",
        "call",
        "__init__",
        "handle",
        "generate",
        "act",
        "step",
    }
)
_PROMPT_NAME: Final = re.compile(r"(?i)prompt|instruction|system|messages?$|template|query|persona")
_INPUT_NAME: Final = re.compile(
    r"(?i)^(prompts?|(batch_)?messages?(_list|_batch)?|msgs?|texts?|inputs?|input_text|user_input|query|contents?|history|kwargs|args|system_prompt|"
    r"user_prompt|system|conversation|chat_history|instructions?|image.*|request|body|payload|params|data|_?kwargs)$"
)
_PASSED_FOLDERS: Final = frozenset({"__init__", "src", "lib", "app"})


@dataclass(slots=True)
class Evidence:
    """What was found, by where it stands. Names are split into words, prose is lower case.

    Attributes:
        owner: the class around, else the function around.
        handed: names inside the call's arguments.
        made: names of classes (signatures, response models) and of files of prompts behind them.
        prompts: texts that go to the model.
        loose: other texts of the body.
        keywords: names of the arguments of the calls that reach a model.
        reads: attributes that the body reads.
        forwards: a parameter carries what is sent.
        own_prompt: the function has text of its own to send.
        texts: its body has texts that are longer than a name.
    """

    function: str
    owner: str
    module: str
    package: str
    docstring: str
    params: str
    callees: str
    operations: frozenset[str]
    libraries: frozenset[str]
    reads: frozenset[str]
    forwards: bool
    keywords: frozenset[str] = frozenset()
    handed: str = ""
    made: str = ""
    prompts: str = ""
    loose: str = ""
    own_prompt: bool = False
    texts: bool = False


class Reader:
    """Collects evidence."""

    def __init__(self, graph: CallGraph) -> None:
        self._graph = graph
        self._index = graph.index

    def read(self, node: Node) -> Evidence:
        """All evidence about one function."""
        self._index.look(node.ref)
        scope = self._index.scope(node.ref)
        owner = self._owner(node.ref)
        parts = _path_parts(self._index.files[node.ref[0]].path)
        out = Evidence(
            function=words(scope.name) if scope.kind != "module" else "",
            owner=words(owner.name) if owner is not None else "",
            module=words(parts[-1]) if parts else "",
            package=words(" ".join(parts[:-1][-2:])),
            docstring=_docstring(scope, owner),
            params=" ".join(words(p.name) for p in scope.params if p.name not in {"self", "cls"}),
            callees=" ".join(filter(_says_more, (words(self._index.scope(ref).name) for ref in node.callees))),
            operations=frozenset(site.operation for site in node.sites),
            libraries=frozenset(site.library for site in node.sites),
            reads=frozenset(scope.reads),
            forwards=any(_INPUT_NAME.match(param.name) for param in scope.params),
        )
        self._read_calls(node, out)
        return out

    def _owner(self, ref: Ref) -> Scope | None:
        """The nearest function or class around a function."""
        parent = self._index.parent(ref)
        while parent is not None:
            scope = self._index.scope(parent)
            if scope.kind in ("class", "function"):
                return scope
            parent = self._index.parent(parent)
        return None

    def _read_calls(self, node: Node, out: Evidence) -> None:
        lines = {site.line for site in node.sites} | set(node.callees.values())
        inner = [node.ref, *self._lambdas(node.ref)]
        gatherer = Gatherer(self._graph)
        keywords: set[str] = set()
        for ref, call in self._calls(inner, lines):
            keywords |= {key for key, _ in call[3] if key}
            gatherer.gather(ref, call)
        for ref in inner:
            for name, values in self._index.scope(ref).binds.items():
                if _PROMPT_NAME.search(name):
                    gatherer.found.names.append(words(name))
                    for value in values:
                        gatherer.gather(ref, value, 1)
        out.keywords = frozenset(keywords)
        _fill(out, gatherer.found, [text for ref in inner for text in self._index.scope(ref).texts])

    def _calls(self, refs: list[Ref], lines: set[int]) -> Iterator[tuple[Ref, Expr]]:
        for ref in refs:
            for call in self._index.scope(ref).calls:
                if call[4] in lines:
                    yield ref, call

    def _lambdas(self, ref: Ref) -> Iterator[Ref]:
        for scope in self._index.files[ref[0]].scopes:
            if scope.kind == "lambda" and scope.parent == ref[1]:
                yield (ref[0], scope.index)


def _path_parts(path: str) -> list[str]:
    stem = path.removesuffix(".py").removesuffix(".ipynb")
    return [part for part in re.split(r"[/.]", stem) if part not in _PASSED_FOLDERS]


def _docstring(scope: Scope, owner: Scope | None) -> str:
    text = scope.docstring
    if owner is not None and scope.name in _GENERIC_METHODS:
        text = f"{text}\n{owner.docstring}"
    return text.strip().lower()


def _says_more(name: str) -> bool:
    """Whether a name has words for more than calling a model."""
    return not PLAIN_WORDS.issuperset(name.split())


def _fill(out: Evidence, found: Gathered, body: list[str]) -> None:
    own = [text for text in body if is_prose(text)]
    prompts = dict.fromkeys(text for text in found.texts if is_prose(text))
    out.loose = "\n".join(own)[:_MOST_TEXT].lower()
    out.prompts = "\n".join(prompts)[:_MOST_TEXT].lower()
    out.handed = " | ".join(dict.fromkeys(filter(_says_more, found.names)))
    out.made = " | ".join(dict.fromkeys(found.classes))
    out.texts = any(len(text) > _NAME_LENGTH for text in body)
    long = len(out.prompts) >= _OWN_PROMPT[0] or sum(map(len, own)) > _OWN_PROMPT[1]
    out.own_prompt = long or found.from_file
