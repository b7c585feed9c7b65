"""One file from disk to facts; what can't be read becomes a reason."""

from __future__ import annotations

import pickle

from llmcost_analyzer import sinks
from llmcost_analyzer.facts import FileFacts
from llmcost_analyzer.finder import read_facts
from llmcost_analyzer.imported import named_sdks
from llmcost_analyzer.index import module_parts
from llmcost_analyzer.project import Skipped, Source, read_text


def read_one(source: Source) -> bytes:
    """The facts of one file, pickled; or the reason why it was skipped."""
    return pickle.dumps(facts_of(source), protocol=5)


def facts_of(source: Source) -> FileFacts | Skipped:
    """The facts of one file, or the reason why it was skipped."""
    text = read_text(source)
    if isinstance(text, Skipped):
        return text
    module = ".".join(module_parts(source.path))
    try:
        facts = read_facts(source.path, text, module, is_package=source.path.endswith("__init__.py"))
    except SyntaxError as exc:
        return Skipped(source.path, f"syntax error in line {exc.lineno}")
    except (ValueError, RecursionError, MemoryError, OverflowError) as exc:
        return Skipped(source.path, f"cannot be parsed ({type(exc).__name__})")
    facts.named = named_sdks(facts, sinks.load())
    return facts
