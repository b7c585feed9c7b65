"""The webhook: signed, repeated, in nobody's way."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from llmcost.errors import ConfigError
from llmcost.processors.webhook import DELIVERY, MOST_WAITING, SIGNATURE, TRIES, Post, Webhook


class Receiver:
    """A server on the loopback that answers as told and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.gate = threading.Event()
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.gate.wait(30)
                receiver.got.append((dict(self.headers), body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status == 0:  # hang up in the middle
                    self.connection.close()
                    return
                self.send_response(status)
                if status in (301, 307):
                    self.send_header("location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def hook(receiver: Receiver, secret: str | None = "made-up") -> tuple[Webhook, list[float]]:
    pauses: list[float] = []
    url = f"http://127.0.0.1:{receiver.port}/hook?token=1"
    return Webhook(url, secret, clock=lambda: 1_800_000_000.5, pause=pauses.append), pauses


def test_a_post_is_signed_and_named(receiver: Receiver) -> None:
    webhook, pauses = hook(receiver)
    webhook.send(Post("id-1", b'{"a": 1}'))
    webhook.join()
    ((headers, body),) = receiver.got
    assert json.loads(body) == {"a": 1}
    expected = hmac.new(b"made-up", b"1800000000." + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"t=1800000000,v1={expected}"
    assert headers[DELIVERY] == "id-1"
    assert headers["Content-Type"] == "application/json"
    assert "traceparent" not in {name.lower() for name in headers}
    assert (pauses, webhook.dropped) == ([], 0)


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    webhook, _ = hook(receiver, None)
    webhook.send(Post("id-1", b"{}"))
    webhook.join()
    assert SIGNATURE not in receiver.got[0][0]


def test_what_fails_is_repeated_with_growing_pauses_under_the_same_name(receiver: Receiver) -> None:
    webhook, pauses = hook(receiver)
    receiver.answers = [503, 0, 429, 200]
    webhook.send(Post("id-1", b"{}"))
    webhook.send(Post("id-2", b"{}"))
    webhook.join()
    assert [headers[DELIVERY] for headers, _ in receiver.got] == ["id-1"] * 4 + ["id-2"]
    assert [low <= pause <= 2 * low for pause, low in zip(pauses, (0.5, 1.0, 2.0), strict=True)] == [True] * 3
    assert webhook.dropped == 0


def test_it_gives_up_in_the_end_and_at_once_where_repeating_cannot_help(receiver: Receiver) -> None:
    webhook, pauses = hook(receiver)
    receiver.answers = [500] * TRIES + [404, 301]
    for number in range(3):
        webhook.send(Post(f"id-{number}", b"{}"))
    webhook.join()
    assert len(receiver.got) == TRIES + 2  # a redirect is not followed
    assert len(pauses) == TRIES - 1
    assert max(pauses) <= 60.0
    assert webhook.dropped == 3


def test_nobody_listening_is_repeated_too() -> None:
    pauses: list[float] = []
    webhook = Webhook("http://127.0.0.1:1/", pause=pauses.append)
    webhook.send(Post("id", b"{}"))
    webhook.join()
    assert (len(pauses), webhook.dropped) == (TRIES - 1, 1)


def test_a_receiver_that_hangs_delays_nobody_and_the_queue_is_bounded(receiver: Receiver) -> None:
    webhook, _ = hook(receiver)
    receiver.gate.clear()
    before = time.thread_time()
    for number in range(MOST_WAITING + 50):
        webhook.send(Post(f"id-{number}", b"{}"))
    assert time.thread_time() - before < 1.0
    assert webhook.dropped >= 49
    receiver.gate.set()
    webhook.join()
    assert len(receiver.got) == MOST_WAITING + 50 - webhook.dropped


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_posts_nothing_of_its_parents(receiver: Receiver) -> None:
    webhook, _ = hook(receiver)
    receiver.gate.clear()
    for number in range(3):
        webhook.send(Post(f"parent-{number}", b"{}"))
    child = os.fork()
    if child == 0:
        receiver.gate.set()
        webhook.send(Post("child", b"{}"))
        webhook.join()
        os._exit(0)
    receiver.gate.set()
    os.waitpid(child, 0)
    webhook.join()
    assert sorted(headers[DELIVERY] for headers, _ in receiver.got) == ["child", "parent-0", "parent-1", "parent-2"]


@pytest.mark.parametrize("url", ["ftp://x", "file:///etc/passwd", "x"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Webhook(url)
