"""Loaded by every Python process below ``llmcost run``: workers and reloaded processes inherit the path to it."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path


def _start() -> None:
    try:
        from llmcost.errors import LLMCostError
        from llmcost.exchange.guard import guard
        from llmcost.instrumentor import observe
    except ImportError:  # an interpreter that llmcost is not installed for
        if os.environ.get("LLMCOST_RUN_ID", "").endswith(f"-{os.getpid()}"):  # not a helper: the program itself
            sys.stderr.write(f"llmcost: it is not installed for {sys.executable}; nothing is recorded\n")
        return
    with guard("bootstrap"):
        try:
            observe()
        except LLMCostError as error:  # what the user can mend is one line; the program runs
            sys.stderr.write(f"llmcost: {error}; nothing is recorded\n")


def _next_sitecustomize() -> None:
    """Run the program's own ``sitecustomize``, which this file stands before."""
    here = Path(__file__).resolve().parent
    rest = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    spec = PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


_start()
_next_sitecustomize()
