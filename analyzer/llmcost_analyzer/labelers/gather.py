"""Texts, names and classes inside the expressions of a call, and behind their names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from llmcost_analyzer.callgraph import CallGraph
from llmcost_analyzer.facts import Expr
from llmcost_analyzer.values import UNKNOWN_PART, Class, Items, Ref, Sdk, Text, Value, in_order

PROMPT_LENGTH: Final = 24
"""Texts shorter than this are names, keys and roles, not prompts."""
_ROLES: Final = frozenset(
    {
        "assistant",
        "user",
        "system",
        "role",
        "content",
        "text",
        "tool",
        "message",
        "messages",
        "chat",
        "human",
        "ai",
        "model",
    }
)
_SETTING: Final = re.compile(
    r"(?i)^(\w+_)?(model|models|model_?(name|id|params|kwargs|config)|engine|deployment|config\w*|settings?|options|params|"
    r"headers|api_?(key|base|version|type)|base_?url|url|uri|endpoint|host|timeout|temperature|top_?[pk]|seed|stop|"
    r"max_\w*tokens|proxies|proxy|env|environ|token|region\w*|cache\w*|callbacks?|logger)$"
)
"""Names and keywords of arguments that say how to call a model, not what for."""
_PROMPT_FILE: Final = re.compile(r"(?:[\w. -]+/)*(?P<name>[\w -]+)\.(?:ya?ml|txt|md|j2|jinja2?|prompt|mustache)")
_ONE_WORD: Final = re.compile(r"[!-~]+")
"""An address, a path, the name of a model: no prompt, however long."""
_DEPTH: Final = 5
_MOST_ITEMS: Final = 12
_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_WITHIN: Final = frozenset({"item", "each", "nth"})
"""Expressions that give a part of what another holds."""
_PARTS: Final = {
    "list": lambda e: e[1],
    "any": lambda e: e[1],
    "join": lambda e: e[1],
    "pipe": lambda e: e[1:],
    "star": lambda e: e[1:],
    "each": lambda e: e[1:],
    "enter": lambda e: e[1:],
    "nth": lambda e: e[1:2],
    "in": lambda e: e[2:],
}
"""The expressions inside an expression, by its tag."""


def words(name: str) -> str:
    """``summarizeArticle_v2`` is ``summarize article v 2``."""
    return " ".join(part.lower() for part in _WORDS.findall(name))


def is_prose(text: str) -> bool:
    """Whether a text is long enough for a prompt and more than one word."""
    return len(text) >= PROMPT_LENGTH and not _ONE_WORD.fullmatch(text)


@dataclass(slots=True)
class Gathered:
    """What was found; files of prompts are named like the classes of answers."""

    texts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    from_file: bool = False
    """Whether a prompt comes from a file."""

    def add_text(self, text: str) -> None:
        """A prompt, the file of one, or the name of something."""
        file = _PROMPT_FILE.fullmatch(text)
        if file:
            self.classes.append(words(file["name"]))
            self.from_file = True
        elif is_prose(text):
            self.texts.append(text)
        elif len(text) < PROMPT_LENGTH and text not in _ROLES:
            self.names.append(words(text))


class Gatherer:
    """Walks expressions and what their names stand for; every expression and value once."""

    def __init__(self, graph: CallGraph) -> None:
        self._index = graph.index
        self._evaluator = graph.evaluator
        self._seen: set[object] = set()
        self.found = Gathered()

    def gather(self, ref: Ref, expr: Expr | None, depth: int = 0) -> None:
        """Collect from an expression of a scope."""
        if expr is None or depth > _DEPTH or id(expr) in self._seen:
            return
        self._seen.add(id(expr))
        tag = expr[0]
        if tag == "text":
            self.found.add_text(expr[1])
        elif tag in {"name", "attr", "item"}:
            self._named(ref, expr, depth)
        elif tag == "call":
            self._call(ref, expr, depth)
        elif tag == "dict":
            self._dict(ref, expr, depth)
        elif tag in _PARTS:
            for part in _PARTS[tag](expr):
                self.gather(ref, part, depth + 1)

    def _dict(self, ref: Ref, expr: Expr, depth: int) -> None:
        for key, value in zip(expr[1], expr[2], strict=True):
            if key is None or key[0] != "text" or not _SETTING.match(key[1]):
                self.gather(ref, value, depth + 1)

    def _named(self, ref: Ref, expr: Expr, depth: int) -> None:
        if isinstance(expr[-1], str) and expr[-1] != "self":
            if _SETTING.match(expr[-1]):
                return
            self.found.names.append(words(expr[-1]))
        if expr[0] == "name" and self._is_param(ref, expr[1]):
            return
        bound = self._index.scope(ref).binds.get(expr[1]) if expr[0] == "name" and ref[1] else None
        if bound is not None:
            for value in bound:
                self.gather(ref, value, depth + 1)
            return
        if not self._is_from_caller(ref, expr):
            for behind in sorted(self._evaluator.value(ref, expr), key=in_order):
                self._behind(behind, depth + 1)
        if expr[0] != "name":
            self.gather(ref, expr[1], depth + 1)

    def _call(self, ref: Ref, expr: Expr, depth: int) -> None:
        told = (value for key, value in expr[3] if key is None or not _SETTING.match(key))
        for part in (expr[1], *expr[2], *told):
            self.gather(ref, part, depth + 1)
        for value in sorted(self._evaluator.value(ref, expr), key=in_order) if depth else ():  # at first: the answer
            if isinstance(value, (Text, Items)):
                self._behind(value, depth + 1)

    def _is_from_caller(self, ref: Ref, expr: Expr | None, depth: int = 0) -> bool:
        """``messages[0]["content"]`` belongs to the callers, and so does ``m["content"] for m in messages``."""
        while expr is not None and expr[0] in _WITHIN:
            expr = expr[1]
        if expr is None or expr[0] != "name" or depth > _DEPTH:
            return False
        bound = self._index.scope(ref).binds.get(expr[1], ())
        return self._is_param(ref, expr[1]) or any(self._is_from_caller(ref, value, depth + 1) for value in bound)

    def _is_param(self, ref: Ref, name: str) -> bool:
        """What comes through a parameter belongs to the callers."""
        at: Ref | None = ref
        while at is not None:
            scope = self._index.scope(at)
            if any(param.name == name for param in scope.params):
                return True
            if name in scope.binds:
                return False
            at = self._index.parent(at)
        return False

    def _behind(self, value: Value, depth: int) -> None:
        if depth > _DEPTH or value in self._seen:
            return
        self._seen.add(value)
        if isinstance(value, Text):
            self.found.add_text(value.text.replace(UNKNOWN_PART, " "))
        elif isinstance(value, Items):
            texts = (item for item in value.values if not isinstance(item, Sdk))  # an SDK's object here is an answer
            for item in sorted(texts, key=in_order)[:_MOST_ITEMS]:
                self._behind(item, depth + 1)
        elif isinstance(value, Class):
            scope = self._index.scope(value.ref)
            self.found.classes.append(words(scope.name))
            self.found.texts.append(scope.docstring)
        elif isinstance(value, Sdk):
            made = self._evaluator.origins.made(value.origin)
            if made is not None:
                self.gather(*made, depth + 1)
