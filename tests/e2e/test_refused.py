"""A refused call with each real SDK raises what ``docs/reference/refusals.md`` says, at once and without a request."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from contract.observed import observed
from e2e.loopback import serving
from e2e.sdks import OVER_OTHERS, SDKS, Sdk

import llmcost

pytestmark = pytest.mark.e2e

_PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference" / "refusals.md"
_MODULES: Final = {"google-genai": "google.genai"}


def _table() -> dict[str, list[str]]:
    """By SDK, what it may raise."""
    rows = _PAGE.read_text(encoding="utf-8").partition("| SDK |")[2].partition("\n\n")[0].splitlines()[2:]
    return {name.strip(): re.findall(r"`([^`]+)`", raised) for _, name, raised, _ in (row.split("|") for row in rows)}


RAISED: Final = _table()


async def _read(sdk: Sdk, url: str) -> list[Any]:
    return [chunk async for chunk in sdk.aask_stream(url, sdk.model)]


WAYS: Final[dict[str, Callable[[Sdk, str], Any]]] = {
    "plain": lambda sdk, url: sdk.ask(url, sdk.model),
    "stream": lambda sdk, url: list(sdk.ask_stream(url, sdk.model)),
    "async": lambda sdk, url: asyncio.run(sdk.aask(url, sdk.model)),  # type: ignore[arg-type]
    "async stream": lambda sdk, url: asyncio.run(_read(sdk, url)),
}


def _need(sdk: Sdk) -> None:
    module = _MODULES.get(sdk.name, sdk.name.partition(" ")[0])
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # of a namespace
        found = None
    if found is None:
        pytest.skip(f"{module} is not installed")


def test_the_page_names_every_sdk() -> None:
    assert RAISED.keys() == {sdk.name for sdk in (*SDKS, *OVER_OTHERS)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sdk", [*SDKS, *OVER_OTHERS], ids=lambda sdk: sdk.name)
def test_a_refused_call_raises_the_sdks_own_error(sdk: Sdk, way: str) -> None:
    _need(sdk)
    budget = {"name": "all calls", "daily": 5, "max_calls": 0}
    with serving(sdk.server()) as server:
        hosts = {f"127.0.0.1:{server.port}": sdk.provider}
        with observed(hosts=hosts, budgets=[budget], ledger="memory://", store=False) as seen:
            with pytest.raises(Exception, match=r"all calls.*: 0 of 0 calls made") as raised:
                WAYS[way](sdk, server.url)
            found = llmcost.refusal(raised.value)
        assert server.requests == []
    kind = type(raised.value)
    assert f"{kind.__module__}.{kind.__qualname__}" in RAISED[sdk.name]
    assert found is not None
    assert (found.budget, found.cause, found.limit, found.remaining) == ("all calls", "calls", 0, 0)
    assert (found.resets_at or 0) > seen.call.started_ns / 1e9
    call = seen.call  # one: nothing was tried again
    assert (call.budget_action, call.cost.status, call.status_code) == ("block", "not_billed", 402)
    assert found.call_id == call.id


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
def test_a_providers_own_402_is_not_ours(sdk: Sdk) -> None:
    _need(sdk)
    server = sdk.server()
    server.status = 402
    ours = observed(budgets=[{"name": "enough", "daily": 5}], ledger="memory://", store=False)
    with serving(server), ours, pytest.raises(Exception) as raised:
        sdk.ask(server.url, sdk.model)
    assert len(server.requests) == 1
    assert llmcost.refusal(raised.value) is None
