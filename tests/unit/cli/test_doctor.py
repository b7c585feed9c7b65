import io
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from factories import a_call
from stores import filled

from llmcost.calls import Call, Cost, Usage
from llmcost.cli import checks, main
from llmcost.cli.checks import CHECKS, Finding, Surroundings, installed, knowledge, places
from llmcost.config import Config
from llmcost.pricing import LOCAL_FILE
from llmcost.pricing.lock import LOCK_FILE
from llmcost.pricing.pricemap import SNAPSHOT
from llmcost.store.database import writing
from llmcost.store.paths import StoreFolder
from llmcost.store.record import Mark

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def around(root: Path, **changes: object) -> Surroundings:
    facts: dict[str, object] = {
        "settings": Config(), "folder": StoreFolder(root / ".llmcost"), "map_path": None, "environ": {}, "now": NOW,
    }  # fmt: skip
    return Surroundings(**(facts | changes))  # type: ignore[arg-type]


def said(check: checks.Check, surroundings: Surroundings) -> list[Finding]:
    return list(check(surroundings))


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[str, str]]]:
    """Installed entry points by group: name and distribution."""
    found = {
        "opentelemetry_distro": [("distro", "opentelemetry-distro")],
        "opentelemetry_configurator": [("configurator", "opentelemetry-distro")],
        "opentelemetry_instrumentor": [("httpx", "opentelemetry-instrumentation-httpx")],
    }

    def entry_points(group: str) -> list[object]:
        return [SimpleNamespace(name=name, dist=SimpleNamespace(name=owner)) for name, owner in found[group]]

    monkeypatch.setattr(installed, "entry_points", entry_points)
    return found


def test_the_owner_of_an_entry_point_without_a_distribution_is_its_target() -> None:
    assert installed._owner(EntryPoint("a", "module:thing", "group")) == "module:thing"


@pytest.mark.usefixtures("entries")
def test_an_ordinary_machine_has_a_distro_and_nothing_twice(tmp_path: Path) -> None:
    assert [f.ok for check in (installed.distro, installed.double) for f in said(check, around(tmp_path))] == [
        True,
        True,
    ]


@pytest.mark.parametrize("group", ["opentelemetry_distro", "opentelemetry_configurator"])
def test_a_missing_distro_is_named(tmp_path: Path, entries: dict[str, list[tuple[str, str]]], group: str) -> None:
    entries[group] = []
    (finding,) = said(installed.distro, around(tmp_path))
    assert not finding.ok
    assert "opentelemetry-instrument does nothing" in finding.message
    assert finding.fix == "pip install opentelemetry-distro"


def test_a_vendor_s_distro_is_named(tmp_path: Path, entries: dict[str, list[tuple[str, str]]]) -> None:
    entries["opentelemetry_distro"].append(("vendor", "vendor-distro"))
    (finding,) = said(installed.distro, around(tmp_path))
    assert (finding.ok, "vendor-distro" in finding.message) == (False, True)
    assert "OTEL_PYTHON_DISTRO=distro" in (finding.fix or "")
    assert said(installed.distro, around(tmp_path, environ={"OTEL_PYTHON_DISTRO": "vendor"}))[0].ok


def test_an_sdk_instrumented_twice_is_named(tmp_path: Path, entries: dict[str, list[tuple[str, str]]]) -> None:
    entries["opentelemetry_instrumentor"] += [
        ("openai", "opentelemetry-instrumentation-openai"), ("openai", "openinference-instrumentation-openai"),
        ("anthropic", "opentelemetry-instrumentation-anthropic"),
    ]  # fmt: skip
    findings = said(installed.double, around(tmp_path))
    assert not any(finding.ok for finding in findings)
    texts = [finding.message for finding in findings]
    assert any(
        "openinference-instrumentation-openai and opentelemetry-instrumentation-openai" in text for text in texts
    )
    if find_spec("anthropic") is not None:
        assert any("anthropic itself" in text for text in texts)
    (name, value), *_ = (word.split("=") for word in (findings[-1].fix or "").replace(":", "").split() if "=" in word)
    assert (name, value) == ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "openai")
    switched_off = around(tmp_path, environ={name: "openai, anthropic"})
    assert [finding.ok for finding in said(installed.double, switched_off)] == [True]


def test_no_client_to_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(installed.clients, around(tmp_path))[0].ok
    monkeypatch.setattr(installed, "_version", lambda _: None)
    assert not said(installed.clients, around(tmp_path))[0].ok


def test_no_map_a_map_and_a_map_older_than_the_code(tmp_path: Path) -> None:
    assert said(knowledge.semantic_map, around(tmp_path))[0].ok, "nothing was recorded yet"
    filled(tmp_path / ".llmcost", [a_call(1)])
    assert not said(knowledge.semantic_map, around(tmp_path))[0].ok
    path = tmp_path / ".llmcost" / "semantic_map.json"
    path.write_text('{"app.py": {"f": "chat"}}')
    source = tmp_path / "app.py"
    source.write_text("import openai\n\n\ndef f(text):\n    return openai.responses.create(model='m', input=text)\n")
    made = path.stat().st_mtime
    os.utime(source, (made - 5, made - 5))
    when = datetime.fromtimestamp(made, UTC) + timedelta(days=3, minutes=1)
    (good,) = said(knowledge.semantic_map, around(tmp_path, map_path=path, now=when))
    assert (good.ok, good.message) == (True, "1 file mapped, 3 days ago")
    os.utime(source, (made + 5, made + 5))
    assert said(knowledge.semantic_map, around(tmp_path, map_path=path))[0].ok, "a later time alone is no change"
    source.write_text(source.read_text().replace("def f", "def answer_question"))
    os.utime(source, (made + 5, made + 5))
    (stale,) = said(knowledge.semantic_map, around(tmp_path, map_path=path))
    assert (stale.ok, "app.py:answer_question" in stale.message) == (False, True)
    assert stale.fix == f"llmcost scan {tmp_path}"
    assert main([*stale.fix.split()[1:], "--quiet"]) == 0
    os.utime(source, (path.stat().st_mtime + 5,) * 2)
    assert said(knowledge.semantic_map, around(tmp_path, map_path=path))[0].ok
    source.unlink()
    assert "app.py:" in said(knowledge.semantic_map, around(tmp_path, map_path=path))[0].message
    path.write_text("not json")
    assert not said(knowledge.semantic_map, around(tmp_path, map_path=path))[0].ok


def test_prices_older_than_thirty_days(tmp_path: Path) -> None:
    (found,) = said(knowledge.prices, around(tmp_path))
    dated = datetime.fromisoformat(found.message.split()[2]).replace(tzinfo=UTC)
    assert said(knowledge.prices, around(tmp_path, now=dated + timedelta(days=30)))[0].ok
    (old,) = said(knowledge.prices, around(tmp_path, now=dated + timedelta(days=31)))
    assert (old.ok, old.fix) == (True, knowledge.NEWER_PRICES), "a note: costs are no less complete for it"
    missing = Config(price_map=tmp_path / "nosuch.json")
    assert "nosuch.json" in said(knowledge.prices, around(tmp_path, settings=missing))[0].message


def test_models_without_a_price(tmp_path: Path) -> None:
    assert said(knowledge.unpriced, around(tmp_path)) == []
    folder = filled(tmp_path / ".llmcost", [a_call(1)])
    assert said(knowledge.unpriced, around(tmp_path, folder=folder))[0].ok
    filled(tmp_path / ".llmcost", [without_price(2, "new\x1b[1m")])
    (finding,) = said(knowledge.unpriced, around(tmp_path, folder=folder))
    assert "new\\x1b[1m: 1 call of the last 30 days: no price for" in finding.message
    filled(tmp_path / ".llmcost", [without_price(10 + n, f"m{n}") for n in range(30)])
    findings = said(knowledge.unpriced, around(tmp_path, folder=folder))
    assert len(findings) == 11
    assert findings[-1].message == "and 21 further models"


def without_price(number: int, model: str, **changes: Any) -> Call:
    return a_call(number, request_model=model, response_model=model, cost=None, **changes)


def test_the_advice_for_a_model_without_a_price_gives_it_one(tmp_path: Path) -> None:
    folder = filled(tmp_path / ".llmcost", [without_price(1, "gpt-5-minni")])
    (finding,) = said(knowledge.unpriced, around(tmp_path, folder=folder))
    assert not finding.ok
    assert 'set one in llmcost.toml, [prices."gpt-5-minni"]; nearest known: gpt-5-mini' in (finding.fix or "")
    priced = Config(prices={"gpt-5-minni": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}})
    (note,) = said(knowledge.unpriced, around(tmp_path, folder=folder, settings=priced))
    assert (note.ok, note.message) == (True, "gpt-5-minni has a price now; 1 call of the last 30 days had none")
    assert "llmcost prices explain 00000001 " in (note.fix or "")


def test_a_call_without_usage_is_not_said_to_lack_a_price(tmp_path: Path) -> None:
    silent = a_call(1, cost=Cost("unpriced", note="the response states no usage"), usage=Usage())
    folder = filled(tmp_path / ".llmcost", [silent])
    (finding,) = said(knowledge.unpriced, around(tmp_path, folder=folder))
    assert (finding.ok, finding.fix) == (False, None)
    assert "the response states no usage" in finding.message


def test_a_broken_local_map_is_mended_by_the_advice_and_by_an_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    local = tmp_path / ".llmcost" / LOCAL_FILE
    local.parent.mkdir()
    local.write_text("broken")
    broken = around(tmp_path, settings=Config(store=local.parent))
    (finding,) = said(knowledge.prices, broken)
    assert (finding.ok, finding.fix) == (False, f"rm {local}")
    assert main(["prices", "update", "--from", str(SNAPSHOT), "--store", str(local.parent)], io.StringIO()) == 0
    assert said(knowledge.prices, broken)[0].ok


def test_a_newer_store_and_late_and_old_losses(tmp_path: Path) -> None:
    marks = [Mark("dropped", "x", 2, int((NOW - timedelta(days=days)).timestamp()) * 10**9) for days in (3, 90)]
    folder = filled(tmp_path / ".llmcost", [a_call(1)], marks)
    (lost,) = said(places.store, around(tmp_path, folder=folder))
    assert (lost.ok, lost.message.split()[0]) == (False, "2")
    later = around(tmp_path, folder=folder, now=NOW + timedelta(days=60))
    assert said(places.store, later)[0].ok, "what was lost long ago is no finding"
    with writing(folder) as connection:
        connection.execute("PRAGMA user_version = 99")
    (newer,) = said(places.store, around(tmp_path, folder=folder))
    assert (newer.ok, "upgrade llmcost" in newer.message, newer.fix) == (False, True, None)


def test_a_store_that_cannot_be_written_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(places.store, around(tmp_path))[-1].ok
    with monkeypatch.context() as patch:
        patch.setattr("llmcost.cli.checks.places.os.access", lambda *_: False)
        assert "cannot be written" in said(places.store, around(tmp_path))[0].message
    folder = filled(tmp_path / ".llmcost", [a_call(1)])
    folder.database.write_bytes(b"damaged" * 1000)
    assert "calls.db" in said(places.store, around(tmp_path, folder=folder))[0].message


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_exporter_that_answers_and_one_that_does_not(tmp_path: Path, listening: int) -> None:
    assert said(places.exporter, around(tmp_path))[0].ok
    for form in ("http://127.0.0.1:{}", "127.0.0.1:{}", "http://127.0.0.1:{}/v1/traces"):
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": form.format(listening)}
        assert said(places.exporter, around(tmp_path, environ=environ))[0].ok
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    (finding,) = said(places.exporter, around(tmp_path, settings=Config(endpoint=f"http://127.0.0.1:{closed}")))
    assert not finding.ok
    assert f"127.0.0.1:{closed}" in finding.message


@pytest.mark.parametrize("endpoint", ["http://", "http://host:port", ":::"])
def test_an_endpoint_that_is_none_is_a_finding(tmp_path: Path, endpoint: str) -> None:
    assert not said(places.exporter, around(tmp_path, settings=Config(endpoint=endpoint)))[0].ok


def test_the_command_says_all_and_its_exit_code_is_1_where_something_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    filled(tmp_path / ".llmcost", [a_call(1)])
    out = io.StringIO()
    assert main(["doctor", "--json"], out) == 1
    found = json.loads(out.getvalue())
    assert {row["check"] for row in found} >= {"clients", "distro", "map", "prices", "store", "exporter"}
    assert len(found) >= len(CHECKS) - 1
    text = io.StringIO()
    assert main(["doctor"], text) == 1
    assert "-> llmcost scan" in text.getvalue()
    with monkeypatch.context() as patch:
        patch.setattr(checks, "CHECKS", (lambda _: iter([Finding("prices", True, "old", "renew them")]),))
        note = io.StringIO()
        assert main(["doctor"], note) == 0, "a note is no finding"
        assert note.getvalue().split() == ["--", "prices", "old", "->", "renew", "them"]
    monkeypatch.setattr(checks, "CHECKS", ())
    assert main(["doctor"], io.StringIO()) == 0


def test_a_lock_file_that_cannot_be_read_is_told_as_such_beside_the_age_of_the_prices(tmp_path: Path) -> None:
    surroundings = around(tmp_path)
    lock = surroundings.folder.root / LOCK_FILE
    lock.parent.mkdir()
    lock.write_text("not json")
    broken, age = said(knowledge.prices, surroundings)
    assert (broken.ok, broken.fix) == (False, "llmcost prices pin, or put the pinned map back")
    assert "prices.lock: not a price lock file" in broken.message
    assert "days old" in age.message
