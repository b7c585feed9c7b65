"""The scanner's names are those that code has at run time: compared over the standard library."""

import ast
import sysconfig
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmcost_analyzer.finder import read_facts

STDLIB = Path(sysconfig.get_paths()["stdlib"])
COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "__annotate__"}
FOLDERS = (
    "",
    "asyncio",
    "concurrent/futures",
    "email",
    "http",
    "importlib",
    "json",
    "logging",
    "unittest",
    "xml/etree",
)


def code_objects(code: types.CodeType) -> Iterator[tuple[str, int]]:
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            if const.co_name not in COMPREHENSIONS and not const.co_name.startswith("<generic"):
                yield const.co_qualname.replace("<locals>.", ""), const.co_firstlineno
            yield from code_objects(const)


def fold(name: str) -> str:
    """Functions inside comprehensions and type parameters carry those in their names on some versions."""
    parts = [part for part in name.split(".") if part not in COMPREHENSIONS and not part.startswith("<generic")]
    return ".".join(parts)


def type_names(source: str) -> set[str]:
    """Names of type parameters and aliases (3.12): each has a code object of its own, which is no function."""
    kinds = tuple(
        getattr(ast, kind) for kind in ("TypeAlias", "TypeVar", "ParamSpec", "TypeVarTuple") if hasattr(ast, kind)
    )
    nodes = [node for node in ast.walk(ast.parse(source)) if kinds and isinstance(node, kinds)]
    return {getattr(node.name, "id", node.name) for node in nodes}


def differences(path: Path) -> list[tuple[str, int]]:
    data = path.read_bytes()
    source = data.decode("utf-8")
    real = Counter((fold(name), line) for name, line in code_objects(compile(data, str(path), "exec", optimize=0)))
    facts = read_facts(path.name, source, "m", is_package=False)
    ours = {(scope.qualname, scope.first) for scope in facts.scopes[1:]}
    lazy = type_names(source)
    return sorted((name, line) for name, line in set(real) - ours if name.rpartition(".")[2] not in lazy)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_code_object_of_the_standard_library_has_the_scanners_name(folder: str) -> None:
    compared = 0
    for path in sorted((STDLIB / folder).glob("*.py")):
        try:
            missing = differences(path)
        except (UnicodeDecodeError, SyntaxError):
            continue
        assert missing == [], path
        compared += 1
    assert compared
