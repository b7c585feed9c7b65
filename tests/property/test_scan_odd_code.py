"""Code from which parts are missing never makes a scan fail: calls without arguments, empty containers, no bodies."""

import ast
import random
from pathlib import Path

import pytest
from analyzer_projects import write

from llmcost_analyzer.scanner import Options, scan

PROGRAMS = sorted((Path(__file__).parents[1] / "fixtures" / "analyzer").rglob("*.py"))
CHANCE = 0.2
_LISTS = ("args", "keywords", "elts", "values", "decorator_list", "bases", "names", "targets", "orelse", "items")


class Thinned(ast.NodeTransformer):
    """Takes parts of expressions away, as far as the result is still Python."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.Dict) and self._now():
            node.keys, node.values = [], []
        elif isinstance(node, (ast.Call, ast.List, ast.Tuple, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for name in _LISTS:
                if isinstance(getattr(node, name, None), list) and self._now():
                    setattr(node, name, [])
        elif isinstance(node, ast.Assign) and self._now():
            node.value = self._chance.choice([ast.Dict([], []), ast.List([], ast.Load()), ast.Constant(None)])
        return node

    def _now(self) -> bool:
        return self._chance.random() < CHANCE


def thinned(text: str, chance: random.Random) -> str:
    tree = ast.fix_missing_locations(Thinned(chance).visit(ast.parse(text)))
    out = ast.unparse(tree)
    try:
        ast.parse(out)
    except SyntaxError:
        return text
    return out


@pytest.mark.parametrize("seed", range(6))
def test_thinned_programs(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    files = {
        f"{path.parent.name}/{path.stem}_{at}.py": thinned(path.read_text(encoding="utf-8"), chance)
        for path in PROGRAMS
        for at in range(2)
    }
    found = scan(write(tmp_path, files), Options(cache=False))
    assert found.files == len(files)
