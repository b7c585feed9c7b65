"""A map that one Python wrote is not stale for another."""

from llmcost_analyzer.hashes import source_hashes

SOURCE = """
class A:
    x = f()

    def g(self, a=1, *b):
        def inner():
            return [i for i in b]

        class C:
            pass

        return lambda: inner()
"""


def test_hashes_are_the_same_on_every_python() -> None:
    assert source_hashes(SOURCE) == {
        "<module>": "e8ddcbef7dc8554a",
        "A": "f9c0ccd5902870fa",
        "A.g": "71b3ee54feb1a18c",
        "A.g.inner": "ae1292cc7199c6f4",
        "A.g.C": "f8e211bd496e62be",
    }
