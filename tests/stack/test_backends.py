"""The recipes of docs/how-to/backends.md, each run against a loopback receiver in place of the service.

What is proved is what leaves: path, header, attributes and temporality. That the service takes it is its own promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.otlp_receiver import Received, receiving
from e2e.programs import COST, write
from stack.asking import until
from stack.programs import observed, settings

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "backends.md"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A backend: the path below its host, its header, what is set beside, and an attribute that it reads."""

    name: str
    path: str
    header: str = ""
    value: str = ""
    set: tuple[tuple[str, str], ...] = ()
    attribute: str = "llm.cost.total"
    metrics: bool = True


TRACES_ONLY = (("OTEL_METRICS_EXPORTER", "none"),)
RECIPES = (
    Recipe("Grafana Cloud", "/otlp", "authorization", "Basic aWQ6dG9rZW4="),
    Recipe("CloudWatch", ""),
    Recipe("Honeycomb", "", "x-honeycomb-team", "key"),
    Recipe("New Relic", "", "api-key", "key"),
    Recipe(
        "Langfuse",
        "/api/public/otel",
        "authorization",
        "Basic cGs6c2s=",
        TRACES_ONLY,
        "langfuse.observation.cost_details",
        metrics=False,
    ),
    Recipe("Phoenix", "", "authorization", "Bearer key", TRACES_ONLY, metrics=False),
    Recipe("SigNoz", "", "signoz-ingestion-key", "key"),
    Recipe("Datadog", "", "dd-api-key", "key"),
)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_recipe_sends_what_the_backend_reads(recipe: Recipe, tmp_path: Path) -> None:
    with receiving() as backend:
        env = settings(backend.url + recipe.path, "app", tmp_path / "store", **dict(recipe.set))
        if recipe.header:
            env["OTEL_EXPORTER_OTLP_HEADERS"] = f"{recipe.header}={recipe.value.replace(' ', '%20')}"
        observed(write(tmp_path, "calls(2)\n"), env)
        until(lambda: len(backend.spans) == 2)
    assert_sent(backend, recipe)


def assert_sent(backend: Received, recipe: Recipe) -> None:
    paths = {path for path, _ in backend.headers}
    signals = ("traces", "metrics") if recipe.metrics else ("traces",)
    assert paths == {f"{recipe.path}/v1/{signal}" for signal in signals}
    assert not recipe.header or {headers[recipe.header] for _, headers in backend.headers} == {recipe.value}
    assert all(recipe.attribute in attributes for _, attributes in backend.spans)
    assert [attributes["llm.cost.total"] for _, attributes in backend.spans] == pytest.approx([COST, COST])
    if recipe.metrics:
        assert backend.deltas["llm.cost"] == pytest.approx(2 * COST)
        assert not backend.cumulative["llm.cost"]


def test_the_page_tells_the_same_recipes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for recipe in RECIPES:
        section = text.partition(f"## {recipe.name}\n")[2].partition("\n## ")[0]
        assert section, recipe.name
        wanted = [recipe.header, recipe.path, *(f"{name}={value}" for name, value in recipe.set)]
        assert [each for each in wanted if each not in section] == []
