"""How far estimated tokens are from the stated ones, on the recorded exchanges.

    python bench/estimates.py FOLDER      a folder with PROVIDER.jsonl.gz files, each line an exchange

Each call with usage is estimated twice: by the constant rate, and by the rates learnt from the other calls of its
model. Calls with images, audio, video or server tools are left out. Printed: median and 90th percentile of the relative
error, and the sum of all estimates over the sum of all stated tokens.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

from llmcost.calls import Usage
from llmcost.exchange.estimate import TokenRates
from llmcost.exchange.reading import Reading
from llmcost.providers import RequestFacts, ResponseFacts, registry

TEXT = frozenset({"chat", "generate_content", "text_completion"})
NOT_TEXT = frozenset(
    {"image_input", "audio_input", "video_input", "image_output", "audio_output", "server_tool", "iterations"}
    | {"tool_use_prompt", "no_usage", "truncated"}
)


@dataclass(frozen=True)
class Sample:
    """One call: what was asked, what was stated, and the length of its answer."""

    model: str
    request: RequestFacts
    usage: Usage
    characters: int
    stream: bool


def body(part: dict[str, str]) -> bytes:
    """The bytes of a recorded body."""
    return base64.b64decode(part["base64"]) if "base64" in part else part.get("text", "").encode(errors="replace")


def samples(folder: Path) -> Iterator[Sample]:
    """The calls that are text alone and state their usage."""
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                found = sample(json.loads(line))
                if found is not None:
                    yield found


def sample(exchange: dict[str, Any]) -> Sample | None:
    """The sample of one exchange, if it is of use here."""
    gold, sent = exchange["gold"], body(exchange["request_body"])
    if gold["class"] != "positive" or gold["error"] or NOT_TEXT & set(gold["features"]) or b"ELIDED" in sent:
        return None
    url = urlsplit(exchange["url"])
    endpoint = registry().endpoint(exchange["method"], url.hostname or "", url.port, url.path)
    if endpoint is None or endpoint.operation not in TEXT or not sent:
        return None
    request = endpoint.read_request(url.path, exchange["request_headers"], sent)
    if request is None:
        return None
    reading = Reading(endpoint, request, exchange["status"], exchange["response_headers"])
    reading.feed(body(exchange["response_body"]))
    facts = reading.facts()
    model = facts.model or request.model
    if model is None or facts.usage is None or not facts.usage.input_tokens:
        return None
    return Sample(model, request, facts.usage, reading.output_characters(), bool(gold["stream"]))


def estimated(one: Sample, others: list[Sample]) -> Usage:
    """The usage of a call as estimated with the rates of other calls."""
    rates = TokenRates()
    for other in others:
        rates.learn(other.request, ResponseFacts(model=other.model, usage=other.usage), lambda: other.characters)  # noqa: B023
    facts = ResponseFacts(model=one.model, output_characters=one.characters)
    return rates.estimate(one.request, facts) or Usage(0, 0)


def report(name: str, chosen: list[Sample], all_: list[Sample], tokens: Callable[[Usage], int | None]) -> None:
    """Print one row for the constant and one for the learnt rates."""
    by_model: dict[str, list[Sample]] = defaultdict(list)
    for one in all_:
        by_model[one.model].append(one)
    for kind in ("constant", "learnt"):
        errors, guessed, stated = [], 0, 0
        for one in chosen:
            others = [other for other in by_model[one.model] if other is not one] if kind == "learnt" else []
            guess, truth = tokens(estimated(one, others)) or 0, tokens(one.usage) or 0
            if truth:
                errors.append(abs(guess - truth) / truth)
                guessed, stated = guessed + guess, stated + truth
        high = quantiles(errors, n=10)[-1]
        print(
            f"| {name} | {kind} | {len(errors)} | {median(errors):.2f} | {high:.2f} | {guessed / max(1, stated):.2f} |"
        )


def main(argv: list[str]) -> int:
    """Print the table."""
    found = list(samples(Path(argv[0])))
    answered = [one for one in found if one.characters]
    streams = [one for one in answered if one.stream and not one.usage.reasoning_tokens]
    print("| tokens | rate | calls | median error | p90 error | sum |\n|---|---|---|---|---|---|")
    report("input", found, found, lambda usage: usage.input_tokens)
    report("output", answered, answered, lambda usage: usage.output_tokens)
    report("output of streams without reasoning", streams, answered, lambda usage: usage.output_tokens)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
