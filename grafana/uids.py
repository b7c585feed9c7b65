"""Stable names of the dashboards: links and bookmarks hold them."""

from __future__ import annotations

from typing import Final

OVERVIEW: Final = "llmcost-overview"
SECTIONS: Final = "llmcost-sections"
TRACES: Final = "llmcost-traces"
BUDGETS: Final = "llmcost-budgets"
INSIGHT: Final = "llmcost-insight"
PERFORMANCE: Final = "llmcost-performance"
MODELS: Final = "llmcost-models"
HEALTH: Final = "llmcost-health"

TAG: Final = "llmcost"
"""The tag that all dashboards carry; the links at their top go by it."""
