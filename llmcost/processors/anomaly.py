"""Anomalies, told: on the span of the next call concerned, as a log record, a metric, a callback and a webhook."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from opentelemetry import _logs, metrics
from opentelemetry.sdk.trace import SpanProcessor

from llmcost import semconv
from llmcost.calls import Call
from llmcost.exchange.guard import guard
from llmcost.insight import Anomaly, Scope
from llmcost.insight.grades import Severity
from llmcost.processors.foresight import Foresight, found_of
from llmcost.processors.instruments import LOCK, present_instruments
from llmcost.processors.webhook import Post, Webhook

_MOST_WAITING: Final = 256
_SEVERITIES: Final[dict[Severity, _logs.SeverityNumber]] = {
    "low": _logs.SeverityNumber.INFO,
    "medium": _logs.SeverityNumber.WARN,
    "high": _logs.SeverityNumber.ERROR,
}


class AnomalySpanProcessor(SpanProcessor):
    """Tells each report once over all processes; the timer calls :meth:`publish`.

    Args:
        foresight: finds what there is to report.
        callback: the user's ``on_anomaly``, called in the timer's thread.
        webhook: where reports are posted.
        meter_provider: of the counter; the application's by default.
    """

    def __init__(
        self,
        foresight: Foresight,
        callback: Callable[[Anomaly], object] | None = None,
        webhook: Webhook | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._foresight = foresight
        self._callback = callback
        self._webhook = webhook
        self._meter_provider = meter_provider
        self._waiting: OrderedDict[Scope, Anomaly] = OrderedDict()

    def events(self, call: Call) -> list[tuple[str, dict[str, Any]]]:
        """Name and attributes of the events for the span of a call that is about to end: the reports on its scopes
        that no span has told yet."""
        if not self._waiting:
            return []
        about = call.attribution
        model = call.request_model or call.response_model or ""
        mine = (Scope("global"), Scope("label", about.label), Scope("model", model), Scope("user", about.user_id or ""))
        reports = [self._waiting.pop(scope, None) for scope in mine]
        return [(semconv.ANOMALY_EVENT_NAME, attributes(report)) for report in reports if report is not None]

    def publish(self) -> None:
        """Tell what was found since the last time."""
        for report in self._foresight.news():
            self._count(report)
            self._log(report)
            self._waiting[report.scope] = report
            while len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem(last=False)
            if self._webhook is not None:
                self._webhook.send(post_of(report))
            if self._callback is not None:
                with guard("on_anomaly"):
                    self._callback(report)

    def _count(self, report: Anomaly) -> None:
        instruments = present_instruments(self._meter_provider)
        if instruments is not None:
            found = instruments.anomalies.of({**attributes(report), semconv.SCOPE_KIND: report.scope.kind})
            with LOCK:
                found.value += 1

    def _log(self, report: Anomaly) -> None:
        logger = _logs.get_logger(semconv.SCOPE, schema_url=semconv.SCHEMA_URL)
        logger.emit(
            timestamp=int(report.timestamp * 1e9),
            event_name=semconv.ANOMALY_EVENT_NAME,
            severity_number=_SEVERITIES[report.severity],
            body=report.description,
            attributes=attributes(report),
        )

    def shutdown(self) -> None:
        """Post nothing any more."""
        if self._webhook is not None:
            self._webhook.stop()


def attributes(report: Anomaly) -> dict[str, Any]:
    """A report as attributes of an event."""
    values = {
        semconv.SCOPE_KIND: report.scope.kind,
        semconv.SCOPE_VALUE: report.scope.name or None,
        semconv.ANOMALY_INCIDENT: report.incident,
        semconv.ANOMALY_EVENT: report.event,
        semconv.ANOMALY_SEVERITY: report.severity,
        semconv.ANOMALY_CAUSE: report.cause,
        semconv.ANOMALY_EXCESS: report.excess,
        semconv.ANOMALY_DESCRIPTION: report.description,
    }
    return {name: value for name, value in values.items() if value is not None}


def document(report: Anomaly) -> dict[str, Any]:
    """A report as JSON: the fields of :class:`~llmcost.insight.Anomaly`, its incident and its description."""
    scope = {"kind": report.scope.kind, "name": report.scope.name}
    return {**asdict(report), "scope": scope, "incident": report.incident, "description": report.description}


def post_of(report: Anomaly) -> Post:
    """A report as the webhook sends it."""
    return Post(found_of(report).name, json.dumps(document(report)).encode())
