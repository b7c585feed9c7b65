"""What ``llmcost doctor`` looks at. A check is a function that yields findings, and one row of :data:`CHECKS`."""

from __future__ import annotations

from typing import Final

from llmcost.cli.checks import installed, knowledge, places
from llmcost.cli.checks.finding import Check, Finding, Surroundings

__all__ = ["CHECKS", "Check", "Finding", "Surroundings", "run"]

CHECKS: Final[tuple[Check, ...]] = (
    installed.clients,
    installed.distro,
    installed.double,
    knowledge.semantic_map,
    knowledge.prices,
    knowledge.unpriced,
    places.store,
    places.exporter,
)


def run(around: Surroundings) -> list[Finding]:
    """The findings of all checks."""
    return [finding for check in CHECKS for finding in check(around)]
