"""Values are packed for the next scan and come back the same, with the numbers that files and scopes have then."""

import pytest

from llmcost_analyzer.facts import FileFacts
from llmcost_analyzer.finder import read_facts
from llmcost_analyzer.index import Index
from llmcost_analyzer.packed import Key, Packer
from llmcost_analyzer.values import (
    Class,
    External,
    Function,
    Instance,
    Items,
    Method,
    Module,
    Sdk,
    Super,
    Text,
    Value,
    Values,
)

TEXT = "class A:\n    def go(self):\n        return 1\n"


def facts(path: str, text: str = TEXT) -> FileFacts:
    return read_facts(path, text, path.removesuffix(".py"), is_package=False)


def everything(file: int, shift: int = 0) -> Values:
    """A value of each kind, about a class and its method in a file."""
    scope, method = (file, 1 + shift), (file, 2 + shift)
    plain: list[Value] = [
        Text("x"),
        External("os.path"),
        Sdk("openai", "chat", "m.py|<module>:module:0:1"),
        Module(file, "m"),
        Module(-1, "folder"),
        Function(method, bound=True),
        Function(method),
        Class(scope),
        Instance(scope, exact=True),
        Instance(scope),
        Super(scope),
    ]
    items = Items(frozenset(plain), (("key", Class(scope)),))
    return frozenset((*plain, items, Method(items, "get"), Method(Text("x"), "format")))


def test_values_come_back_with_new_numbers() -> None:
    before = Packer(Index([facts("m.py")]))
    after = Packer(Index([facts("a.py"), facts("m.py", f"def first():\n    pass\n\n\n{TEXT}")]))
    assert after.unpack(before.pack(everything(0))) == everything(1, 1)


def test_no_value_comes_back_as_none() -> None:
    packer = Packer(Index([]))
    assert packer.unpack(packer.pack(frozenset())) == frozenset()


def test_a_scope_that_is_gone_is_told() -> None:
    data = Packer(Index([facts("m.py")])).pack(frozenset((Class((0, 1)),)))
    with pytest.raises(KeyError):
        Packer(Index([facts("n.py")])).unpack(data)


def test_questions_have_names_that_outlive_numbers() -> None:
    before = Packer(Index([facts("m.py")]))
    after = Packer(Index([facts("a.py"), facts("m.py")]))
    old: list[Key] = [("a", (0, 1), "x"), ("b", 0, "x"), ("c", Instance((0, 1)), "x"), ("d", "os", "x")]
    new: list[Key] = [("a", (1, 1), "x"), ("b", 1, "x"), ("c", Instance((1, 1)), "x"), ("d", "os", "x")]
    names = [before.name(key) for key in old]
    assert names == [after.name(key) for key in new]
    assert len({*names}) == len(names)
