"""A collector with one configuration file, between a sender and a loopback receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from deploy.processes import Stack

NANO: Final = 1_000_000_000
_START: Final = 1_790_000_000 * NANO
_KINDS: Final = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}


@contextmanager
def collector(config: str, folder: Path, backend: str, **variables: str) -> Iterator[Stack]:
    """Run it with every exporter pointing at the backend."""
    from deploy.processes import NotBuilt, Stack, free_ports

    folder.mkdir(exist_ok=True)
    stack = Stack(folder, free_ports())
    exporters = ("TRACES_ENDPOINT", "PROMETHEUS_ENDPOINT", "BACKEND_ENDPOINT", "DATADOG_ENDPOINT")
    try:
        stack.start_collector(config, {**dict.fromkeys(exporters, backend), **variables})
        yield stack
    except NotBuilt as error:
        pytest.skip(str(error))
    finally:
        stack.stop_all()


def send(stack: Stack, given: Mapping[str, Any]) -> None:
    """Send spans and counters, written short in a case's file, as OTLP/JSON."""
    if given.get("spans"):
        spans = [_span(number, each) for number, each in enumerate(given["spans"], 1)]
        _post(stack, "traces", {"resourceSpans": [{**_resource(given), "scopeSpans": [{"spans": spans}]}]})
    if given.get("counters"):
        metrics = [_counter(each) for each in given["counters"]]
        _post(stack, "metrics", {"resourceMetrics": [{**_resource(given), "scopeMetrics": [{"metrics": metrics}]}]})


def _post(stack: Stack, signal: str, body: Mapping[str, Any]) -> None:
    request = Request(f"{stack.endpoint}/v1/{signal}", json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    with urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def _resource(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"resource": {"attributes": _attributes(given.get("resource", {"service.name": "app"}))}}


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": {_KINDS[type(value)]: value}} for name, value in values.items()]


def _span(number: int, given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": given["name"],
        "kind": 3,
        "startTimeUnixNano": str(_START),
        "endTimeUnixNano": str(_START + NANO),
        "attributes": _attributes(given.get("attributes", {})),
        "status": {"code": 2 if given.get("failed") else 0},
        "events": [
            {"name": name, "timeUnixNano": str(_START), "attributes": _attributes(values)}
            for name, values in given.get("events", {}).items()
        ],
    }


def _counter(given: Mapping[str, Any]) -> dict[str, Any]:
    points = [
        {
            "startTimeUnixNano": str(_START + number * NANO),
            "timeUnixNano": str(_START + (number + 1) * NANO),
            "asDouble": value,
            "attributes": _attributes(given.get("attributes", {})),
        }
        for number, value in enumerate(given["deltas"])
    ]
    return {"name": given["name"], "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": points}}
