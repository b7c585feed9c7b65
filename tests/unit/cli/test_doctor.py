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

import pytest
from factories import a_call
from stores import filled

from llmcost.cli import checks, main
from llmcost.cli.checks import CHECKS, Finding, Surroundings
from llmcost.config import Config
from llmcost.pricing.lock import LOCK_FILE
from llmcost.store.paths import StoreFolder

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

    monkeypatch.setattr(checks, "entry_points", entry_points)
    return found


def test_the_owner_of_an_entry_point_without_a_distribution_is_its_target() -> None:
    assert checks._owner(EntryPoint("a", "module:thing", "group")) == "module:thing"


@pytest.mark.usefixtures("entries")
def test_an_ordinary_machine_has_a_distro_and_nothing_twice(tmp_path: Path) -> None:
    assert [f.ok for check in (checks._distro, checks._double) for f in said(check, around(tmp_path))] == [True, True]


@pytest.mark.parametrize("group", ["opentelemetry_distro", "opentelemetry_configurator"])
def test_a_missing_distro_is_named(tmp_path: Path, entries: dict[str, list[tuple[str, str]]], group: str) -> None:
    entries[group] = []
    (finding,) = said(checks._distro, around(tmp_path))
    assert not finding.ok
    assert "opentelemetry-instrument does nothing" in finding.message
    assert finding.fix == "pip install opentelemetry-distro"


def test_a_vendor_s_distro_is_named(tmp_path: Path, entries: dict[str, list[tuple[str, str]]]) -> None:
    entries["opentelemetry_distro"].append(("vendor", "vendor-distro"))
    (finding,) = said(checks._distro, around(tmp_path))
    assert (finding.ok, "vendor-distro" in finding.message) == (False, True)
    assert said(checks._distro, around(tmp_path, environ={"OTEL_PYTHON_DISTRO": "vendor"}))[0].ok


def test_an_sdk_instrumented_twice_is_named(tmp_path: Path, entries: dict[str, list[tuple[str, str]]]) -> None:
    entries["opentelemetry_instrumentor"] += [
        ("openai", "opentelemetry-instrumentation-openai"), ("openai", "openinference-instrumentation-openai"),
        ("anthropic", "opentelemetry-instrumentation-anthropic"),
    ]  # fmt: skip
    findings = said(checks._double, around(tmp_path))
    assert not any(finding.ok for finding in findings)
    texts = [finding.message for finding in findings]
    assert any(
        "openinference-instrumentation-openai and opentelemetry-instrumentation-openai" in text for text in texts
    )
    if find_spec("anthropic") is not None:
        assert any("anthropic itself" in text for text in texts)


def test_no_client_to_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(checks._clients, around(tmp_path))[0].ok
    monkeypatch.setattr(checks, "_version", lambda _: None)
    assert not said(checks._clients, around(tmp_path))[0].ok


def test_no_map_a_map_and_a_map_older_than_the_code(tmp_path: Path) -> None:
    assert not said(checks._map, around(tmp_path))[0].ok
    path = tmp_path / ".llmcost" / "semantic_map.json"
    path.parent.mkdir()
    path.write_text('{"app.py": {"f": "chat"}}')
    source = tmp_path / "app.py"
    source.write_text("")
    made = path.stat().st_mtime
    os.utime(source, (made - 5, made - 5))
    when = datetime.fromtimestamp(made, UTC) + timedelta(days=3, minutes=1)
    (good,) = said(checks._map, around(tmp_path, map_path=path, now=when))
    assert (good.ok, good.message) == (True, "1 file mapped, 3 days ago")
    os.utime(source, (made + 5, made + 5))
    assert "app.py" in said(checks._map, around(tmp_path, map_path=path))[0].message
    path.write_text("not json")
    assert not said(checks._map, around(tmp_path, map_path=path))[0].ok


def test_prices_older_than_thirty_days(tmp_path: Path) -> None:
    (found,) = said(checks._prices, around(tmp_path))
    dated = datetime.fromisoformat(found.message.split()[2]).replace(tzinfo=UTC)
    assert said(checks._prices, around(tmp_path, now=dated + timedelta(days=30)))[0].ok
    (old,) = said(checks._prices, around(tmp_path, now=dated + timedelta(days=31)))
    assert (old.ok, old.fix) == (False, "llmcost prices update")
    missing = Config(price_map=tmp_path / "nosuch.json")
    assert "nosuch.json" in said(checks._prices, around(tmp_path, settings=missing))[0].message


def test_models_without_a_price(tmp_path: Path) -> None:
    assert said(checks._unpriced, around(tmp_path)) == []
    folder = filled(tmp_path / ".llmcost", [a_call(1)])
    assert said(checks._unpriced, around(tmp_path, folder=folder))[0].ok
    filled(tmp_path / ".llmcost", [a_call(2, request_model="new\x1b[1m", cost=None)])
    (finding,) = said(checks._unpriced, around(tmp_path, folder=folder))
    assert "new\\x1b[1m: no price for 1 call" in finding.message
    filled(tmp_path / ".llmcost", [a_call(10 + n, request_model=f"m{n}", cost=None) for n in range(30)])
    findings = said(checks._unpriced, around(tmp_path, folder=folder))
    assert len(findings) == 11
    assert findings[-1].message == "and 21 further models"


def test_a_store_that_cannot_be_written_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(checks._store, around(tmp_path))[-1].ok
    with monkeypatch.context() as patch:
        patch.setattr("llmcost.cli.checks.os.access", lambda *_: False)
        assert "cannot be written" in said(checks._store, around(tmp_path))[0].message
    folder = filled(tmp_path / ".llmcost", [a_call(1)])
    folder.database.write_bytes(b"damaged" * 1000)
    assert "calls.db" in said(checks._store, around(tmp_path, folder=folder))[0].message


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_exporter_that_answers_and_one_that_does_not(tmp_path: Path, listening: int) -> None:
    assert said(checks._exporter, around(tmp_path))[0].ok
    for form in ("http://127.0.0.1:{}", "127.0.0.1:{}", "http://127.0.0.1:{}/v1/traces"):
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": form.format(listening)}
        assert said(checks._exporter, around(tmp_path, environ=environ))[0].ok
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    (finding,) = said(checks._exporter, around(tmp_path, settings=Config(endpoint=f"http://127.0.0.1:{closed}")))
    assert not finding.ok
    assert f"127.0.0.1:{closed}" in finding.message


@pytest.mark.parametrize("endpoint", ["http://", "http://host:port", ":::"])
def test_an_endpoint_that_is_none_is_a_finding(tmp_path: Path, endpoint: str) -> None:
    assert not said(checks._exporter, around(tmp_path, settings=Config(endpoint=endpoint)))[0].ok


def test_the_command_says_all_and_its_exit_code_is_1_where_something_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    assert main(["doctor", "--json"], out) == 1
    found = json.loads(out.getvalue())
    assert {row["check"] for row in found} >= {"clients", "distro", "map", "prices", "store", "exporter"}
    assert len(found) >= len(CHECKS) - 1
    text = io.StringIO()
    assert main(["doctor"], text) == 1
    assert "-> llmcost scan" in text.getvalue()
    monkeypatch.setattr(checks, "CHECKS", ())
    assert main(["doctor"], io.StringIO()) == 0


def test_a_lock_file_that_cannot_be_read_is_told_as_such_beside_the_age_of_the_prices(tmp_path: Path) -> None:
    surroundings = around(tmp_path)
    lock = surroundings.folder.root / LOCK_FILE
    lock.parent.mkdir()
    lock.write_text("not json")
    broken, age = said(checks._prices, surroundings)
    assert (broken.ok, broken.fix) == (False, "llmcost prices pin, or put the pinned map back")
    assert "prices.lock: not a price lock file" in broken.message
    assert "days old" in age.message
