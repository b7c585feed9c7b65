"""The network leg switched on: HTTP spans of httpx and httpx2 below each call, with the call's label."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from opentelemetry import context as otel_context
from opentelemetry.trace import Span

from llmcost import semconv
from llmcost.exchange.adopt import LABEL
from llmcost.exchange.guard import guard

_URLS: Final = ("url.full", "http.url")


class HttpSpans:
    """The instrumentations of opentelemetry-instrumentation-httpx, for both modules.

    Where the application has switched one on itself, it stays as it is, and is not switched off at the end.

    Args:
        tracer_provider: where the spans go; the global provider by default.
    """

    def __init__(self, tracer_provider: Any = None) -> None:
        self._provider = tracer_provider
        self._ours: list[Any] = []

    def install(self) -> None:
        """Switch on what is not on."""
        from opentelemetry.instrumentation import httpx as instrumentation

        for name in ("HTTPXClientInstrumentor", "HTTPX2ClientInstrumentor"):
            made = getattr(instrumentation, name, None)
            if made is None:
                continue
            instrumentor = made()
            if not instrumentor.is_instrumented_by_opentelemetry and not instrumentor._check_dependency_conflicts():  # noqa: SLF001 - its own instrument() would log an error for a module that is not installed
                instrumentor.instrument(
                    tracer_provider=self._provider, request_hook=_describe, async_request_hook=_describe_async
                )
                self._ours.append(instrumentor)

    def uninstall(self) -> None:
        """Switch off what was switched on here."""
        for instrumentor in self._ours:
            instrumentor.uninstrument()
        self._ours.clear()


def _describe(span: Span, request: Any) -> None:  # noqa: ARG001 - the hook is given both
    """The label, where the request is a call; and for no request a query string, since providers take keys there."""
    with guard("http_spans"):
        if not span.is_recording():
            return
        label = otel_context.get_value(LABEL)
        if isinstance(label, str):
            span.set_attribute(semconv.SEMANTIC_LABEL, label)
        present = getattr(span, "attributes", None) or {}
        for name in _URLS:
            if name in present:
                span.set_attribute(name, _without_query(str(present[name])))


async def _describe_async(span: Span, request: Any) -> None:
    _describe(span, request)


def _without_query(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
