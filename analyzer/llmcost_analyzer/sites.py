"""Requests to a model, as found in the source, and what else a call does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from llmcost_analyzer import http
from llmcost_analyzer.evaluate import Evaluator
from llmcost_analyzer.facts import Expr, callee_name
from llmcost_analyzer.values import UNKNOWN_PART, Ref, Text


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
        operation, _ = Counter(map(http.operation, addresses)).most_common(1)[0]
        yield request(evaluator, ref, call, ("http", operation))
    elif all(text == UNKNOWN_PART for text in texts) and _sends_chat(evaluator, ref, call):
        yield request(evaluator, ref, call, ("http", "chat"))


def _sends_chat(evaluator: Evaluator, ref: Ref, call: Expr) -> bool:
    """Whether the body is that of a chat: messages, and how a model is to answer them."""
    bodies = [value for name, value in call[3] if name in http.BODIES]
    return any(
        "messages" in keys and keys & http.CHAT_OPTIONS for body in bodies for keys in _keys(evaluator, ref, body)
    )


def _keys(evaluator: Evaluator, ref: Ref, body: Expr | None) -> Iterator[set[str]]:
    """The keys of each dict that a body may be, also as JSON."""
    if body is not None and body[0] == "call" and callee_name(body[1]) == "dumps" and body[2]:
        body = body[2][0]
    bound = evaluator.index.scope(ref).binds.get(body[1], ()) if body is not None and body[0] == "name" else (body,)
    for value in bound:
        if value is not None and value[0] == "dict":
            yield {key[1] for key in value[1] if key is not None and key[0] == "text"}
