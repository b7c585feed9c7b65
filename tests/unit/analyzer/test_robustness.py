"""No file makes a scan fail: the standard library with its test suite, bad syntax included, and installed packages."""

import sysconfig
from pathlib import Path

import pytest

from llmcost_analyzer import sinks
from llmcost_analyzer.callgraph import CallGraph
from llmcost_analyzer.facts import FileFacts
from llmcost_analyzer.index import Index
from llmcost_analyzer.labelers.assign import assign
from llmcost_analyzer.project import Skipped, Source
from llmcost_analyzer.reader import facts_of

STDLIB = Path(sysconfig.get_paths()["stdlib"])
PACKAGES = Path(sysconfig.get_paths()["purelib"])
MOST_PACKAGES = 200
SHARE = 8
"""One file in so many; `bench/scan.py --robust` scans all of them."""


def read(root: Path, files: list[Path]) -> tuple[list[FileFacts], list[Skipped]]:
    facts: list[FileFacts] = []
    skipped: list[Skipped] = []
    for path in files:
        status = path.stat()
        found = facts_of(Source(path.relative_to(root).as_posix(), path, status.st_size, status.st_mtime_ns))
        (facts if isinstance(found, FileFacts) else skipped).append(found)  # type: ignore[arg-type]
    return facts, skipped


def label(facts: list[FileFacts]) -> None:
    """All that a scan does after reading."""
    graph = CallGraph(Index(facts), sinks.load())
    nodes = graph.build()
    assert assign(graph, nodes, {})[0].keys() == nodes.keys()


@pytest.mark.slow
def test_the_standard_library_and_its_tests() -> None:
    every = [path for path in sorted(STDLIB.rglob("*.py")) if "site-packages" not in path.parts]
    files = sorted({*every[::SHARE], *(path for path in every if "bad" in path.name)})
    facts, skipped = read(STDLIB, files)
    assert len(facts) + len(skipped) == len(files)
    assert all(item.reason for item in skipped)
    label(facts)
    bad = {item.path for item in skipped if "syntax error" in item.reason}
    if (STDLIB / "test").is_dir():
        assert any("bad" in path for path in bad)


@pytest.mark.slow
def test_installed_packages() -> None:
    packages = [folder for folder in sorted(PACKAGES.iterdir()) if (folder / "__init__.py").is_file()][:MOST_PACKAGES]
    for package in packages:
        files = sorted(package.rglob("*.py"))[::SHARE]
        facts, skipped = read(PACKAGES, files)
        assert len(facts) + len(skipped) == len(files)
        assert all(item.reason for item in skipped)
        label(facts)
