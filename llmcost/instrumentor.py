"""Composition: from settings to a working engine, its observers and its hooks."""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from llmcost import config as settings
from llmcost import exporting, semconv
from llmcost.calls import Cost, Usage
from llmcost.config import Config
from llmcost.exchange.clients import hooks
from llmcost.exchange.engine import Engine, Options, active
from llmcost.exchange.guard import guard, log
from llmcost.pricing import LOCAL_FILE, LOCK_FILE, PriceBook, PriceSources
from llmcost.processors.fan_out import FanOut
from llmcost.processors.metrics import MetricsSpanProcessor
from llmcost.processors.store import StoreSpanProcessor

_NO_DEPENDENCIES: Final[Collection[str]] = ()
_STORE_EXPORTER: Final = "llmcost"


class Runtime:
    """What is running: one engine with its observers. Starting twice is starting once."""

    def __init__(self) -> None:
        self.config: Config | None = None
        self.observers = FanOut()
        self.exporting: exporting.Exporting | None = None
        self.store: StoreSpanProcessor | None = None
        self._at_exit = False

    @property
    def started(self) -> bool:
        """Whether calls are observed now."""
        return active.engine is not None

    def start(
        self,
        config: Config,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        """Compose the engine, switch the hooks on. The application's providers are used, never touched."""
        self.config = config
        self.observers = FanOut()
        if config.metrics:
            self.observers.add(MetricsSpanProcessor(meter_provider))
        folder = store_folder(config, tracer_provider)
        if folder is not None:
            self.store = StoreSpanProcessor.at(folder)
            self.observers.add(self.store)
        active.engine = _engine(config, self.observers, tracer_provider)
        hooks.install()
        if not self._at_exit:
            self._at_exit = True
            atexit.register(self.finish_open_calls)

    def stop(self) -> None:
        """Take the hooks out, finish what is open, flush and end what llmcost set up."""
        hooks.remove()
        self.finish_open_calls()
        active.engine = None
        if self.store is not None:
            self.store.shutdown()
            self.store = None
        self.config = None

    def finish_open_calls(self) -> None:
        """Finish streams that are still open, at the end of the program."""
        with guard("runtime.finish_open_calls"):
            if active.engine is not None:
                active.engine.close()

    def force_flush(self) -> None:
        """Write and send what is waiting."""
        with guard("runtime.force_flush"):
            if active.engine is not None:
                active.engine.drain()
            if self.store is not None:
                self.store.force_flush()
            if self.exporting is not None:
                self.exporting.force_flush()


runtime: Final = Runtime()


def store_folder(config: Config, tracer_provider: object | None) -> Path | None:
    """Where the local store is written: as configured, else wherever nothing is exported."""
    if config.store != "auto":
        return config.store
    names = os.environ.get("OTEL_TRACES_EXPORTER", "").split(",")
    if _STORE_EXPORTER in names:
        return settings.DEFAULT_STORE.resolve()
    exported = tracer_provider is not None or exporting.endpoint_of(config, os.environ) is not None
    return None if exported else settings.DEFAULT_STORE.resolve()


class Tracers:
    """Our tracer of the given provider, else of the global one as it is at each call: it may be set later."""

    def __init__(self, provider: trace.TracerProvider | None) -> None:
        self._given = provider
        self._of: trace.TracerProvider | None = None
        self._tracer: trace.Tracer | None = None

    def __call__(self) -> trace.Tracer:
        """The tracer to use now."""
        provider = self._given or trace.get_tracer_provider()
        if self._tracer is None or provider is not self._of:
            self._of = provider
            self._tracer = provider.get_tracer(semconv.SCOPE, schema_url=semconv.SCHEMA_URL)
        return self._tracer


def price_book(config: Config) -> PriceBook:
    """The price book that the settings ask for."""
    folder = config.store if isinstance(config.store, Path) else settings.DEFAULT_STORE
    return PriceBook(
        PriceSources(
            price_map=config.price_map,
            local_map=folder / LOCAL_FILE,
            rows=config.prices,
            aliases=config.deployments,
            lock=folder / LOCK_FILE,
        )
    )


@functools.cache
def _default_prices() -> PriceBook:
    return price_book(settings.load())


def price(
    model: str,
    usage: Usage,
    *,
    provider: str | None = None,
    service_tier: str | None = None,
    at: datetime | float | None = None,
) -> Cost:
    """What a usage costs, by the prices that the settings of this process ask for.

    Args:
        model: the model's name, or its key of the price map.
        usage: what was used; totals are inclusive.
        provider: OTel's name of the provider, or LiteLLM's; without it ``model`` must be a key of the map.
        service_tier: ``flex``, ``priority``, ``batch`` or as the provider spells it.
        at: when; now by default.

    Returns:
        The cost in USD with its status; ``total`` is None where no price is known.
    """
    engine = active.engine
    prices = engine.prices if engine is not None else _default_prices()
    return prices.price(model, usage, provider=provider, service_tier=service_tier, at=at)


def _engine(config: Config, observers: FanOut, tracer_provider: trace.TracerProvider | None) -> Engine:
    from llmcost import providers, sections

    found = sections.Sections(config.map_path, default_label=config.default_label)

    return Engine(
        registry=providers.registry(hosts=config.hosts),
        prices=price_book(config),
        attribute=found.attribute,
        observe=observers,
        tracer=Tracers(tracer_provider),
        options=Options(
            suppress_http_spans=config.http_spans == "off",
            inject_stream_usage=config.stream_usage == "inject",
            profiles=config.profiles,
            capture_content=config.capture_content,
            run_id=config.run_id,
        ),
    )


class LLMCostInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Hooks the HTTP clients; the entry point that ``opentelemetry-instrument`` loads.

    ``instrument`` takes ``tracer_provider``, ``meter_provider`` and every setting of :class:`llmcost.config.Config`.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: every client is optional, and hooked when it is imported."""
        return _NO_DEPENDENCIES

    def _instrument(self, **kwargs: Any) -> None:
        kwargs.pop("skip_dep_check", None)
        tracer_provider = kwargs.pop("tracer_provider", None)
        meter_provider = kwargs.pop("meter_provider", None)
        runtime.start(settings.load(kwargs), tracer_provider, meter_provider)

    def _uninstrument(self, **_: Any) -> None:
        runtime.stop()


def observe(**arguments: Any) -> None:
    """Observe every LLM call of this process from now on. Calling it again changes nothing.

    Where an OTLP endpoint is configured, by ``endpoint`` or ``OTEL_*``, and the application has set no providers,
    llmcost sets them up. Where none is, only the local store is written and nothing connects.

    Args:
        arguments: every setting of :class:`llmcost.config.Config`: ``endpoint``, ``headers``, ``http_spans``,
            ``store``, ``service_name`` and so on; also ``tracer_provider`` and ``meter_provider``.

    Raises:
        ConfigError: naming the setting at fault.
    """
    tracer_provider = arguments.pop("tracer_provider", None)
    meter_provider = arguments.pop("meter_provider", None)
    config = settings.load(arguments)
    if runtime.started:
        if config != runtime.config:
            log.warning("llmcost: already observing; settings that differ now are not applied: %s", _changed(config))
        return
    endpoint = exporting.endpoint_of(config, os.environ)
    if endpoint is not None and tracer_provider is None and not exporting.has_provider():
        runtime.exporting = exporting.Exporting(config, endpoint)
        exporting.flush_on_sigterm(runtime.force_flush)
    LLMCostInstrumentor().instrument(tracer_provider=tracer_provider, meter_provider=meter_provider, **arguments)


def _changed(config: Config) -> str:
    from dataclasses import fields

    before = runtime.config
    return ", ".join(f.name for f in fields(Config) if getattr(config, f.name) != getattr(before, f.name))


def force_flush() -> None:
    """Write and send what is waiting: for functions that are frozen between requests, as on AWS Lambda."""
    runtime.force_flush()


def shutdown() -> None:
    """Stop observing; write and send what is waiting. Takes at most five seconds also where nobody answers."""
    instrumentor = LLMCostInstrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
    if runtime.exporting is not None:
        runtime.exporting.shutdown()
        runtime.exporting = None
