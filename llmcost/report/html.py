"""The report as one HTML file. It loads nothing: style, script and charts are inside, and a policy forbids the rest."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from typing import Final, NamedTuple

from llmcost.report.charts import dot, share_bar, trend, trust_bar
from llmcost.report.model import Report, Row, Trust, largest_share
from llmcost.report.words import (
    TRUST_WORDS,
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


class _Column(NamedTuple):
    """A column of a table: its head, the text of a cell, the number it is sorted by, and whether it stays where that is
    zero in total."""

    head: str
    text: Callable[[Row, int], str]
    value: Callable[[Row], float | None]
    always: bool = True


_COLUMNS: Final = (
    _Column("Cost", money_of, lambda row: row.nano),
    _Column("Share", lambda row, _: share_of(row), lambda row: row.share),
    _Column("Calls", lambda row, _: f"{row.calls:,}", lambda row: row.calls),
    _Column("Average", lambda row, _: small_money(row.average), lambda row: row.average),
    _Column("p95", lambda row, _: small_money(row.p95), lambda row: row.p95),
    _Column("Input", lambda row, _: tokens(row.input_tokens), lambda row: row.input_tokens),
    _Column("Cached", lambda row, _: tokens(row.cached_tokens), lambda row: row.cached_tokens, False),
    _Column("Output", lambda row, _: tokens(row.output_tokens), lambda row: row.output_tokens),
    _Column("Unpriced", lambda row, _: f"{row.unpriced:,}", lambda row: row.unpriced, False),
    _Column("Errors", lambda row, _: f"{row.errors:,}", lambda row: row.errors, False),
)
_FEW: Final = _COLUMNS[:5]
_UNSURE: Final = ' <span class="unsure" title="The scan was not sure of this label">?</span>'
_ALARM: Final = ' class="unseen"'


def render(report: Report) -> str:
    """The whole page."""
    assets = files("llmcost.report").joinpath("assets")
    style, script = (assets.joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    title = f"llmcost: {total_of(report.total)}"
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">',
            f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>",
            *_body(report),
            f"</main>\n<script>{script}</script>\n</body>\n</html>\n",
        )
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _name(text: str) -> str:
    """A name from outside: visible characters only, and no markup. ``bdi`` keeps its direction to itself."""
    return f"<bdi>{escape(plain(text))}</bdi>"


def _body(report: Report) -> list[str]:
    parts = [_head(report), *(f'<p class="note" role="note">{_note(note)}</p>' for note in report.notes)]
    if not report.total.calls:
        return parts
    parts.append(_section("How far to trust this", trust_bar(report.trust) + _legend(report.trust)))
    if any(day.nano for day in report.days):
        parts.append(_section("Cost by day", trend(report.days)))
    parts.append(f"<section>{_table(f'Cost by {report.title.lower()}', report.title, report.rows, report)}</section>")
    if report.models and report.by != "model":
        parts.append(f"<section>{_table('Cost by model', 'Model', report.models, report, _FEW)}</section>")
    parts.append(
        "<footer>Amounts are USD. Average and p95 are per call, over calls whose cost is known. Input and output"
        " are tokens, cached ones part of input. Made by llmcost.</footer>"
    )
    return parts


def _note(text: str) -> str:
    """A note with its commands, which stand between backticks, set as such."""
    words = escape(plain(text)).split("`")
    return "".join(f"<code>{word}</code>" if place % 2 else word for place, word in enumerate(words))


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _head(report: Report) -> str:
    total = report.total
    if not total.calls:
        return f'<h1>Cost of LLM calls</h1><p class="total">No calls</p>{_range(report)}'
    facts = (
        (plural(total.calls, "call"), ""),
        (small_money(total.average), " average"),
        (small_money(total.p95), " p95"),
        (tokens(total.input_tokens), " tokens in"),
        (tokens(total.output_tokens), " tokens out"),
        (plural(total.errors, "error"), ""),
    )
    items = "".join(f"<li><b>{escape(value)}</b>{escape(word)}</li>" for value, word in facts)
    return (
        f'<h1>Cost of LLM calls</h1><p class="total">{total_of(total)}</p>{_range(report)}'
        f'<ul class="facts">{items}</ul>'
    )


def _range(report: Report) -> str:
    words = []
    if report.since or report.until:
        words.append(f"{escape(period(report.since, report.until))}, {escape(plain(report.zone))}")
    words += [f"only {_name(key)} = {_name(value)}" for key, value in report.filters]
    return f'<p class="soft">{" · ".join(words)}</p>' if words else ""


def _legend(trust: Trust) -> str:
    items = [
        f'<li><span class="dot">{dot(name)}</span><b>{percent(getattr(trust, name) / trust.calls)}</b>'
        f" {escape(word)}</li>"
        for name, word in TRUST_WORDS.items()
        if getattr(trust, name) or name == "exact"
    ]
    items.append(f"<li><b>{percent(trust.untracked / trust.calls)}</b> untracked</li>")
    if trust.unsure:
        items.append(f"<li><b>{percent(trust.unsure / trust.calls)}</b> of unsure label</li>")
    items.append(f"<li{_ALARM if trust.unseen else ''}><b>{trust.unseen:,}</b> unseen</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _table(caption: str, first: str, rows: Sequence[Row], report: Report, columns: Sequence[_Column] = _COLUMNS) -> str:
    digits = decimals(report.total.nano)
    columns = [column for column in columns if column.always or column.value(report.total)]
    largest = largest_share(rows)
    heads = "".join(_sortable(column.head, "number", column.head == "Cost") for column in columns)
    body = "".join(_row(row, columns, digits, largest) for row in rows)
    foot = "".join(f"<td>{escape(column.text(report.total, digits))}</td>" for column in columns)
    return (
        f'<div class="scroll"><table><caption>{escape(plain(caption))}</caption><thead><tr>'
        f'{_sortable(plain(first), "text", False)}<td class="bar"></td>{heads}'
        f"</tr></thead><tbody>{body}</tbody>"
        f'<tfoot><tr><th scope="row">Total</th><td class="bar"></td>{foot}</tr></tfoot></table></div>'
    )


def _sortable(head: str, kind: str, sorted_now: bool) -> str:
    sort = ' aria-sort="descending"' if sorted_now else ""
    return f'<th scope="col"{sort}><button type="button" data-kind="{kind}">{escape(head)}</button></th>'


def _row(row: Row, columns: Sequence[_Column], digits: int, largest: float) -> str:
    cells = "".join(
        f'<td data-value="{_number(column.value(row))}">{escape(column.text(row, digits))}</td>' for column in columns
    )
    key = escape(plain(row.key), quote=True)
    return (
        f'<tr><th scope="row" data-value="{key}" title="{key}">{_name(row.key)}{_UNSURE if row.unsure else ""}</th>'
        f'<td class="bar">{share_bar((row.share or 0.0) / largest) if row.folded == 1 else ""}</td>{cells}</tr>'
    )


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
