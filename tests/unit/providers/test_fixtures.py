"""Every fixture under ``tests/fixtures``: a request, its response, and what must be read from them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from llmcost.calls import Usage
from llmcost.exchange.reading import Reading
from llmcost.providers import registry

FOLDER = Path(__file__).parents[2] / "fixtures"
FIXTURES = sorted(FOLDER.glob("*/*.json"))


def request_of(fixture: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    if "form" in fixture:
        parts = [
            f'--X\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fixture["form"].items()
        ]
        return {"content-type": "multipart/form-data; boundary=X"}, ("".join(parts) + "--X--\r\n").encode()
    return {"content-type": "application/json"}, json.dumps(fixture["request"]).encode()


def response_of(fixture: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    if "events" in fixture:
        texts = [event if isinstance(event, str) else json.dumps(event) for event in fixture["events"]]
        return {"content-type": "text/event-stream"}, "".join(f"data: {text}\n\n" for text in texts).encode()
    if "lines" in fixture:
        text = "".join(json.dumps(line) + "\n" for line in fixture["lines"])
        return fixture.get("headers", {"content-type": "application/x-ndjson"}), text.encode()
    if "array" in fixture:
        return {"content-type": "application/json"}, json.dumps(fixture["array"], indent=1).encode()
    if "text" in fixture:
        return fixture["headers"], fixture["text"].encode("latin-1")
    return {"content-type": "application/json"}, json.dumps(fixture["response"]).encode()


def stated(usage: Usage | None) -> dict[str, Any] | None:
    """The fields that are not at their default."""
    if usage is None:
        return None
    defaults = asdict(Usage())
    return {field: value for field, value in asdict(usage).items() if value != defaults[field]}


@pytest.mark.parametrize("step", [None, 1, 7, 64])
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_fixture(path: Path, step: int | None) -> None:
    fixture = json.loads(path.read_text(encoding="utf-8"))
    want = fixture["expect"]
    url = urlsplit(fixture["url"])
    endpoint = registry().endpoint(fixture["method"], url.hostname or "", url.port, url.path)
    assert endpoint is not None
    request = endpoint.read_request(url.path, *request_of(fixture))
    assert request is not None
    headers, body = response_of(fixture)
    reading = Reading(endpoint, request, fixture["status"], headers)
    if step is None:
        reading.whole(body)
    else:
        for at in range(0, len(body), step):
            reading.feed(body[at : at + step])
    facts = reading.facts()
    got: dict[str, Any] = {
        **facts._asdict(),
        "finish_reasons": list(facts.finish_reasons),
        "usage": stated(facts.usage),
        "own_usage": stated(facts.own_usage),
        "parts": [[model, stated(usage)] for model, usage in facts.parts],
        "provider": endpoint.provider,
        "operation": endpoint.operation,
        "certain": endpoint.certain,
        "done": reading.done,
        "chunks": reading.chunks,
        "request": {key: getattr(request, key) for key in want.get("request", {})},
    }
    assert {key: got[key] for key in want} == {
        key: pytest.approx(value) if isinstance(value, float) else value for key, value in want.items()
    }


def test_every_provider_has_fixtures() -> None:
    folder = Path(__file__).parents[3] / "llmcost" / "providers" / "data"
    names = {path.stem.replace("_ai_openai", ".ai.openai") for path in folder.glob("*.toml")} - {"litellm_hosts"}
    assert {name.replace("_", "").replace(".", "") for name in names} == {
        path.name.replace("_", "").replace(".", "") for path in FOLDER.iterdir() if any(path.glob("*.json"))
    }
