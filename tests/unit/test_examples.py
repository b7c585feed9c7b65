"""The server of the examples answers as its files say, and the news desk knows nothing of llmcost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from provider_server.server import make_server

    with make_server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def ask(server: str, path: str, question: dict[str, Any]) -> httpx.Response:
    return httpx.post(server + path, json=question, trust_env=False)


def test_a_reply_is_the_next_file_of_its_folder(server: str) -> None:
    folder = EXAMPLES / "provider_server" / "bodies" / "embeddings" / "text-embedding-3-small"
    files = sorted(folder.glob("*.json"))
    question = {"model": "text-embedding-3-small", "input": "x"}
    got = [ask(server, "/v1/embeddings", question).json() for _ in range(len(files) + 1)]
    assert got == [json.loads(path.read_text(encoding="utf-8")) for path in [*files, files[0]]]


def test_usage_of_a_stream_is_sent_only_when_asked_for(server: str) -> None:
    question: dict[str, Any] = {"model": "gpt-4.1-mini", "messages": [], "stream": True}
    silent = ask(server, "/v1/chat/completions", question)
    told = ask(server, "/v1/chat/completions", {**question, "stream_options": {"include_usage": True}})
    assert silent.headers["content-type"] == told.headers["content-type"] == "text/event-stream"
    assert '"prompt_tokens"' not in silent.text
    assert '"prompt_tokens"' in told.text
    assert silent.text.endswith("data: [DONE]\n\n")


def test_a_status_in_the_name_of_a_file_is_the_status_of_the_reply(server: str) -> None:
    question = {"model": "gpt-5-nano", "messages": []}
    statuses = [ask(server, "/v1/chat/completions", question).status_code for _ in range(9)]
    assert statuses.count(429) == 1
    assert set(statuses) == {200, 429}


def test_what_is_not_recorded_is_not_found(server: str) -> None:
    assert ask(server, "/v1/chat/completions", {"model": "none", "messages": []}).status_code == 404


def test_the_programs_do_not_mention_llmcost() -> None:
    sources = [*EXAMPLES.glob("newsroom/newsroom*/*.py"), *EXAMPLES.glob("provider_server/*.py")]
    assert len(sources) > 10
    assert [path.name for path in sources if "llmcost" in path.read_text(encoding="utf-8")] == []
