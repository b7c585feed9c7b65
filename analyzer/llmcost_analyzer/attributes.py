"""What an attribute of a value may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmcost_analyzer import imports
from llmcost_analyzer import passing as known
from llmcost_analyzer.facts import Expr
from llmcost_analyzer.index import module_parts
from llmcost_analyzer.values import (
    NOTHING,
    Class,
    External,
    Function,
    Instance,
    Items,
    Method,
    Module,
    Ref,
    Sdk,
    Super,
    Text,
    Value,
    Values,
    longer,
)

if TYPE_CHECKING:
    from llmcost_analyzer.evaluate import Evaluator

_CONTAINERS: Final = (list, dict, set, tuple)
_KEEPS_ATTRIBUTES: Final = re.compile(
    r"(session_state|\.state|\.app|current_app|\bg|user_session|local\(\)|SimpleNamespace\(\)|config)$"
)
"""Objects of other packages on which programs keep values of their own."""


def attribute(evaluator: Evaluator, base: Value, name: str) -> Values:
    """What ``base.name`` may be."""
    if isinstance(base, External):
        return _external_attribute(evaluator, base, name)
    if isinstance(base, Sdk):
        return _sdk_attribute(evaluator, base, name)
    if isinstance(base, Module):
        return _module_attribute(evaluator, base, name)
    if isinstance(base, (Instance, Class, Super)):
        return evaluator.classes.attribute(base, name)
    if isinstance(base, Function):
        return _function_attribute(evaluator, base, name)
    if isinstance(base, Text):
        return frozenset((Method(base, name),)) if hasattr(str, name) else NOTHING
    if isinstance(base, Items):
        return frozenset((Method(base, name),)) if any(hasattr(kind, name) for kind in _CONTAINERS) else NOTHING
    return NOTHING


def _external_attribute(evaluator: Evaluator, base: External, name: str) -> Values:
    path = longer(base.path, f".{name}")
    stored = evaluator.shared(("stored", base.path, name), lambda: _stored(evaluator, base, name))
    if stored:
        return stored
    kind = evaluator.sinks.typed(path) if path.endswith((".llm", ".embed_model")) else None
    return frozenset((Sdk(kind),)) if kind else frozenset((External(path),))


def _stored(evaluator: Evaluator, base: External, name: str) -> Values:
    """What the project assigns to an attribute of something external: ``st.session_state.llm = ...``."""
    out: set[Value] = set()
    if not _KEEPS_ATTRIBUTES.search(base.path):
        return NOTHING
    for ref, target, value in evaluator.index.attributes.get(name, ()):
        if base in evaluator.value(ref, target):
            out |= evaluator.value(ref, value)
    for ref, target, value in evaluator.index.attributes.get(base.path.rsplit(".", 1)[-1], ()):
        if value is not None and value[0] == "dict" and base in _attributes_named(evaluator, ref, target, base):
            under = [content for key, content in zip(value[1], value[2], strict=True) if key == ("text", name)]
            out |= evaluator.union(ref, under)
    return frozenset(out)


def _attributes_named(evaluator: Evaluator, ref: Ref, target: Expr, base: External) -> set[External]:
    """What the attribute with the last name of ``base`` may be on an external object."""
    last = base.path.rsplit(".", 1)[-1]
    return {External(f"{v.path}.{last}") for v in evaluator.value(ref, target) if isinstance(v, External)}


def _sdk_attribute(evaluator: Evaluator, base: Sdk, name: str) -> Values:
    kind = evaluator.sinks.kinds[base.kind]
    path = kind.normal(kind.longer(base.path, f".{name}") if base.path else name)
    if path in kind.same:
        return frozenset((Sdk(base.kind, "", base.origin),))
    if path in kind.gives:
        return frozenset((Sdk(kind.gives[path], "", base.origin),))
    return frozenset((Sdk(base.kind, path, base.origin),))


def _module_attribute(evaluator: Evaluator, base: Module, name: str) -> Values:
    if base.file >= 0:
        found = evaluator.global_name(base.file, name)
        if found or imports.defines(evaluator, base.file, name):
            return found
    importer = max(base.file, 0)
    dotted = base.name if base.file < 0 else ".".join(module_parts(evaluator.index.files[base.file].path))
    child = evaluator.index.module(f"{dotted}.{name}", importer)
    if child is not None:
        return frozenset((Module(child, f"{dotted}.{name}"),))
    return frozenset((Module(-1, f"{dotted}.{name}"),)) if evaluator.index.is_folder(f"{dotted}.{name}") else NOTHING


def _function_attribute(evaluator: Evaluator, base: Function, name: str) -> Values:
    """A decorated function may be an object that calls it: ``task.delay(...)``, ``tool.invoke(...)``."""
    scope = evaluator.index.scope(base.ref)
    if scope.decorators and (name in known.CALLS_FUNCTION):
        return frozenset((base,))
    return NOTHING
