"""What an import brings: a module or name of the project, or something of another package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmcost_analyzer.values import NOTHING, External, Module, Values

if TYPE_CHECKING:
    from llmcost_analyzer.evaluate import Evaluator


def module_of(evaluator: Evaluator, name: str, importer: int) -> Values:
    """What ``import name`` brings into a file."""
    number = evaluator.index.module(name, importer)
    if number is not None and (number != importer) and not _foreign(evaluator, name, number):
        return frozenset((Module(number, name),))
    if evaluator.index.is_folder(name) and not evaluator.sinks.known_root(name):
        return frozenset((Module(-1, name), External(name)))
    return frozenset((External(name),))


def member_of(evaluator: Evaluator, module: str, name: str, importer: int) -> Values:
    """``from module import name``: a name of a file of the project, a submodule, or something external."""
    number = evaluator.index.module(module, importer) if module.strip(".") else None
    if number is not None and number != importer:
        found = evaluator.global_name(number, name)
        if found and (defines(evaluator, number, name) or not evaluator.sinks.known_root(module)):
            return found
    child = evaluator.index.module(f"{module}.{name}" if module.strip(".") else f".{name}", importer)
    if child is not None and child != importer and (number is not None or not evaluator.sinks.known_root(module)):
        return frozenset((Module(child, name),))
    if number is not None and not evaluator.sinks.known_root(module):
        return NOTHING
    return NOTHING if module.startswith(".") else frozenset((External(f"{module}.{name}"),))


def defines(evaluator: Evaluator, number: int, name: str) -> bool:
    """Whether a name is bound at the top level of a file."""
    evaluator.index.look_up_bound(number, name)
    return name in evaluator.index.files[number].scopes[0].binds


def _foreign(evaluator: Evaluator, name: str, number: int) -> bool:
    """A file ``openai.py`` deep in a project does not stand for the package ``openai``."""
    return evaluator.sinks.known_root(name) and "/" in evaluator.index.files[number].path.replace(
        "src/", "", 1
    ).replace(f"{name.replace('.', '/')}/__init__.py", "")
