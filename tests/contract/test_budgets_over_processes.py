"""The whole path in many threads of many processes on one strict budget: never over, and afterwards exact."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from contract.observed import observed
from ledgers import BENCHES, Bench

from llmcost.control import Budget, ledger_for
from llmcost.control.ledger import Counter, State, open_ledger
from llmcost.control.plan import key_of
from llmcost.exchange.quoting import MARKS

CALLER = Path(__file__).with_name("calling.py")
PRICE = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "max_output_tokens": 1000}
IN, OUT = 40, 60
COST = IN * 1_000 + OUT * 2_000
"""Nano-dollars of a call that is answered to its end."""

PIECES = 20


@dataclass
class Money:
    """What the provider has been asked for, by what it was asked to do."""

    asked: Tally[str] = field(default_factory=Tally)
    lock: threading.Lock = field(default_factory=threading.Lock)


def handler(money: Money) -> type[BaseHTTPRequestHandler]:
    usage = {"prompt_tokens": IN, "completion_tokens": OUT, "total_tokens": IN + OUT}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            kind = asked["messages"][0]["content"]
            with money.lock:
                money.asked[kind] += 1
            choices = [{"index": 0, "message": {"content": "words"}, "finish_reason": "stop"}]
            whole = {"id": "c", "model": "bench-model", "choices": choices, "usage": usage}
            if asked.get("stream"):
                self.streamed()
            elif kind == "fails":
                self.whole(500, {"error": {"message": "broken", "type": "server_error"}})
            else:
                self.whole(200, whole)

        def whole(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def streamed(self) -> None:
            head = {"id": "c", "model": "bench-model"}
            events = [{**head, "choices": [{"index": 0, "delta": {"content": "word "}}]} for _ in range(PIECES)]
            last = {**head, "choices": [], "usage": usage}
            parts = [f"data: {json.dumps(event)}\n\n".encode() for event in (*events, last)]
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            try:
                for part in (*parts, b"data: [DONE]\n\n"):
                    self.wfile.write(part)
            except OSError:  # the client has gone, as it was told to
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
            """Nothing."""

    return Handler


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


@contextmanager
def provider() -> Iterator[tuple[str, Money]]:
    money = Money()
    server = Server(("127.0.0.1", 0), handler(money))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", money
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(params=sorted(set(BENCHES) - {"memory"}))
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return BENCHES[request.param](tmp_path, lambda: request.getfixturevalue("redis_server"))


PIPES: Final[dict[str, Any]] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}


def started(host: str, shared: Bench, folder: Path, limit: int, **plan: Any) -> list[subprocess.Popen[str]]:
    budget = {"name": "b", "total": limit / 1e9, "bound": "strict"}
    common = {"host": host, "ledger": shared.url, "budgets": [budget], "price": PRICE, "threads": 64, "calls": 2}
    processes = []
    for number in range(8):
        settings = {**common, "name": f"p{number}", **plan.get("all", {}), **plan.get(f"p{number}", {})}
        command = [sys.executable, str(CALLER), json.dumps(settings)]
        processes.append(subprocess.Popen(command, cwd=folder, **PIPES))
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


def watched(processes: list[subprocess.Popen[str]], shared: Bench, counter: Counter) -> tuple[int, list[int]]:
    """The most that was ever spent and held while they ran, and how they ended."""
    ledger, worst = open_ledger(shared.url), 0
    while any(process.poll() is None for process in processes):
        spent, held, _ = ledger.states([counter])[0]
        worst = max(worst, spent + held)
    return worst, [process.wait(120) for process in processes]


def total_counter() -> Counter:
    return Counter(key_of(Budget(name="b", total=1), "", "total"), 0, 0)


def settled(shared: Bench, folder: Path) -> State:
    """The counter, once what busy processes left behind is booked."""
    steady = ledger_for(shared.url, folder=folder / ".llmcost" / "unsettled")
    steady.tidy()
    steady.close()
    return open_ledger(shared.url).states([total_counter()])[0]


@pytest.mark.slow
def test_64_threads_in_8_processes_spend_never_more(shared: Bench, tmp_path: Path) -> None:
    """Calls that are answered, streamed, failed, left in the middle, and of two processes killed by ``kill -9``. What
    was held by the killed is the only money that is not settled, until it expires.

    Each of the 128 calls of a process is at least one step, also a refused one, so both are killed whoever gets the
    money."""
    limit = 60_000_000
    with provider() as (host, money):
        processes = started(host, shared, tmp_path, limit, p2={"killed_after": 40}, p5={"killed_after": 90})
        worst, codes = watched(processes, shared, total_counter())
    assert Tally(codes) == {0: 6, -9: 2}, codes
    assert 0 < worst <= limit
    spent, held, _ = settled(shared, tmp_path)
    # Answered to the end, or streamed: one price. Left in the middle: between the prompt and the whole.
    most = (money.asked["answers"] + money.asked["streams"] + money.asked["is cancelled"]) * COST
    assert spent <= most
    assert spent + held <= limit
    later = open_ledger(shared.url, lambda: time.time() + 601)
    assert later.states([total_counter()])[0][:2] == (spent, 0)


@pytest.mark.slow
def test_what_is_spent_is_the_sum_of_what_the_provider_billed(shared: Bench, tmp_path: Path) -> None:
    """Without kills and cancellations the provider's own sum is the ledger's, to the nano-dollar."""
    limit = 60_000_000
    with provider() as (host, money):
        processes = started(host, shared, tmp_path, limit, all={"kinds": ["answers", "streams", "fails"]})
        worst, codes = watched(processes, shared, total_counter())
    assert set(codes) == {0}
    assert worst <= limit
    spent, held, calls = settled(shared, tmp_path)
    billed = money.asked["answers"] + money.asked["streams"]
    assert (spent, held) == (billed * COST, 0)
    assert calls == billed + money.asked["fails"]
    assert sum(money.asked.values()) < 8 * 64 * 2


@pytest.mark.slow
def test_of_40_calls_at_once_on_a_budget_of_5_exactly_5_are_sent(shared: Bench) -> None:
    """No call is answered before all have asked."""
    sent, refused, turn, done = [0], [0], threading.Lock(), threading.Event()
    answer = {"model": "bench-model", "choices": [], "usage": {"prompt_tokens": IN, "completion_tokens": OUT}}
    request = {"model": "bench-model", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
    body = json.dumps(request).encode()
    bound = (len(body) + MARKS) * 1_000 + 100 * 2_000 + 1
    url = "https://api.openai.com/v1/chat/completions"

    def count(what: list[int]) -> None:
        with turn:
            what[0] += 1
            if sent[0] + refused[0] == 40:
                done.set()

    def provider(_: httpx.Request) -> httpx.Response:
        count(sent)
        assert done.wait(60)
        return httpx.Response(200, json=answer)

    def call(client: httpx.Client) -> None:
        if client.post(url, content=body).status_code == 402:
            count(refused)

    budget = {"name": "b", "total": (5 * bound + bound // 2) / 1e9, "bound": "strict"}
    settings: dict[str, Any] = {"store": False, "prices": {"bench-model": PRICE}, "foresight": "off"}
    client = httpx.Client(transport=httpx.MockTransport(provider))
    with observed(budgets=[budget], ledger=shared.url, **settings), client:
        threads = [threading.Thread(target=call, args=(client,)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (sent[0], refused[0]) == (5, 35)
    assert open_ledger(shared.url).states([total_counter()])[0] == (5 * COST, 0, 5)
