"""Composition: from settings to a working engine, its observers and its hooks."""

from __future__ import annotations

import atexit
import functools
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry import metrics, trace

from llmcost import config as settings
from llmcost import semconv, signals
from llmcost.calls import UNATTRIBUTED, Cost, Usage
from llmcost.checking import DEFAULT_STORE
from llmcost.config import Config
from llmcost.exchange.clients import hooks
from llmcost.exchange.engine import Clock, Engine, Options, active, new_call_id
from llmcost.exchange.guard import guard
from llmcost.exchange.watch import turns
from llmcost.pricing import LOCAL_FILE, LOCK_FILE, PriceBook, PriceSources
from llmcost.processors.fan_out import FanOut
from llmcost.processors.metrics import MetricsSpanProcessor
from llmcost.processors.second_door import SecondDoor
from llmcost.providers import registry
from llmcost.sections import Sections
from llmcost.tracing.http_spans import HttpSpans
from llmcost.tracing.label_entry import LabelEntry
from llmcost.tracing.log_call import CallLog, Recorder
from llmcost.tracing.propagation import ThreadContext

if TYPE_CHECKING:
    from llmcost.control import Callbacks, Controller, Standing
    from llmcost.exchange.admission import Gate
    from llmcost.exporting import Exporting
    from llmcost.processors.outlook import OutlookSpanProcessor
    from llmcost.processors.outlook_settings import OnAnomaly
    from llmcost.processors.store import StoreSpanProcessor


class Runtime:
    """What is running: one engine with its observers. Starting twice is starting once."""

    def __init__(self) -> None:
        self.config: Config | None = None
        self.observers = FanOut()
        self.exporting: Exporting | None = None
        self.store: StoreSpanProcessor | None = None
        self.outlook: OutlookSpanProcessor | None = None
        self.call_log = CallLog(_idle())
        self._carriers: tuple[ThreadContext | LabelEntry | HttpSpans, ...] = ()
        self._door: SecondDoor | None = None
        self._at_exit = False

    @property
    def gate(self) -> Gate | None:
        """Puts calls before the budgets; None where there are none."""
        return active.engine.gate if active.engine is not None else None

    @property
    def controller(self) -> Controller | None:
        """The engine of the budgets; None where there are none."""
        return self.gate.controller if self.gate is not None else None

    @property
    def started(self) -> bool:
        """Whether calls are observed now."""
        return active.engine is not None

    def start(
        self,
        config: Config,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        on_anomaly: OnAnomaly | None = None,
        callbacks: Callbacks | None = None,
    ) -> None:
        """Compose the engine, switch the hooks on. The application's providers are used, never touched."""
        self.config = config
        config = _in_a_run(config)
        self.observers = FanOut()
        folder = store_folder(config, tracer_provider)
        if folder is not None:
            from llmcost.processors.store import StoreSpanProcessor  # with SQLite: only where there is a store

            self.store = StoreSpanProcessor.at(folder)
            self.observers.add(self.store)
        measured = MetricsSpanProcessor(meter_provider, self.store, config.metric_users) if config.metrics else None
        if measured is not None:
            self.observers.add(measured)
        self.outlook = _outlook(config, folder, meter_provider, on_anomaly)
        if self.outlook is not None:
            self.observers.add(self.outlook)
        sections = Sections(config.map_path, default_label=config.default_label)
        engine = _engine(config, self.observers, sections, tracer_provider)
        if measured is not None:
            engine.turn = turns(measured.overhead)
        unasked = FanOut()
        if config.budgets:
            from llmcost.budgeting import gate_of
            from llmcost.processors.budget import BudgetSpanProcessor
            from llmcost.processors.budget_metrics import BudgetMetrics

            gate = engine.gate = gate_of(config, engine.prices, folder or DEFAULT_STORE.resolve(), callbacks)
            unasked.add(BudgetSpanProcessor(gate))
            if config.metrics:
                self.observers.add(BudgetMetrics(gate, meter_provider))
        unasked.add(self.observers)
        engine.events = self.outlook.events if self.outlook is not None else None
        self.call_log = CallLog(_recorder(engine, config, self.observers))
        self.observers.add(self.call_log)
        self._carriers = (ThreadContext(sections.inherit), LabelEntry(sections.semantic_map, sections.inherit))
        if config.http_spans == "on":
            self._carriers = (*self._carriers, HttpSpans(tracer_provider))
        for carrier in self._carriers:
            with guard(f"start.{type(carrier).__name__}"):
                carrier.install()
        if config.second_door:
            self._door = _second_door(config, unasked, tracer_provider)
        active.engine = engine
        hooks.install()
        if not self._at_exit:
            self._at_exit = True
            atexit.register(self.finish_open_calls)
            os.register_at_fork(after_in_child=_forget_open_calls)

    def stop(self) -> None:
        """Take the hooks out, finish what is open, flush and end what llmcost set up."""
        hooks.remove()
        for carrier in self._carriers:
            with guard(f"stop.{type(carrier).__name__}"):
                carrier.uninstall()
        self._carriers = ()
        if self._door is not None:
            self._door.close()
        self.finish_open_calls()
        if self.gate is not None:
            with guard("stop.budgets"):
                self.gate.close()
        active.engine = None
        self.call_log = CallLog(_idle())
        if self.store is not None:
            self.store.shutdown()
            self.store = None
        if self.outlook is not None:
            self.outlook.shutdown()
            self.outlook = None
        self.config = None

    def finish_open_calls(self) -> None:
        """Finish streams that are still open, at the end of the program."""
        with guard("runtime.finish_open_calls"):
            if active.engine is not None:
                active.engine.close()
            if self.gate is not None:
                self.gate.rest()
            if self.outlook is not None:
                self.outlook.force_flush()

    def write(self) -> None:
        """Finish what was dropped and write what waits for the store."""
        with guard("runtime.write"):
            if active.engine is not None:
                active.engine.drain()
            if self.gate is not None:
                self.gate.books.settler.flush()
            if self.store is not None:
                self.store.force_flush()
            if self.outlook is not None:
                self.outlook.force_flush()

    def force_flush(self) -> None:
        """Write and send what is waiting."""
        self.write()
        with guard("runtime.force_flush"):
            if self.exporting is not None:
                self.exporting.force_flush()


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


def _in_a_run(config: Config) -> Config:
    """Where a budget is by run, calls say which one they are of; without ``llmcost run`` this process is it."""
    if config.run_id is not None or all(budget.scope != "run" for budget in config.budgets):
        return config
    return replace(config, run_id=uuid.uuid4().hex)


def store_folder(config: Config, tracer_provider: object | None) -> Path | None:
    """Where the local store is written: as configured, else wherever nothing is exported."""
    if config.store != "auto":
        return config.store
    if signals.STORE_NAME in os.environ.get("OTEL_TRACES_EXPORTER", "").split(","):
        return DEFAULT_STORE.resolve()
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exported = (tracer_provider is not None and not disabled) or signals.kept(config, os.environ)
    return None if exported else DEFAULT_STORE.resolve()


def _outlook(
    config: Config, folder: Path | None, meter_provider: metrics.MeterProvider | None, on_anomaly: OnAnomaly | None
) -> OutlookSpanProcessor | None:
    """Forecasts and the watch for anomalies; None where they are off, or nothing is kept anyway."""
    if config.foresight == "off" or (config.foresight == "auto" and folder is None):
        return None
    from llmcost.processors.outlook import OutlookSpanProcessor, ledger_url
    from llmcost.processors.outlook_settings import OutlookSettings
    from llmcost.processors.sums import further_scopes

    place = folder or DEFAULT_STORE.resolve()
    return OutlookSpanProcessor(
        OutlookSettings(
            ledger=ledger_url(config.ledger, place),
            folder=place,
            store=folder,
            further=further_scopes(config.budgets),
            sensitivity=config.anomalies.sensitivity,
            at_least=config.anomalies.at_least,
            on_anomaly=on_anomaly,
            webhook=os.environ.get(semconv.ENV_WEBHOOK.name) or config.anomalies.webhook,
            secret=os.environ.get(semconv.ENV_WEBHOOK_SECRET.name) or None,
            standings=_standings,
        ),
        meter_provider,
    )


def _standings(values: Iterable[Mapping[str, str]]) -> Iterable[Standing]:
    """How the budgets stand, those of these values too, where there are any."""
    gate = active.engine.gate if active.engine is not None else None
    return () if gate is None else gate.controller.status.standings(more=values)


def price_book(config: Config) -> PriceBook:
    """The price book that the settings ask for."""
    folder = config.store if isinstance(config.store, Path) else DEFAULT_STORE
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
def default_prices() -> PriceBook:
    """The price book of a process that observes nothing."""
    return price_book(settings.load())


def _engine(
    config: Config, observers: FanOut, sections: Sections, tracer_provider: trace.TracerProvider | None
) -> Engine:
    return Engine(
        registry=registry(hosts=config.hosts),
        prices=price_book(config),
        attribute=sections.attribute,
        observe=observers,
        unseen=observers.unseen,
        tracer=Tracers(tracer_provider),
        options=Options(
            suppress_http_spans=config.http_spans == "off",
            inject_stream_usage=config.stream_usage == "inject",
            profiles=signals.profiles_of(config, os.environ),
            capture_content=config.capture_content,
            run_id=config.run_id,
            gateways=config.gateways,
        ),
    )


def _recorder(engine: Engine, config: Config, observe: FanOut) -> Recorder:
    def price(model: str, usage: Usage, provider: str) -> Cost:
        return engine.prices.price(model, usage, provider=provider)

    clock = engine.clock
    return Recorder(
        observe=lambda call: observe(call, None),
        attribute=engine.attribute,
        price=price,
        new_id=engine.new_id,
        now_ns=clock.now_ns,
        clock=clock.monotonic,
        run_id=config.run_id,
        gate=engine.gate,
    )


def _idle() -> Recorder:
    """For calls that are logged while nothing is observed: they go nowhere."""
    clock = Clock()
    return Recorder(
        observe=lambda _: None,
        attribute=lambda _: UNATTRIBUTED,
        price=lambda model, usage, provider: default_prices().price(model, usage, provider=provider),
        new_id=new_call_id,
        now_ns=clock.now_ns,
        clock=clock.monotonic,
    )


def _second_door(config: Config, observers: FanOut, tracer_provider: trace.TracerProvider | None) -> SecondDoor:
    door = SecondDoor(config.second_door, observers)
    add = getattr(tracer_provider or trace.get_tracer_provider(), "add_span_processor", None)
    if add is not None:
        add(door)
    return door


def _forget_open_calls() -> None:
    if active.engine is not None:
        active.engine.forget()


runtime: Final = Runtime()
