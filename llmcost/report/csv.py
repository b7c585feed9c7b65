"""The report for spreadsheets. Amounts are exact decimals in USD, so that the column adds up to the nano-dollar."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from llmcost.calls import NANO
from llmcost.report.model import Report
from llmcost.report.words import plain

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
HEAD: Final = (
    "cost_usd", "share", "calls", "unpriced_calls", "average_usd", "p95_usd", "input_tokens", "output_tokens",
    "cached_tokens", "errors", "values", "unsure", "since", "until", "zone",
)  # fmt: skip


def render(report: Report) -> str:
    """One line a row, under a head; the range and its zone stand in every line. An unknown cost is an empty field."""
    return written(
        (report.by, *HEAD),
        (
            (
                row.key, usd(row.nano), _share(row.share), row.calls, row.unpriced, usd(row.average), usd(row.p95),
                row.input_tokens, row.output_tokens, row.cached_tokens, row.errors, row.folded,
                int(row.unsure), report.since, report.until, report.zone,
            )
            for row in report.rows
        ),
    )  # fmt: skip


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.6f}"


def usd(nano: int | None) -> str:
    """Nano-dollars as an exact decimal in USD."""
    return "" if nano is None else f"{Decimal(nano) / NANO:f}"


def written(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV text of these rows; text cells are made safe for spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([cell(name) for name in head])
    writer.writerows([cell(value) if isinstance(value, str) else value for value in row] for row in rows)
    return out.getvalue()


def cell(text: str) -> str:
    """Text as a spreadsheet may take it: on one line, and no formula, whatever it begins with."""
    if not text:
        return text
    shown = plain(text)
    return f"'{shown}" if text.startswith(_FORMULA) or shown.lstrip().startswith(_FORMULA) else shown
