"""The report for a terminal: readable at 80 columns, without colour, and in a pipe."""

from __future__ import annotations

from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmcost.report.model import Report, Row
from llmcost.report.words import (
    TRUST_WORDS,
    count,
    decimals,
    money_of,
    percent,
    period,
    plain,
    plural,
    share_of,
    small_money,
    total_of,
)

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_TRUST_COLOURS: Final = {"exact": "green", "unpriced": "red", "counted_elsewhere": "dim"}
_DOUBTFUL: Final = "yellow"
_WIDE: Final = 100
"""Columns from which tokens in, out and cached, and errors have a column each."""
_NARROWEST: Final = 8
"""Columns that names keep, however narrow the terminal."""


def render(report: Report, console: Console) -> None:
    """Print the report."""
    console.print(_head(report))
    trust = Table.grid(padding=(0, 2, 0, 0))
    trust.add_row("Trust", _trust(report, ", " if console.options.ascii_only else " · "))
    console.print(trust)
    if report.rows:
        console.print()
        console.print(_table(report, console))
    for note in report.notes:
        console.print(Text(plain(note), "yellow"))


def _head(report: Report) -> RenderableType:
    total = report.total
    head = Text(total_of(total), "bold")
    if total.calls:
        failed = f" ({total.errors:,} failed)" if total.errors else ""
        head.append(f"  in {plural(total.calls, 'call')}{failed}, by {plain(report.title).lower()}")
    lines = [head]
    if report.since or report.until:
        lines.append(Text(f"{period(report.since, report.until)}, {report.zone}", "dim"))
    if report.filters:
        lines.append(Text("only " + ", ".join(f"{plain(k)} = {plain(v)}" for k, v in report.filters), "dim"))
    return Group(*lines)


def _trust(report: Report, between: str) -> Text:
    """Which part of the calls is known how well. What does not occur is left out, but never what is exact."""
    trust = report.trust
    line = Text()
    if not trust.calls:
        return line.append("nothing recorded", "dim")
    for name, word in TRUST_WORDS.items():
        number = getattr(trust, name)
        if number or name == "exact":
            of = " of calls" if name == "exact" else ""
            line.append(f"{percent(number / trust.calls)}{of} {word}", _TRUST_COLOURS.get(name, _DOUBTFUL)).append(
                between
            )
    line.append(f"{percent(trust.untracked / trust.calls)} untracked", "yellow" if trust.untracked else "")
    if trust.unsure:
        line.append(f"{between}{percent(trust.unsure / trust.calls)} of unsure label", _DOUBTFUL)
    line.append(f"{between}{count(trust.unseen)} unseen", "red" if trust.unseen else "")
    return line


def _table(report: Report, console: Console) -> Table:
    if console.width >= _WIDE:
        table = _table_of(report, console, wide=True)
        if console.measure(table).minimum <= console.width:
            return table
    return _table_of(report, console, wide=False)


def _table_of(report: Report, console: Console, *, wide: bool) -> Table:
    heads = ["Cost", "Share", "Calls", "Average", "p95"]
    heads += ["In", "Cached", "Out", "Errors"] if wide else ["Tokens"]
    digits = decimals(report.total.nano)
    cells = [_cells(row, digits, wide) for row in (*report.rows, report.total)]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    bar = 16 if wide else 6
    marked = any(row.unsure for row in report.rows)
    room = console.width - sum(width + 1 for width in (*widths, bar)) - 2 * marked
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="bold")
    table.add_column(Text(plain(report.title)), no_wrap=True, overflow="ellipsis", max_width=max(_NARROWEST, room))
    if marked:
        table.add_column("", no_wrap=True, style=_DOUBTFUL)
    table.add_column("", no_wrap=True)
    for head, width in zip(heads, widths, strict=True):
        table.add_column(head, justify="right", no_wrap=True, min_width=width)
    largest = max((row.share or 0.0 for row in report.rows), default=0.0) or 1.0
    for row, texts in zip(report.rows, cells, strict=False):
        drawn = drawn_bar((row.share or 0.0) / largest, bar, ascii_only=console.options.ascii_only)
        mark = ["?" if row.unsure else ""] if marked else []
        table.add_row(Text(plain(row.key)), *mark, Text(drawn, "cyan"), *texts)
    table.add_section()
    table.add_row(Text("Total", "bold"), *[""] * (1 + marked), *cells[-1])
    return table


def _cells(row: Row, digits: int, wide: bool) -> list[str]:
    cells = [
        money_of(row, digits),
        share_of(row),
        count(row.calls),
        small_money(row.average),
        small_money(row.p95),
    ]
    if not wide:
        return [*cells, count(row.input_tokens + row.output_tokens)]
    return [*cells, count(row.input_tokens), count(row.cached_tokens), count(row.output_tokens), count(row.errors)]


def drawn_bar(share: float, width: int, *, ascii_only: bool) -> str:
    """A bar of ``width`` cells at a share of 1; something is seen of every share above 0."""
    if ascii_only:
        return "#" * (max(1, round(share * width)) if share > 0 else 0)
    eighths = max(1, round(share * width * 8)) if share > 0 else 0
    full, rest = divmod(eighths, 8)
    return _EIGHTHS[8] * full + (_EIGHTHS[rest] if rest else "")
