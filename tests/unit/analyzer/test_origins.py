"""Names for where objects are made say what stands there, not in which line."""

import pytest

from llmcost_analyzer.finder import read_facts
from llmcost_analyzer.index import Index
from llmcost_analyzer.origins import Origins

TEXT = """from x import A, B
first = A(1)
second = A(1)
third = A(2)
chain = B | A(1) | (lambda: 1)
"""


def origins(text: str) -> tuple[Index, dict[str, str]]:
    """The origin of what each variable of a module holds."""
    index = Index([read_facts("m.py", text, "m", is_package=False)])
    named = Origins(index)
    binds = index.files[0].scopes[0].binds
    exprs = {name: binds[name][0] for name in ("first", "second", "third", "chain")}
    return index, {name: named.of((0, 0), expr) for name, expr in exprs.items() if expr is not None}


def test_each_place_has_a_name_of_its_own() -> None:
    _, names = origins(TEXT)
    assert len({*names.values()}) == len(names)


def test_other_lines_and_scopes_change_no_name() -> None:
    after = TEXT.replace("first", "\n\nother = [lambda: 2, A(3)]\nfirst").replace("other", "more")
    assert origins(after)[1] == {**origins(TEXT)[1], "chain": origins(after)[1]["chain"]}


@pytest.mark.parametrize("name", ["first", "second", "third", "chain"])
def test_what_was_made_is_found_by_the_name_of_an_earlier_scan(name: str) -> None:
    index, names = origins(TEXT)
    found = Origins(index).made(names[name])
    assert found is not None
    assert found[1] is index.files[0].scopes[0].binds[name][0]


def test_types_and_classes_are_made_nowhere() -> None:
    index, _ = origins(TEXT)
    assert Origins(index).made("type:openai.OpenAI") is None
    assert Origins(index).made("class:m.py|A:class:0") is None
