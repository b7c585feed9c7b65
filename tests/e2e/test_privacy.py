"""A key in a URL is seen nowhere: not in spans, HTTP spans, metrics, store, logs or command output (field case V1)."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.observed import Observed, observed
from e2e.loopback import Provider, Reply, as_json, as_sse, serving
from e2e.programs import run
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import llmcost

pytestmark = pytest.mark.e2e

SECRET = "AIzaSy-never-to-be-seen"
GEMINI = f"/v1beta/models/gemini-2.5-flash:generateContent?key={SECRET}"
GEMINI_STREAM = f"/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&key={SECRET}"
GEMINI_LIST = f"/v1beta/models?key={SECRET}"
AZURE = f"/openai/deployments/gpt-5-mini/chat/completions?api-version=2024-10-21&sig={SECRET}"
PROVIDERS = {"gcp.gemini": (GEMINI, GEMINI_STREAM), "azure.ai.openai": (AZURE,)}
TEXT = f"no such route: https://example.com{GEMINI}"

USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
GEMINI_ANSWER = {"candidates": [{"content": {"parts": [{"text": "hi"}]}}], "usageMetadata": USAGE}
OPENAI_ANSWER = {
    "id": "c1",
    "model": "gpt-5-mini",
    "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}
FAULTS = {
    "answered": (200, None),
    "refused": (400, as_json({"error": {"message": TEXT, "status": "INVALID_ARGUMENT", "code": 400}})),
    "the text as the code": (400, as_json({"error": {"message": TEXT, "status": TEXT, "type": TEXT, "code": TEXT}})),
    "the text as the error": (403, as_json({"error": TEXT})),
    "a proxy's page": (502, Reply("text/html", (f"<p>{TEXT}</p>".encode(),))),
    "an error in a stream": (200, as_sse({"error": {"message": TEXT, "status": TEXT, "type": TEXT, "code": TEXT}})),
}


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Everything that llmcost and OpenTelemetry log, with tracebacks; what httpx logs of itself is not ours."""
    lines: list[str] = []
    formatter = logging.Formatter()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name.startswith(("llmcost", "opentelemetry")):
                lines.append(formatter.format(record))

    handler, root = Keep(logging.DEBUG), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(before)


def shown(seen: Observed, folder: Path) -> dict[str, str]:
    """All that could show the secret, as text."""
    spooled = "".join(path.read_bytes().decode("latin-1") for path in (folder / ".llmcost" / "spool").iterdir())
    assert spooled, "there is something to look at"
    command = [sys.executable, "-c", "import sys; from llmcost.cli import main; sys.exit(main())", "calls", "--json"]
    listed = run(command, folder)
    assert listed.returncode == 0, listed.stderr
    assert len(json.loads(listed.stdout)), "there is something to look at"
    files = [path for path in (folder / ".llmcost").rglob("*") if path.is_file()]
    return {
        "spool": spooled,
        "spans": "\n".join(span.to_json() for span in seen.spans),
        "store": "\n".join(path.read_bytes().decode("latin-1") for path in files),
        "calls": listed.stdout + listed.stderr,
        "records": repr(seen.calls),
    }


def send(module: str, url: str) -> None:
    httpx = importlib.import_module(module)
    with httpx.Client() as client:
        client.post(url, json={"model": "gpt-5-mini", "messages": [], "contents": []})


def assert_unseen(texts: dict[str, str]) -> None:
    assert [name for name, text in texts.items() if SECRET in text] == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("module", ["httpx", "httpx2"])
def test_a_key_in_a_url_is_seen_nowhere(module: str, fault: str, tmp_path: Path, logged: list[str]) -> None:
    pytest.importorskip(module)
    status, reply = FAULTS[fault]
    reader = InMemoryMetricReader()
    for provider, paths in PROVIDERS.items():
        answer = as_json(GEMINI_ANSWER if provider == "gcp.gemini" else OPENAI_ANSWER)
        server = Provider(reply or answer, reply or as_sse(GEMINI_ANSWER), status=status)
        with (
            serving(server),
            observed(
                hosts={f"127.0.0.1:{server.port}": provider},
                http_spans="on",
                store=tmp_path / ".llmcost",
                meter_provider=MeterProvider([reader]) if provider == "gcp.gemini" else None,
            ) as seen,
        ):
            for path in paths:
                send(module, server.url + path)
            llmcost.force_flush()
            assert len(seen.calls) == len(paths) == len(server.requests)
            assert [span.name for span in seen.spans].count("POST") == len(paths), "the network leg has spans"
            texts = {**shown(seen, tmp_path), "log": "\n".join(logged)}
            if provider == "gcp.gemini":
                texts["metrics"] = reader.get_metrics_data().to_json()  # type: ignore[union-attr]
            assert_unseen(texts)


def test_nor_where_nobody_answers(tmp_path: Path, logged: list[str]) -> None:
    httpx = importlib.import_module("httpx")
    with serving(Provider(as_json({}), as_json({}))) as gone:
        url = gone.url
    with observed(
        hosts={url.removeprefix("http://"): "gcp.gemini"}, http_spans="on", store=tmp_path / ".llmcost"
    ) as seen:
        with pytest.raises(httpx.ConnectError):
            send("httpx", url + GEMINI)
        llmcost.force_flush()
        assert seen.call.outcome == "failed"
        assert_unseen({**shown(seen, tmp_path), "log": "\n".join(logged)})


def test_nor_on_requests_that_are_no_calls(tmp_path: Path) -> None:
    """The HTTP spans that llmcost switches on are made for every request of the program."""
    httpx = importlib.import_module("httpx")
    server = Provider(as_json({"models": []}), as_json({}))
    with serving(server), observed(hosts={f"127.0.0.1:{server.port}": "gcp.gemini"}, http_spans="on") as seen:
        httpx.post(server.url + GEMINI_LIST)
        assert len(seen.spans) == 1
        assert SECRET not in seen.span.to_json()


def test_nor_in_what_an_internal_fault_logs(tmp_path: Path, logged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours is logged with its traceback at DEBUG; the URL is no part of it."""
    monkeypatch.delenv("LLMCOST_STRICT")
    httpx = importlib.import_module("httpx")
    server = Provider(as_json(GEMINI_ANSWER), as_json({}))
    with serving(server), observed(hosts={f"127.0.0.1:{server.port}": "gcp.gemini"}) as seen:
        broken: Callable[..., Any] = lambda *_: 1 / 0  # noqa: E731
        monkeypatch.setattr("llmcost.exchange.record.build", broken)
        assert httpx.post(server.url + GEMINI, json={"contents": []}).status_code == 200
        assert seen.calls == []
    assert any("ZeroDivisionError" in line for line in logged)
    assert_unseen({"log": "\n".join(logged)})
