"""The entrances: the instrumentor that ``opentelemetry-instrument`` loads, ``observe`` and its end."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

from llmcost import config as settings
from llmcost import signals, termination
from llmcost.calls import Cost, Usage
from llmcost.config import Config
from llmcost.errors import LLMCostError
from llmcost.exchange.engine import active
from llmcost.exchange.guard import log
from llmcost.processors import instruments
from llmcost.runtime import default_prices, runtime
from llmcost.tracing.log_call import LoggedCall

if TYPE_CHECKING:
    from llmcost.control import Callbacks

_CALLBACKS: Final = ("on_budget_check", "on_model_filter", "on_budget_warning")
_LAUNCHERS: Final = frozenset({"skip_dep_check", "raise_exception_on_conflict"})
"""Arguments of ``instrument`` that only ``opentelemetry-instrument`` gives; there is no dependency to check."""
_NO_DEPENDENCIES: Final[Collection[str]] = ()


class LLMCostInstrumentor:
    """Hooks the HTTP clients; the entry point that ``opentelemetry-instrument`` loads.

    It has the methods of OpenTelemetry's ``BaseInstrumentor`` and is, like that, one object, but does not derive from
    it: see decision 12. ``instrument`` takes ``tracer_provider``, ``meter_provider``, ``on_anomaly`` and every setting
    of :class:`llmcost.config.Config`.
    """

    _instance: LLMCostInstrumentor | None = None

    def __new__(cls) -> Self:
        """The one object."""
        if not isinstance(cls._instance, cls):
            cls._instance = super().__new__(cls)
        return cls._instance

    is_instrumented_by_opentelemetry = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: every client is optional, and hooked when it is imported."""
        return _NO_DEPENDENCIES

    def instrument(self, **kwargs: Any) -> None:
        """Switch it on. Under a launcher a wrong setting is logged, and the program runs on.

        Raises:
            ConfigError: naming the setting at fault.
        """
        if self.is_instrumented_by_opentelemetry:
            log.warning("llmcost: already instrumented")
            return
        launched = not _LAUNCHERS.isdisjoint(kwargs)
        try:
            _start({name: value for name, value in kwargs.items() if name not in _LAUNCHERS}, launched)
        except LLMCostError as error:
            if not launched:
                raise
            log.error("llmcost: %s; nothing is recorded", error)
        self.is_instrumented_by_opentelemetry = True

    def uninstrument(self, **_: Any) -> None:
        """Take everything out again."""
        if self.is_instrumented_by_opentelemetry:
            runtime.stop()
            self.is_instrumented_by_opentelemetry = False


def _start(arguments: dict[str, Any], launched: bool) -> None:
    tracer_provider = arguments.pop("tracer_provider", None)
    meter_provider = arguments.pop("meter_provider", None)
    on_anomaly = arguments.pop("on_anomaly", None)
    callbacks = _callbacks(arguments)
    runtime.start(settings.load(arguments), tracer_provider, meter_provider, on_anomaly, callbacks)
    if termination.is_exporting():
        termination.flush_at_the_end(runtime.write)
    if launched and signals.is_cumulative(os.environ):
        os.register_at_fork(after_in_child=instruments.begin_anew)


def observe(**arguments: Any) -> None:
    """Observe every LLM call of this process from now on. Calling it again changes nothing.

    Where an OTLP endpoint is configured, by ``endpoint`` or ``OTEL_*``, and the application has set no providers,
    llmcost sets them up. Where none is, only the local store is written and nothing connects.

    Args:
        arguments: every setting of :class:`llmcost.config.Config`: ``endpoint``, ``headers``, ``http_spans``,
            ``store``, ``service_name`` and so on; also ``tracer_provider`` and ``meter_provider``, and ``on_anomaly``,
            a function that is called with each :class:`~llmcost.insight.Anomaly`, once over all processes;
            ``on_budget_check``, ``on_model_filter`` and ``on_budget_warning`` are the program's own say in budgets.

    Raises:
        ConfigError: naming the setting at fault.
    """
    tracer_provider = arguments.pop("tracer_provider", None)
    meter_provider = arguments.pop("meter_provider", None)
    on_anomaly = arguments.pop("on_anomaly", None)
    asked = {name: arguments.pop(name) for name in _CALLBACKS if name in arguments}
    config = settings.load(arguments)
    if runtime.started:
        if config != runtime.config:
            log.warning("llmcost: already observing; settings that differ now are not applied: %s", _changed(config))
        return
    if tracer_provider is None and signals.exported(config, os.environ):
        _export(config)
    given = {"tracer_provider": tracer_provider, "meter_provider": meter_provider, "on_anomaly": on_anomaly}
    LLMCostInstrumentor().instrument(**given, **asked, **arguments)


def _callbacks(arguments: dict[str, Any]) -> Callbacks | None:
    given = {name: arguments.pop(name, None) for name in _CALLBACKS}
    if not any(given.values()):
        return None
    from llmcost.control import Callbacks  # with SQLite: only where there are any

    return Callbacks(**given)


def _export(config: Config) -> None:
    """Set providers up, unless the application has; imported here, since the metrics SDK and exporters are heavy."""
    from llmcost.exporting import Exporting

    if runtime.exporting is None:
        runtime.exporting = Exporting()
    runtime.exporting.start(config, os.environ)


def _changed(config: Config) -> str:
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
        runtime.exporting.stop()


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
    prices = engine.prices if engine is not None else default_prices()
    return prices.price(model, usage, provider=provider, service_tier=service_tier, at=at)


def log_call(
    *,
    provider: str,
    model: str,
    call_type: str | None = None,
    operation: str | None = None,
    estimated_cost: float | None = None,
) -> LoggedCall:
    """Log a call that no hook can see, in a ``with`` or ``async with`` block; say what it used by ``complete``.

    Args:
        provider: who is paid for it.
        model: the model, as the price map knows it.
        call_type: the kind of work, such as ``embedding``.
        operation: what was asked for, as in ``gen_ai.operation.name``; derived from the call type.
        estimated_cost: USD that the call costs at most, which budgets hold until it ends; by default what such calls
            usually cost. A strict budget refuses a call without it.

    Raises:
        BudgetExceeded: when the block is entered and a budget says no.
    """
    return runtime.call_log(
        provider=provider, model=model, call_type=call_type, operation=operation, estimated_cost=estimated_cost
    )
