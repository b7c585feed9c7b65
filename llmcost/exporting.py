"""Providers, set up only where the application has none and something is to be exported."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from opentelemetry.sdk.resources import Resource

from llmcost.config import Config
from llmcost.exporters import metric_exporters, span_exporters
from llmcost.renewable import MetricsOut, TracesOut
from llmcost.signals import log
from llmcost.termination import SHUTDOWN_SECONDS, in_parallel


class _Kind(NamedTuple):
    """A signal: whose provider it is, what makes its exporters, and what holds both."""

    provider: str
    exporters: Any
    out: Any


_KINDS: Final = (_Kind("tracer", span_exporters, TracesOut), _Kind("meter", metric_exporters, MetricsOut))


class Exporting:
    """The providers that llmcost has set up in this process, with their end and their renewal."""

    def __init__(self) -> None:
        self._outs: dict[str, TracesOut | MetricsOut] = {}
        atexit.register(self.end)

    def start(self, config: Config, environ: Mapping[str, str]) -> None:
        """Export each signal that has exporters and whose provider the application leaves to us."""
        resource = Resource.create({"service.name": config.service_name} if config.service_name else {})
        for provider, make, out in _KINDS:
            exporters = make(config, environ)
            if provider in self._outs:
                self._outs[provider].renew(exporters)
            elif exporters and out.free():
                self._outs[provider] = out(exporters, resource)
            elif exporters and config.endpoint:
                log.warning(
                    "llmcost: the application has a %s provider of its own, which is used; endpoint %s is not",
                    provider,
                    config.endpoint,
                )

    def force_flush(self) -> None:
        """Send what is waiting, all signals in parallel."""
        millis = int(SHUTDOWN_SECONDS * 1000)
        in_parallel(SHUTDOWN_SECONDS, *[lambda out=out: out.flush(millis) for out in self._outs.values()])

    def stop(self) -> None:
        """Send what is waiting and export no more until :meth:`start`; within :data:`SHUTDOWN_SECONDS` also where
        nobody answers."""
        in_parallel(SHUTDOWN_SECONDS, *[out.pause for out in self._outs.values()])
        for out in self._outs.values():
            out.renew(())

    def end(self) -> None:
        """Send what is waiting and stop for good: the end of the process."""
        atexit.unregister(self.end)
        in_parallel(SHUTDOWN_SECONDS, *[out.end for out in self._outs.values()])
        for out in self._outs.values():
            out.outage.unwatch()
