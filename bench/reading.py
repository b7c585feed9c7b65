"""What it costs to read a request, a response of 2 to 1,000 kB, and a stream of 43 events; and to look up an endpoint.

    python bench/reading.py

Each figure is the least of many rounds, in microseconds, beside what ``json.loads`` takes for the same body.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence

from llmcost.exchange.reading import Reading
from llmcost.providers import Endpoint, RequestFacts, registry

USAGE = {"prompt_tokens": 1200, "completion_tokens": 160, "total_tokens": 1360}
STEP = 16_384


def least(work: Callable[[], object], rounds: int = 40) -> float:
    """Microseconds of one run, in the best round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(20):
            work()
        best = min(best, (time.perf_counter() - start) / 20)
    return best * 1e6


def endpoint(path: str) -> Endpoint:
    """An endpoint of OpenAI."""
    found = registry().endpoint("POST", "api.openai.com", None, path)
    assert found is not None
    return found


def read(at: Endpoint, request: RequestFacts, pieces: Sequence[bytes]) -> None:
    """Read a response: whole if it is one piece, else piece by piece."""
    kind = "application/json" if pieces[0].startswith(b"{") else "text/event-stream"
    reading = Reading(at, request, 200, {"content-type": kind})
    if len(pieces) == 1:
        reading.whole(pieces[0])
    else:
        for piece in pieces:
            reading.feed(piece)
    assert reading.facts().usage is not None


def embeddings(size: int) -> bytes:
    """A reply with one vector of about ``size`` bytes."""
    vector = [0.0123456789012345 + 1 / (n + 2) for n in range(size // 21)]
    document = {"object": "list", "data": [{"index": 0, "embedding": vector}], "model": "m", "usage": USAGE}
    return json.dumps(document).encode()


def chat(size: int) -> bytes:
    """An answer with about ``size`` bytes of text."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "word " * (size // 5)}, "finish_reason": "stop"}
    return json.dumps({"id": "c", "model": "m", "choices": [choice], "usage": USAGE}).encode()


def stream(events: int) -> list[bytes]:
    """A chat stream with its usage."""
    head = {"id": "c", "object": "chat.completion.chunk", "model": "m", "usage": None}
    choice = {"index": 0, "delta": {"content": "Some words of text. "}, "logprobs": None, "finish_reason": None}
    chunks = [{**head, "choices": [choice]}] * (events - 3)
    chunks.append({**head, "choices": [{**choice, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**head, "choices": [], "usage": USAGE})
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def main() -> int:
    """Print the table."""
    made, at, vectors = registry(), endpoint("/v1/chat/completions"), endpoint("/v1/embeddings")
    body = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": "x" * 1600}], "temperature": 0.2}
    ).encode()
    request = at.read_request("/v1/chat/completions", {}, body)
    assert request is not None
    print("| what | µs | json.loads µs |\n|---|---|---|")
    known = least(lambda: made.endpoint("POST", "api.openai.com", None, "/v1/chat/completions"))
    print(f"| look-up, provider | {known:.2f} | |")
    print(f"| look-up, other host | {least(lambda: made.endpoint('GET', 'example.com', None, '/a')):.2f} | |")
    asked = least(lambda: at.read_request("/v1/chat/completions", {}, body))
    print(f"| request of {len(body):,} bytes | {asked:.1f} | {least(lambda: json.loads(body)):.1f} |")
    for size in (2_000, 50_000, 200_000, 1_000_000):
        for name, there, text in (("chat", at, chat(size)), ("embeddings", vectors, embeddings(size))):
            pieces = [text[start : start + STEP] for start in range(0, len(text), STEP)]
            whole, fed = least(lambda: read(there, request, [text])), least(lambda: read(there, request, pieces))  # noqa: B023
            parsed = least(lambda: json.loads(text), 3)  # noqa: B023
            print(f"| {name} of {len(text):,} bytes, whole | {whole:.1f} | {parsed:.1f} |")
            print(f"| {name} of {len(text):,} bytes, in {len(pieces)} pieces | {fed:.1f} | {parsed:.1f} |")
    events = stream(43)
    print(f"| stream of {len(events)} events | {least(lambda: read(at, request, events)):.1f} | |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
