"""Labels by a language model, on request: what would be sent, what it would cost, and what came back.

Each function is one question to any OpenAI-compatible endpoint. An answer counts only if it fits the schema; whatever
goes wrong leaves the rules' label.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from llmcost_analyzer.entries import WRAPPER_LABEL, Entry
from llmcost_analyzer.labelers.rules import LABELS

UNSURE: Final = 0.6
"""Labels of the rules below this confidence are asked about."""
ANSWER_TOKENS: Final = 90
"""What an answer of the schema takes, generously."""
_CHARACTERS_A_TOKEN: Final = 3.6
"""A round figure for source code; it is used for the estimate only."""
_MOST_SOURCE: Final = 6000
_LABEL: Final = re.compile(r"[a-z][a-z0-9_]{2,48}")
_SYSTEM: Final = (
    "You label functions of a Python program by what their language-model calls are for. Answer with one JSON object: "
    '{"label": string, "confidence": number from 0 to 1, "description": one short sentence}. '
    "Use one of these labels where it fits, else a short snake_case name of the feature. "
    f"{WRAPPER_LABEL} is a function that forwards any prompt and has no task of its own. "
    f"Labels: {', '.join(sorted(LABELS))}."
)


@dataclass(frozen=True, slots=True)
class Question:
    """A function to be labelled and the messages that ask for it."""

    entry: Entry
    messages: tuple[Mapping[str, str], ...]

    @property
    def tokens(self) -> int:
        """Input tokens, estimated from the length."""
        return round(sum(len(message["content"]) for message in self.messages) / _CHARACTERS_A_TOKEN)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, checked."""

    label: str
    confidence: float
    description: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The text of a response and the tokens that it used, None where the endpoint does not say."""

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None


class AskFailed(Exception):
    """A request brought no answer; the text says why in one line."""


class Asker(Protocol):
    """Sends one question."""

    def __call__(self, messages: Iterable[Mapping[str, str]]) -> Reply:
        """The model's reply.

        Raises:
            AskFailed: there is none.
        """


@dataclass(slots=True)
class Outcome:
    """What asking brought: functions labelled and failed, money spent in USD (None: no price is known)."""

    labelled: int = 0
    failed: int = 0
    left: int = 0
    spent: float | None = 0.0
    first_failure: str = ""


def questions(root: Path, entries: Iterable[Entry]) -> list[Question]:
    """The functions whose label is unsure, least sure first. Labels set by hand or by a model stay."""
    chosen = [entry for entry in entries if entry.origin == "rules" and entry.confidence < UNSURE and entry.lines[1]]
    chosen.sort(key=lambda entry: (entry.confidence, entry.key))
    return [Question(entry, _messages(root, entry)) for entry in chosen]


def _messages(root: Path, entry: Entry) -> tuple[Mapping[str, str], ...]:
    lines = (root / entry.file).read_text(encoding="utf-8", errors="replace").splitlines()
    source = "\n".join(lines[entry.lines[0] - 1 : entry.lines[1]])[:_MOST_SOURCE]
    calls = ", ".join(sorted({f"{site.library} {site.operation}" for site in entry.call_sites})) or "through others"
    text = f"File {entry.file}, function {entry.function}. Model calls: {calls}.\n\n{source}"
    return ({"role": "system", "content": _SYSTEM}, {"role": "user", "content": text})


def parse_answer(text: str) -> Answer:
    """Check a reply against the schema.

    Raises:
        AskFailed: it does not fit.
    """
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        document: Any = json.loads(found.group(0)) if found else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AskFailed("the answer is no JSON object")
    label, confidence = document.get("label"), document.get("confidence")
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise AskFailed(f"the answer's label is {label!r}")
    if isinstance(confidence, bool) or not isinstance(confidence, (int, float)) or not 0 <= confidence <= 1:
        raise AskFailed(f"the answer's confidence is {confidence!r}")
    description = document.get("description", "")
    if not isinstance(description, str):
        raise AskFailed("the answer's description is no text")
    return Answer(label, float(confidence), " ".join(description.split())[:200])


def ask_all(
    asked: Iterable[Question],
    ask: Asker,
    price: Callable[[int, int], float | None],
    ceiling: float | None,
) -> Outcome:
    """Ask one question after the other and put the answers into the entries.

    Args:
        asked: the questions.
        ask: sends one.
        price: USD for input and output tokens, None where no price is known.
        ceiling: USD; no question is sent that might pass it.
    """
    outcome = Outcome()
    for question in asked:
        expected = price(question.tokens, ANSWER_TOKENS)
        if ceiling is not None and (expected is None or (outcome.spent or 0.0) + expected > ceiling):
            outcome.left += 1
        else:
            _ask_one(question, ask, price, outcome)
    return outcome


def _ask_one(question: Question, ask: Asker, price: Callable[[int, int], float | None], outcome: Outcome) -> None:
    try:
        reply = ask(question.messages)
        _book(outcome, price(reply.input_tokens or question.tokens, reply.output_tokens or ANSWER_TOKENS))
        answer = parse_answer(reply.text)
    except AskFailed as exc:
        outcome.failed += 1
        outcome.first_failure = outcome.first_failure or str(exc)
        return
    entry = question.entry
    entry.label, entry.confidence, entry.origin = answer.label, round(answer.confidence, 2), "ai"
    entry.description = answer.description or entry.description
    entry.reason = "labelled by a model"
    entry.kind = "wrapper" if answer.label == WRAPPER_LABEL else "direct" if entry.call_sites else "indirect"
    outcome.labelled += 1


def _book(outcome: Outcome, cost: float | None) -> None:
    outcome.spent = None if outcome.spent is None or cost is None else outcome.spent + cost
