"""Requests to a model, as found in the source, and what else a call does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from llmcost_analyzer import http
from llmcost_analyzer.evaluate import Evaluator
from llmcost_analyzer.facts import Expr, callee_name
from llmcost_analyzer.index import Index
from llmcost_analyzer.values import UNKNOWN_PART, Ref, Text

_MOST_ADDRESSES: Final = 6
"""What may be more texts than this is any setting of a program, and so no address that is known."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A request to a model: line, library, operation, and the model where it is a literal.

    ``inside``: it is sent by a store or tool that embeds or reads on the way, not by a model object.
    """

    line: int
    library: str
    operation: str
    model: str = ""
    inside: bool = False


@dataclass(slots=True)
class Effects:
    """What one call does: requests it sends and functions of the project that it runs."""

    sites: list[Site] = field(default_factory=list)
    runs: set[Ref] = field(default_factory=set)


def request(evaluator: Evaluator, ref: Ref, call: Expr, means: tuple[str, str]) -> Site:
    """The request that a call sends; ``means`` is its library and operation."""
    model = ""
    for key in ("model", "modelId", "model_id", "model_name"):
        texts = [v.text for v in evaluator.argument(ref, call, 10_000, key) if isinstance(v, Text)]
        if len(texts) == 1 and "\0" not in texts[0]:
            model = texts[0]
    return Site(call[4], *means, model)


def raw_requests(evaluator: Evaluator, ref: Ref, call: Expr, at: int) -> Iterator[Site]:
    """The request that a call of an HTTP client sends, where the address in argument ``at`` is a model's."""
    method = evaluator.argument(ref, call, 0, "method") if at == 1 else frozenset()
    if any(isinstance(v, Text) and v.text.upper() in ("GET", "DELETE", "HEAD") for v in method):
        return
    texts = [v.text for v in evaluator.argument(ref, call, at, "url") if isinstance(v, Text)]
    addresses = sorted(text for text in texts if http.is_model_address(text))
    if addresses:
        operations = {http.operation(address) for address in addresses}
        operation = operations.pop() if len(operations) == 1 else "chat"  # what sends to all of them is for any
        yield request(evaluator, ref, call, ("http", operation))
        return
    if len(texts) > _MOST_ADDRESSES or not any(text.strip(UNKNOWN_PART) for text in texts):
        operation = _operation_of_body(evaluator, ref, call)
        if operation:
            yield request(evaluator, ref, call, ("http", operation))


def _operation_of_body(evaluator: Evaluator, ref: Ref, call: Expr) -> str:
    """What the body of a request says that it is; empty where it is none to a model."""
    bodies = [value for name, value in call[3] if name in http.BODIES]
    found = (http.operation_of_body(keys) for body in bodies for keys in _keys(evaluator.index, ref, body))
    return next(filter(None, found), "")


def names_given(index: Index, ref: Ref, call: Expr) -> set[str]:
    """The names of the arguments of a call, with those in ``**options`` of the same function and ``**`` for it.

    A list of messages counts as one that is given by its name.
    """
    unpacked = (keys for name, value in call[3] if name is None for keys in _keys(index, ref, value))
    plain = {"messages"} if any(map(_is_messages, call[2])) else set()
    return {name or "**" for name, _ in call[3]}.union(plain, *unpacked)


def _is_messages(expr: Expr | None) -> bool:
    """Whether an expression is a list of messages, told by what each holds."""
    if expr is None or expr[0] != "list" or not expr[1]:
        return False
    return all(_literal_keys(item) >= {"role", "content"} for item in expr[1])


def _keys(index: Index, ref: Ref, body: Expr | None) -> Iterator[set[str]]:
    """The keys of each dict that a body may be, also as JSON, with those that are put into it later."""
    if body is not None and body[0] == "call" and callee_name(body[1]) == "dumps" and body[2]:
        body = body[2][0]
    if body is None or body[0] != "name":
        yield _literal_keys(body)
        return
    scope = index.scope(ref)
    later = set().union(*(_literal_keys(content) for name, content in scope.puts if name == body[1]))
    for value in scope.binds.get(body[1], ()):
        yield _literal_keys(value) | later


def _literal_keys(expr: Expr | None) -> set[str]:
    if expr is None or expr[0] != "dict":
        return set()
    return {key[1] for key in expr[1] if key is not None and key[0] == "text"}
