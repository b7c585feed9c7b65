"""``llmcost scan --ai``: says what would be sent and what it costs, asks, sends, and books it as ``llmcost_scan``."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

import llmcost
from llmcost.calls import Usage
from llmcost.errors import ConfigError
from llmcost_analyzer.entries import Entry
from llmcost_analyzer.labelers import ai, endpoint
from llmcost_analyzer.scanner import FOLDER

LABEL: Final = "llmcost_scan"
"""The section that a scan's own calls are booked under."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for."""

    model: str
    url: str | None
    yes: bool
    max_usd: float | None
    quiet: bool


def label(root: Path, entries: list[Entry], wish: Wish) -> None:
    """Label the unsure entries by a model, in place.

    Raises:
        ConfigError: a ceiling was given but no price is known.
    """
    asked = ai.questions(root, entries)
    if not asked:
        _say(wish, "No label is unsure: nothing to ask a model.")
        return
    tokens = sum(question.tokens for question in asked)
    estimate = _price(wish.model, tokens, ai.ANSWER_TOKENS * len(asked))
    if estimate is None and wish.max_usd is not None:
        raise ConfigError(f"--max-usd: no price is known for {wish.model}; set one in llmcost.toml, [prices]")
    cost = "at a price that is not known" if estimate is None else f"for about ${estimate:.4f}"
    print(f"{len(asked)} functions, about {tokens:,} tokens, would go to {wish.model} {cost}.", file=sys.stderr)
    if not wish.yes and not typer.confirm("Send them?", err=True):
        return
    _ask(root, asked, wish)


def _ask(root: Path, asked: list[ai.Question], wish: Wish) -> None:
    llmcost.observe(store=str(root / FOLDER))
    url = wish.url or os.environ.get("OPENAI_BASE_URL")
    ask = endpoint.asker(wish.model, url, os.environ.get("OPENAI_API_KEY"))
    with llmcost.label(LABEL):
        outcome = ai.ask_all(asked, ask, lambda i, out: _price(wish.model, i, out), wish.max_usd)
    llmcost.force_flush()
    spent = "" if outcome.spent is None else f" for ${outcome.spent:.4f}"
    _say(wish, f"{outcome.labelled} labelled by {wish.model}{spent}, booked under {LABEL}.")
    if outcome.failed:
        print(f"llmcost: {outcome.failed} kept the rules' label: {outcome.first_failure}", file=sys.stderr)
    if outcome.left:
        print(f"llmcost: {outcome.left} not sent: --max-usd {wish.max_usd} would be passed", file=sys.stderr)


def _price(model: str, input_tokens: int, output_tokens: int) -> float | None:
    return llmcost.price(model, Usage(input_tokens=input_tokens, output_tokens=output_tokens)).total


def _say(wish: Wish, text: str) -> None:
    if not wish.quiet:
        print(text)
