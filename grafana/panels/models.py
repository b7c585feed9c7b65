"""Panels of models and tokens."""

from __future__ import annotations

from typing import Final

from grafana import uids
from grafana.names import label
from grafana.panels import Column, Panel, Text
from grafana.queries import models
from grafana.style import COUNT, SECONDS, SHARE, USD
from llmcost import semconv

_MODEL: Final = label(semconv.REQUEST_MODEL)
_ALONE: Final = ("model", _MODEL)

INPUT: Final = Panel("Input tokens", "stat", (models.INPUT,), COUNT)
OUTPUT: Final = Panel("Output tokens", "stat", (models.OUTPUT,), COUNT)
PRICE: Final = Panel(
    "USD for 1000 tokens", "stat", (models.PRICE,), USD, decimals=5, help="Input and output together, as paid."
)
TABLE: Final = Panel(
    "Models compared",
    "table",
    (
        models.SPEND_OF,
        models.CALLS_OF,
        models.AVERAGE_OF,
        models.INPUT_OF,
        models.OUTPUT_OF,
        models.PRICE_OF,
        models.P95_OF,
    ),
    columns={
        _MODEL: Column("Model", link="model", target=uids.SECTIONS),
        "spend": Column("Spend", USD),
        "calls": Column("Calls", COUNT),
        "average": Column("A call", USD),
        "input": Column("Input tokens", COUNT),
        "output": Column("Output tokens", COUNT),
        "price": Column("1000 tokens", USD),
        "p95": Column("p95", SECONDS),
    },
    order="Spend",
    help="A click on a model shows which sections use it.",
)
INPUT_TREND: Final = Panel(
    "Input tokens a minute", "stack", (models.INPUT_TREND,), COUNT, link=_ALONE, target=uids.SECTIONS
)
OUTPUT_TREND: Final = Panel(
    "Output tokens a minute", "stack", (models.OUTPUT_TREND,), COUNT, link=_ALONE, target=uids.SECTIONS
)
OF_CALL: Final = Panel("Tokens of a call", "lines", (models.INPUT_OF_CALL, models.OUTPUT_OF_CALL), COUNT)
PRICE_TREND: Final = Panel("Price of 1000 tokens, as paid", "lines", (models.PRICE_TREND,), USD)
BY_CLASS: Final = Panel(
    "Tokens a minute, by class",
    "stack",
    (models.BY_CLASS,),
    COUNT,
    help="Input is what was read anew; reasoning is billed as output and never shown. The classes add up.",
)
MONEY_BY_CLASS: Final = Panel("Spend an hour, by class of token", "stack", (models.MONEY_BY_CLASS,), USD)
CACHE_SHARE: Final = Panel("Input from a cache", "stat", (models.CACHE_SHARE,), SHARE, decimals=0)
SAVED: Final = Panel(
    "Saved by the cache",
    "stat",
    (models.SAVED,),
    USD,
    help="What cached input would have cost if it had been read anew, less what it cost. What writing to the cache "
    "cost is not taken off.",
)
SAVED_BY_MODEL: Final = Panel("Saved by the cache, by model", "bars", (models.SAVED_BY_MODEL,), USD)
REASONING_SHARE: Final = Panel("Reasoning in the output, by model", "lines", (models.REASONING_SHARE,), SHARE)
DO: Final = Text(
    "What to do",
    """\
- **Input far above output**: shorten the context, or order the prompt so that its unchanging part comes first and is
  read from the cache.
- **Reasoning tokens are most of the output**: lower the effort; they are billed as output.
- **The price of 1000 tokens rose**: another model, less cache, or a new price: `llmcost prices update` prints changes.
- **A dear model in a simple section**: name a smaller one in `fallbacks` and look at *Budgets*.
""",
)
