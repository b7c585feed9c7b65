"""Questions to a running stack. What was sent arrives within a second or two, on a loaded machine later."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

if TYPE_CHECKING:
    from deploy.processes import Stack

T = TypeVar("T")

PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.1


def until(ask: Callable[[], T], good: Callable[[T], bool] = bool, patience: float = PATIENCE_S) -> T:
    """The first good answer; the last one where none is good in time, for the test to look at.

    Patience is counted in tries, not by the clock: a machine that stands still or is busy has as many of them.
    """
    for _ in range(int(patience / _PAUSE_S)):
        answer = ask()
        if good(answer):
            return answer
        time.sleep(_PAUSE_S)
    return ask()


class Asking:
    """Asks Prometheus and Jaeger of a stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack: Final = stack

    def series(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """What a PromQL expression gives now, or at a Unix time."""
        when = {} if at is None else {"time": str(at)}
        return list(self._page("PROMETHEUS_PORT", "/api/v1/query", query=expression, **when)["data"]["result"])

    def series_of(self, expression: str, count: int) -> list[dict[str, Any]]:
        """The same, as soon as there are so many."""
        return until(lambda: self.series(expression), lambda got: len(got) == count)

    def value(self, expression: str) -> float | None:
        """The only value of an expression; None where it has none."""
        found = self.series(expression)
        assert len(found) < 2, found
        return float(found[0]["value"][1]) if found else None

    def reaches(self, expression: str, expected: float, within: float = 1e-9) -> float | None:
        """The value of an expression, as soon as it is the expected one."""
        return until(lambda: self.value(expression), lambda got: got is not None and abs(got - expected) <= within)

    def names(self, service: str) -> dict[str, float]:
        """How many series of a service each metric has now."""
        found = self.series(f'count by (__name__) ({{service_name="{service}"}})')
        return {each["metric"]["__name__"]: float(each["value"][1]) for each in found}

    def exemplars(self, selector: str) -> Iterator[tuple[str, float]]:
        """Trace id and value of each exemplar of the last hour."""
        now = time.time()
        page = self._page("PROMETHEUS_PORT", "/api/v1/query_exemplars", query=selector, start=now - 3600, end=now + 60)
        for series in page["data"]:
            for each in series["exemplars"]:
                yield each["labels"].get("trace_id", ""), float(each["value"])

    def traces(self, service: str, **attributes: str) -> list[list[dict[str, Any]]]:
        """The traces with a span of a service that has these attributes, each as a list of spans."""
        named = {name.replace("__", "."): value for name, value in attributes.items()}
        page = self._page(
            "TRACES_QUERY_PORT", "/api/traces", service=service, limit=1000, tags=json.dumps(named) if named else "{}"
        )
        return [trace["spans"] for trace in page["data"]]

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace; empty where it is not stored."""
        page = self._page("TRACES_QUERY_PORT", f"/api/traces/{trace_id}")
        return list(page["data"][0]["spans"]) if page.get("data") else []

    def _page(self, port: str, path: str, **parameters: object) -> dict[str, Any]:
        from deploy.processes import fetch

        body = fetch(f"{self.stack.url(port)}{path}?{urlencode(parameters)}")
        return dict(json.loads(body)) if body else {"data": {"result": []} if "query" in path else []}


def tags(span: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a span from Jaeger."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}
