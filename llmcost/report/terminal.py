"""The report for a terminal: readable at 80 columns, without colour, and in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmcost.report.model import Report, Row, largest_share
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
    tokens,
    total_of,
)

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_TRUST_COLOURS: Final = {"exact": "green", "unpriced": "red", "counted_elsewhere": "dim"}
_DOUBTFUL: Final = "yellow"
_BAR: Final = "cyan"
_BOLD: Final = "bold"
_NARROWEST: Final = 8
"""Columns that names keep, however narrow the terminal."""
_COLUMNS: Final[Mapping[str, Callable[[Row, int], str]]] = {
    "Cost": money_of,
    "Share": lambda row, _: share_of(row),
    "Calls": lambda row, _: count(row.calls),
    "Average": lambda row, _: small_money(row.average),
    "p95": lambda row, _: small_money(row.p95),
    "Tokens": lambda row, _: tokens(row.input_tokens, row.output_tokens),
    "In": lambda row, _: tokens(row.input_tokens),
    "Cached": lambda row, _: tokens(row.cached_tokens),
    "Out": lambda row, _: tokens(row.output_tokens),
    "Errors": lambda row, _: count(row.errors),
}
"""A column's text by its head, of a row and the digits that its money has."""


class _Layout(NamedTuple):
    """Columns, the cells of a bar, and the width from which it is taken."""

    heads: tuple[str, ...]
    bar: int
    least: int = 0


_LAYOUTS: Final = (
    _Layout(("Cost", "Share", "Calls", "Average", "p95", "In", "Cached", "Out", "Errors"), 16, 100),
    _Layout(("Cost", "Share", "Calls", "Average", "p95", "Tokens"), 6),
    _Layout(("Cost", "Share", "Calls"), 6),
    _Layout(("Cost",), 1),
)
"""The widest first."""


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


def _table(report: Report, console: Console) -> Text:
    """The widest layout that leaves names their room: figures are never cut. The lines are put together here, since
    there may be thousands of them, and rich takes half a millisecond to lay out each."""
    rows = (*report.rows, report.total)
    digits = decimals(report.total.nano)
    marked = any(row.unsure for row in report.rows)
    for layout in _LAYOUTS:
        cells = [[_COLUMNS[head](row, digits) for head in layout.heads] for row in rows]
        widths = [max(map(len, column)) for column in zip(layout.heads, *cells, strict=True)]
        room = console.width - sum(width + 1 for width in (*widths, layout.bar)) - 2 * marked
        if room >= _NARROWEST and console.width >= layout.least:
            break
    largest = largest_share(report.rows)
    parts = [(row.share or 0.0) / largest if row.folded == 1 else 0.0 for row in report.rows]
    bars = [drawn_bar(part, layout.bar, ascii_only=console.options.ascii_only) for part in parts]
    names = [plain(report.title), *(plain(row.key) for row in report.rows), "Total"]
    marks = ["", *("?" if row.unsure else "" for row in report.rows), ""] if marked else []
    columns = [
        _column(names, min(max(map(cell_len, names)), max(_NARROWEST, room)), [_BOLD, *[""] * len(bars), _BOLD]),
        *([_column(marks, 1, [_DOUBTFUL] * len(marks))] if marked else []),
        _column(["", *bars, ""], max(1, *map(len, bars)), [_BAR] * (len(bars) + 2)),
        *(
            [(text.rjust(width), _BOLD if line == 0 else "") for line, text in enumerate((head, *column))]
            for head, width, column in zip(layout.heads, widths, zip(*cells, strict=True), strict=True)
        ),
    ]
    return _laid_out(columns)


def _column(texts: Iterable[str], width: int, styles: Iterable[str]) -> list[tuple[str, str]]:
    """Texts of one width, each with its style; what is longer ends in an ellipsis."""
    return [
        (set_cell_size(text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…", width), style)
        for text, style in zip(texts, styles, strict=True)
    ]


def _laid_out(columns: Sequence[Sequence[tuple[str, str]]]) -> Text:
    """Columns side by side, a space between two."""
    whole = Text(no_wrap=True, overflow="ignore")
    pieces: list[tuple[str, str]] = []
    for number, line in enumerate(zip(*columns, strict=True)):
        pieces.append(("\n" if number else "", ""))
        for place, piece in enumerate(line):
            pieces += [(" ", ""), piece] if place else [piece]
    return whole.append_tokens((text, style or None) for text, style in pieces)


def drawn_bar(share: float, width: int, *, ascii_only: bool) -> str:
    """A bar of ``width`` cells at a share of 1; something is seen of every share above 0."""
    if ascii_only:
        return "#" * (max(1, round(share * width)) if share > 0 else 0)
    eighths = max(1, round(share * width * 8)) if share > 0 else 0
    full, rest = divmod(eighths, 8)
    return _EIGHTHS[8] * full + (_EIGHTHS[rest] if rest else "")
