"""llmcost: what your LLM calls cost, by what the code does.

``llmcost.observe()`` switches it on; ``context``, ``section`` and ``label`` say who, where and what for;
``price`` prices a usage. Everything is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from llmcost.affordability import budget_status, can_afford
    from llmcost.calls import Call, Cost, Usage
    from llmcost.config import Config
    from llmcost.control.budget import Budget, Limits
    from llmcost.errors import BudgetExceeded, ConfigError, LLMCostError
    from llmcost.exchange.refusal import Refusal, refusal
    from llmcost.insight import Anomaly, CostPrediction, NotEnoughHistory
    from llmcost.instrumentor import LLMCostInstrumentor, force_flush, log_call, observe, price, shutdown
    from llmcost.report.foretold import forecast
    from llmcost.sections.context import context, label, section
    from llmcost.tracing.function_spans import trace_function

_WHERE: Final = {
    "Anomaly": "llmcost.insight",
    "Budget": "llmcost.control.budget",
    "BudgetExceeded": "llmcost.errors",
    "Call": "llmcost.calls",
    "Config": "llmcost.config",
    "ConfigError": "llmcost.errors",
    "Cost": "llmcost.calls",
    "CostPrediction": "llmcost.insight",
    "LLMCostError": "llmcost.errors",
    "LLMCostInstrumentor": "llmcost.instrumentor",
    "Limits": "llmcost.control.budget",
    "NotEnoughHistory": "llmcost.insight",
    "Refusal": "llmcost.exchange.refusal",
    "Usage": "llmcost.calls",
    "budget_status": "llmcost.affordability",
    "can_afford": "llmcost.affordability",
    "context": "llmcost.sections.context",
    "force_flush": "llmcost.instrumentor",
    "forecast": "llmcost.report.foretold",
    "label": "llmcost.sections.context",
    "log_call": "llmcost.instrumentor",
    "observe": "llmcost.instrumentor",
    "price": "llmcost.instrumentor",
    "refusal": "llmcost.exchange.refusal",
    "section": "llmcost.sections.context",
    "shutdown": "llmcost.instrumentor",
    "trace_function": "llmcost.tracing.function_spans",
}

__all__ = [
    "Anomaly",
    "Budget",
    "BudgetExceeded",
    "Call",
    "Config",
    "ConfigError",
    "Cost",
    "CostPrediction",
    "LLMCostError",
    "LLMCostInstrumentor",
    "Limits",
    "NotEnoughHistory",
    "Refusal",
    "Usage",
    "budget_status",
    "can_afford",
    "context",
    "force_flush",
    "forecast",
    "label",
    "log_call",
    "observe",
    "price",
    "refusal",
    "section",
    "shutdown",
    "trace_function",
]

_MODULES: Final = ("calls", "errors", "semconv")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"llmcost.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'llmcost' has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_MODULES]
