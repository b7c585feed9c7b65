"""The recipes of docs/how-to/tiers.md, each run as it stands against a stand-in for its service."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/how-to/tiers.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r'```python title="(\w+)\.py"\n(.*?)```', PAGE, re.DOTALL))
POLICY = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
USAGE = {"prompt_tokens": 100_000, "completion_tokens": 0, "total_tokens": 100_000}
PROGRAM = """
import json, os, sys
import httpx
import llmcost
import {recipe}

def call(user):
    with llmcost.context(user_id=user):
        reply = httpx.post(os.environ["MODEL_API"] + "/v1/chat/completions", json={{
            "model": "gpt-4o", "messages": [{{"role": "user", "content": "hello"}}], "max_tokens": 10}})
    return reply.status_code

print(json.dumps({{user: [call(user) for _ in range(4)] for user in ("u-free", "u-pro", "u-lost")}}))
"""
TIERS = {"u-free": "free", "u-pro": "pro"}


class StandIn(BaseHTTPRequestHandler):
    """Answers as the three services do, and as a model; knows no user ``u-lost``."""

    def do_GET(self) -> None:
        """Stripe's subscriptions and Auth0's roles."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        user = re.search(r"u-\w+", self.path)
        tier = TIERS.get(user[0] if user else "")
        if tier is None or "authorization" not in self.headers:
            return self._say(404, {"error": "no such user"})
        if self.path.startswith("/v1/subscriptions"):
            price = {"items": {"data": [{"price": {"lookup_key": tier}}]}}
            return self._say(200, {"data": [] if tier == "free" else [price]})
        return self._say(200, [] if tier == "free" else [{"name": tier}])

    def do_POST(self) -> None:
        """Firebase's look-up of an account, and the model."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("accounts:lookup"):
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
            tier = TIERS.get(body["localId"][0])
            if tier is None or "authorization" not in self.headers:
                return self._say(404, {"error": "no such user"})
            return self._say(200, {"users": [{"customAttributes": json.dumps({"tier": tier})}]})
        choices = [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]
        return self._say(200, {"id": "c", "model": "gpt-4o", "choices": choices, "usage": USAGE})

    def _say(self, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    made.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_the_tier_decides(recipe: str, tmp_path: Path, server: ThreadingHTTPServer) -> None:
    (tmp_path / f"{recipe}.py").write_text(RECIPES[recipe], encoding="utf-8")
    (tmp_path / "program.py").write_text(PROGRAM.format(recipe=recipe), encoding="utf-8")
    (tmp_path / "llmcost.toml").write_text(POLICY, encoding="utf-8")
    base = f"http://127.0.0.1:{server.server_address[1]}"
    secrets = dict.fromkeys(("STRIPE_API_KEY", "AUTH0_TOKEN", "FIREBASE_TOKEN", "FIREBASE_PROJECT"), "made-up")
    services = dict.fromkeys(("STRIPE_API", "AUTH0_API", "FIREBASE_API", "MODEL_API"), base)
    ran = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, **secrets, **services, "LLMCOST_STORE": str(tmp_path / ".llmcost")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    # Each answer costs $0.25: the free plan's half dollar lets two calls pass, the third is refused.
    statuses = json.loads(ran.stdout)
    assert statuses["u-free"] == [200, 200, 402, 402]
    assert statuses["u-pro"] == [200] * 4
    # The service knows no such user, the callback raises, and `on_failure` says allow.
    assert statuses["u-lost"] == [200] * 4
    known = [path for path in server.asked if "u-lost" not in path]  # type: ignore[attr-defined]
    assert 0 < len(known) <= 6
