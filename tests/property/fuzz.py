"""Mutated bodies, streams, headers and splits, played through the real clients.

Whatever a server sends: no exception of ours reaches the caller, the bytes are identical, the call is finished once.
Run by hand with ``make fuzz`` (``FUZZ=100000``); CI runs a bounded share.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import importlib
import json
import random
import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.observed import Observed, observed

from llmcost.exchange.guard import internal_errors

TARGETS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("https://api.openai.com/v1/chat/completions", {"model": "gpt-5-mini", "messages": []}),
    ("https://api.openai.com/v1/responses", {"model": "gpt-5-mini", "input": "hello"}),
    ("https://api.openai.com/v1/embeddings", {"model": "text-embedding-3-small", "input": "hello"}),
    ("https://api.anthropic.com/v1/messages", {"model": "claude-haiku-4-5", "messages": [], "max_tokens": 9}),
    ("https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent", {"contents": []}),
    (
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        {"contents": []},
    ),
    ("https://api.cohere.com/v2/chat", {"model": "command-r", "messages": []}),
    ("http://localhost:11434/api/chat", {"model": "llama3", "messages": []}),
)

BODIES = tuple(path.read_bytes() for path in sorted((Path(__file__).parent / "corpus").iterdir()))
TOKENS = tuple(
    b'null -1 1e999 NaN "x" [] {} 9999999999999 true \x00 \xff\xfe \r \n\n {"usage": data: [DONE] " } ]'.split(b" ")
)
CONTENT_TYPES = (
    "application/json",
    "text/event-stream",
    "application/x-ndjson",
    "text/html",
    "",
    "application/json; x",
)
STATUSES = (200, 200, 200, 200, 201, 400, 429, 500, 502)


@dataclass
class Case:
    """One made-up answer."""

    url: str
    request: bytes
    stream: bool
    status: int
    headers: dict[str, str]
    parts: list[bytes]
    leave_after: int | None


def mutate(body: bytes, rnd: random.Random) -> bytes:
    """A few cuts, insertions, swaps and repetitions."""
    for _ in range(rnd.choice((0, 1, 1, 2, 4, 8))):
        at = rnd.randint(0, len(body))
        end = min(len(body), at + rnd.randint(0, 12))
        kind = rnd.randrange(5)
        if kind == 0:
            body = body[:at] + body[end:]
        elif kind == 1:
            body = body[:at] + rnd.choice(TOKENS) + body[end:]
        elif kind == 2:
            body = body[:at] + bytes(rnd.randrange(256) for _ in range(rnd.randint(1, 4))) + body[at:]
        elif kind == 3:
            body = body[:at] + body[at:end] * rnd.randint(1, 50) + body[end:]
        else:
            body = body[:at]
    return body


def split(body: bytes, rnd: random.Random) -> list[bytes]:
    """Any split of the bytes, empty parts included."""
    parts = []
    size = rnd.choice((1, 3, 17, 100, 10_000))
    at = 0
    while at < len(body):
        step = rnd.randint(0, size)
        parts.append(body[at : at + step])
        at += step
    return parts


def make_case(rnd: random.Random, bodies: tuple[bytes, ...] = BODIES) -> Case:
    """One case from the corpus."""
    url, request = rnd.choice(TARGETS)
    stream = rnd.random() < 0.5
    body = mutate(rnd.choice(bodies), rnd)
    headers = {"content-type": rnd.choice(CONTENT_TYPES), "x-odd": rnd.choice(("", "é", "x" * 500))}
    encoding = rnd.choice((None, None, None, "gzip", "deflate"))
    if encoding is not None:
        body = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
        headers["content-encoding"] = encoding
    sent = json.dumps({**request, "stream": stream}).encode()
    if rnd.random() < 0.2:
        sent = mutate(sent, rnd)
    parts = split(body, rnd)
    leave = rnd.randint(0, 3) if rnd.random() < 0.2 else None
    return Case(url, sent, stream, rnd.choice(STATUSES), headers, parts, leave)


def play_sync(module: Any, case: Case) -> bytes:
    """What the program reads, synchronously, as raw bytes."""

    def body() -> Iterator[bytes]:
        yield from case.parts

    transport = module.MockTransport(lambda _: module.Response(case.status, headers=_pairs(case), content=body()))
    with module.Client(transport=transport) as client:
        request = client.build_request("POST", case.url, content=case.request)
        response = client.send(request, stream=True)
        out = b""
        for number, chunk in enumerate(response.iter_raw()):
            if number == case.leave_after:
                break
            out += chunk
        response.close()
        return out


async def play_async(module: Any, case: Case) -> bytes:
    """The same, asynchronously."""

    async def body() -> AsyncIterator[bytes]:
        for part in case.parts:
            yield part

    transport = module.MockTransport(lambda _: module.Response(case.status, headers=_pairs(case), content=body()))
    async with module.AsyncClient(transport=transport) as client:
        request = client.build_request("POST", case.url, content=case.request)
        response = await client.send(request, stream=True)
        out = b""
        number = 0
        async for chunk in response.aiter_raw():
            if number == case.leave_after:
                break
            out += chunk
            number += 1
        await response.aclose()
        return out


def _pairs(case: Case) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in case.headers.items()]


def expected(case: Case) -> bytes:
    """The bytes that a program without llmcost would have read."""
    return b"".join(case.parts if case.leave_after is None else [p for p in case.parts if p][: case.leave_after])


def check(module: Any, case: Case, seen: Observed, is_async: bool) -> str | None:
    """Play one case; a sentence where something is wrong."""
    seen.calls.clear()
    seen.exporter.clear()
    got = asyncio.run(play_async(module, case)) if is_async else play_sync(module, case)
    if case.leave_after is None and got != b"".join(case.parts):
        return "the bytes differ"
    if len(seen.calls) > 1 or len(seen.spans) != len(seen.calls):
        return f"finished {len(seen.calls)} times, {len(seen.spans)} spans"
    if sum(internal_errors.values()):
        return f"internal errors: {dict(internal_errors)}"
    call = seen.calls[0] if seen.calls else None
    if call is not None and call.cost.total is not None and not 0 <= call.cost.total < 1e12:
        return f"an impossible cost: {call.cost}"
    return None


def run(count: int, seed: int, bodies: tuple[bytes, ...] = BODIES) -> list[str]:
    """Play ``count`` cases; what went wrong, with the case's number, so that it can be played again."""
    modules = [importlib.import_module(name) for name in ("httpx", "httpx2")]
    wrong = []
    internal_errors.clear()  # what earlier tests of this process made on purpose is not ours
    with observed(metrics=False) as seen:
        for number in range(count):
            rnd = random.Random(f"{seed}:{number}")
            case = make_case(rnd, bodies)
            problem = check(modules[number % 2], case, seen, is_async=number % 8 >= 6)
            if problem:
                wrong.append(f"case {seed}:{number}: {problem}")
    return wrong


def main() -> int:
    """``python tests/property/fuzz.py --count 100000``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wrong = run(options.count, options.seed)
    print(f"{options.count} cases, {len(wrong)} wrong")
    for line in wrong[:20]:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
