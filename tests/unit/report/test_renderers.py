"""Every renderer on one report, with names that would like to be more than names."""

import csv as csv_module
import io
import json as json_module
import re
from datetime import UTC
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from factories import START_NS, a_call, many_calls
from rich.console import Console
from stores import filled

from llmcost.calls import Attribution, Call, Cost, CostStatus, Usage, nano_dollars
from llmcost.report import csv, html, json, terminal
from llmcost.report.build import Question, build
from llmcost.report.model import Report
from llmcost.report.words import TRUST_WORDS, count, money, money_of, percent, period, plain, small_money
from llmcost.store.database import reading
from llmcost.store.filters import Filter
from llmcost.store.query import Spend
from llmcost.store.record import Mark

BY_HAND = Attribution("teaser", "explicit")
GOLDEN = Path(__file__).parents[2] / "golden"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd()|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "\t=1",
    " =1",
    "\x1b[31mred\x1b[0m\x1b]8;;http://evil\x07",
    "[bold red]markup[/bold red]",
    "line\nbreak\r\nagain",
    "\u202egnp.exe\u2066",
    "x'; DROP TABLE calls; --",
    "a\x00b\x9bc",
    "{{7*7}} ${7*7} %s",
    "",
    "\u2028\u2029",
    "emoji 🦆 中文 עברית",
    "&amp;&#x3c;",
    "`" * 3,
    "x" * 500,
)


def answer(root: Path, calls: list[Call], by: str = "label", zone: str = "UTC", **changes: object) -> Report:
    marks = [Mark("unseen", "api.openai.com", 3, START_NS)]
    with reading(filled(root, calls, marks)) as connection:
        spend = Spend(connection, Filter(), ZoneInfo(zone))
        return build(spend, Question(by, zone, **changes))  # type: ignore[arg-type]


def shown(report: Report, width: int = 80) -> str:
    out = io.StringIO()
    terminal.render(report, Console(file=out, width=width, markup=False, highlight=False, emoji=False))
    return out.getvalue()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    calls = [
        a_call(
            n, request_model=name, cost=0.01 * (n + 1),
            attribution=Attribution(label=name or "none", user_id=name, context={"task": name}),
        )
        for n, name in enumerate(HOSTILE)
    ]  # fmt: skip
    return answer(tmp_path_factory.mktemp("hostile"), calls, "user", charts=True)


@pytest.mark.parametrize("width", [80, 120, 40])
def test_no_name_writes_control_characters_to_a_terminal(hostile: Report, width: int) -> None:
    text = shown(hostile, width)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)
    rows = text.splitlines()
    assert len(rows) <= len(HOSTILE) + 12
    assert all(len(row) <= width for row in rows if row.isascii())


def test_markup_of_rich_is_text(hostile: Report) -> None:
    assert "[bold red]markup[/bold red]" in shown(hostile, 120)


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.names: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "action", "data")]
        self._within.append(tag)

    def handle_data(self, data: str) -> None:
        if self._within and self._within[-1] == "bdi":
            self.names.append(data)

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass


def test_no_name_becomes_html(hostile: Report) -> None:
    page = Page()
    page.feed(html.render(hostile))
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not {name for name in page.attributes if name.startswith("on")}
    assert page.links == ["data:,"]
    assert {plain(name) for name in HOSTILE} <= set(page.names)


def test_the_page_allows_only_its_own_script_and_style(hostile: Report) -> None:
    text = html.render(hostile)
    assert "default-src 'none'" in text
    assert "unsafe" not in text
    assert " style=" not in text


def test_no_cell_of_a_csv_is_a_formula(hostile: Report) -> None:
    rows = list(csv_module.reader(io.StringIO(csv.render(hostile))))
    assert len(rows) == len(HOSTILE) + 1
    assert {len(row) for row in rows} == {len(csv.HEAD) + 1}
    for row in rows[1:]:
        assert not row[0].lstrip().startswith(("=", "+", "-", "@"))
        assert row[0].isprintable()


def test_json_holds_names_as_they_were(hostile: Report) -> None:
    table = json_module.loads(json.render(hostile))
    assert {row["key"] for row in table["rows"]} == set(HOSTILE)


def test_the_schema_of_json_and_csv(tmp_path: Path) -> None:
    report = answer(tmp_path, [a_call(1), a_call(2, cost=None)])
    table = json_module.loads(json.render(report))
    assert table.keys() == {
        "by", "title", "rows", "total", "trust", "since", "until", "zone", "filters", "notes", "days", "models",
        "schema",
    }  # fmt: skip
    assert table["rows"] == [
        {
            "key": "summarization", "nano": 1_000_000, "usd": 0.001, "share": 1.0, "calls": 2, "unpriced": 1,
            "average": 1_000_000, "p95": 1_000_000, "input_tokens": 2400, "output_tokens": 320, "cached_tokens": 400,
            "errors": 0, "folded": 1, "unsure": False,
        }
    ]  # fmt: skip
    assert table["trust"] == {
        "calls": 2, "exact": 1, "estimated": 0, "partial": 0, "unpriced": 1, "zero_listed": 0, "not_billed": 0,
        "counted_elsewhere": 0, "untracked": 0, "unsure": 0, "unseen": 3, "lost": 0,
    }  # fmt: skip
    assert csv.render(report) == (
        "label,cost_usd,share,calls,unpriced_calls,average_usd,p95_usd,input_tokens,output_tokens,cached_tokens,errors,"
        "values,unsure,since,until,zone\n"
        "summarization,0.001,1.000000,2,1,0.001,0.001,2400,320,400,0,1,0,2026-11-16T00:00+00:00,2026-11-16T00:00+00:00,UTC\n"
    )


def test_unknown_is_not_zero_in_any_form(tmp_path: Path) -> None:
    report = answer(tmp_path, [a_call(1, label="free", cost=0.0), a_call(2, label="unknown", cost=None)])
    unknown = next(row for row in report.rows if row.key == "unknown")
    assert (unknown.nano, unknown.share, unknown.average, unknown.p95) == (None, None, None, None)
    assert re.search(r"unknown +- ", shown(report))
    assert re.search(r"free +\$0\.00", shown(report))
    assert "\nunknown,,,1,1,,," in csv.render(report)
    assert '"nano": null' in json.render(report)


def test_where_no_cost_is_known_no_form_says_zero(tmp_path: Path) -> None:
    report = answer(tmp_path, [a_call(1, cost=None), a_call(2, cost=Cost("not_billed"), error_type="429")], charts=True)
    assert shown(report).startswith("Cost unknown  in 2 calls (1 failed), by section\n")
    page = html.render(report)
    assert "<title>llmcost: Cost unknown</title>" in page
    assert '<p class="total">Cost unknown</p>' in page
    assert "Cost by day" not in page
    table = json_module.loads(json.render(report))
    for row in (table["total"], *table["rows"], *table["models"], *table["days"]):
        assert (row["nano"], row["usd"], row.get("share")) == (None, None, None)
    assert not re.search(r"\$0|\b0\.0", shown(report) + page.partition("<body>")[2].partition("<svg")[0])
    later = html.render(answer(tmp_path, [a_call(2 * 86_400)], charts=True))
    assert "2026-11-16: cost unknown, 2 calls" in later


def test_tokens_that_no_call_stated_are_no_zero(tmp_path: Path) -> None:
    silent = a_call(1, label="silent", usage=Usage())
    report = answer(tmp_path, [silent, a_call(2, label="embedding", usage=Usage(5, 0))])
    for width, told in ((80, ["-"]), (120, ["-", "-", "-", "0"])):
        lines = shown(report, width).splitlines()
        assert next(line for line in lines if line.startswith("silent")).split()[-len(told) :] == told
    tokens = ("input_tokens", "output_tokens", "cached_tokens")
    table = {row["key"]: [row[name] for name in tokens] for row in json_module.loads(json.render(report))["rows"]}
    assert table == {"silent": [None, None, None], "embedding": [5, 0, 0]}
    rows = {
        row["label"]: [row[name] for name in tokens] for row in csv_module.DictReader(io.StringIO(csv.render(report)))
    }
    assert rows == {"silent": ["", "", ""], "embedding": ["5", "0", "0"]}
    assert next(line for line in lines if line.startswith("embedding")).split()[-4:] == ["5", "0", "0", "0"]


def test_what_is_left_over_leaves_something_to_see_of_the_bars(tmp_path: Path) -> None:
    report = answer(tmp_path, [a_call(n, label=f"section-{n:03}", cost=0.01 + n / 1e6) for n in range(60)], limit=3)
    assert report.rows[-1].key == "(others)"
    lines = shown(report).splitlines()
    assert [line.count("█") for line in lines if line.startswith(("section-", "(others)"))] == [6, 6, 6, 0]
    table = html.render(report).partition("<tbody>")[2].partition("</tbody>")[0]
    assert 'width="1000' in table.partition("</tr>")[0]
    assert "<svg" not in table.partition("(others)")[2]


@pytest.mark.parametrize(
    ("by", "how"), [("user", "llmcost.context(...)"), ("path", "llmcost.section(...)"), ("run", "llmcost run")]
)
def test_who_asked_is_said_to_be_named_by_no_call(tmp_path: Path, by: str, how: str) -> None:
    note = answer(tmp_path / "none", [a_call(1, run_id=None)], by).notes[0]
    assert note.startswith("No call names its ")
    assert how in note
    named = a_call(2, attribution=Attribution("chat", "map", user_id="u", section_path="a/b"))
    assert not answer(tmp_path / "some", [a_call(1), named], by).notes


def test_calls_that_nobody_bills_are_neither_exact_nor_unknown(tmp_path: Path) -> None:
    failed = answer(tmp_path / "failed", [a_call(n, cost=Cost("not_billed"), error_type="500") for n in range(3)])
    assert shown(failed).startswith("$0.00  in 3 calls (3 failed), by section\n")
    assert "0% of calls exact · 100% not billed" in shown(failed)
    assert (failed.trust.exact, failed.trust.not_billed, failed.total.nano, failed.total.average) == (0, 3, 0, None)
    elsewhere = answer(tmp_path / "elsewhere", [a_call(1, cost=Cost("counted_elsewhere", 0.5)), a_call(2)])
    assert "50.0% of calls exact · 50.0% counted elsewhere" in shown(elsewhere)
    assert 'class="counted_elsewhere"' in html.render(elsewhere)


def test_every_status_has_a_class_of_trust_and_the_classes_sum_to_the_calls(tmp_path: Path) -> None:
    statuses = get_args(CostStatus)
    trust = answer(tmp_path, [a_call(n, cost=Cost(status)) for n, status in enumerate(statuses)]).trust
    assert sum(getattr(trust, name) for name in TRUST_WORDS) == trust.calls == len(statuses)
    assert trust.exact == len({"priced", "explicit"})


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns"])
def test_the_column_of_the_csv_adds_up_to_the_nano_dollar(tmp_path: Path, zone: str) -> None:
    from decimal import Decimal

    calls = list(many_calls(500, days=5))
    report = answer(tmp_path, calls, "day", zone)
    rows = list(csv_module.DictReader(io.StringIO(csv.render(report))))
    expected = sum(nano_dollars(c.cost.total) for c in calls if c.cost.total is not None)
    assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal(expected) / 10**9
    assert report.total.nano == expected
    assert {row["zone"] for row in rows} == {zone}
    assert zone in shown(report)


def test_made_up_model_names_are_folded_and_the_report_says_how_many(tmp_path: Path) -> None:
    lost = [
        a_call(n, request_model=f"made-up-{n}", cost=Cost("not_billed"), error_type="404", status_code=404)
        for n in range(2000)
    ]
    report = answer(tmp_path, [*lost, a_call(9999)], "model")
    assert [(row.key, row.folded, row.calls) for row in report.rows] == [("gpt-5-mini", 1, 1), ("other", 2000, 2000)]
    assert any("2,000 model names that never succeeded" in note for note in report.notes)


def test_rows_beyond_the_limit_are_folded_and_still_sum_to_the_total(tmp_path: Path) -> None:
    report = answer(tmp_path, list(many_calls(400, users=50)), "user", limit=10)
    assert len(report.rows) == 11
    assert report.rows[-1].key == "(others)"
    assert sum(row.nano or 0 for row in report.rows) == report.total.nano
    assert sum(row.calls for row in report.rows) == report.total.calls
    assert any("--limit 0" in note for note in report.notes)


@pytest.mark.parametrize(("mapped", "said"), [(True, False), (False, True)])
def test_without_a_map_the_report_says_to_scan(tmp_path: Path, mapped: bool, said: bool) -> None:
    report = answer(tmp_path, [a_call(1, label="untracked")], mapped=mapped)
    assert any("llmcost scan" in note for note in report.notes) is said
    assert ("llmcost scan" in shown(report)) is said


@pytest.mark.parametrize("width", [80, 120])
def test_sections_of_unsure_label_are_marked_in_every_form(tmp_path: Path, width: int) -> None:
    calls = [a_call(1), a_call(2, label="teaser"), a_call(3, label="teaser", attribution=BY_HAND)]
    report = answer(tmp_path, calls, unsure={"teaser", "caption"})
    assert (report.trust.unsure, [row.unsure for row in report.rows]) == (1, [True, False])
    text = shown(report, width)
    assert re.search(r"^teaser +\? +█", text, re.MULTILINE)
    assert re.search(r"^summarization +█", text, re.MULTILINE)
    assert "33.3% of unsure label" in " ".join(text.split())
    assert "llmcost sections set FILE:FUNCTION LABEL" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= width
    assert html.render(report).count('<span class="unsure"') == 1
    assert [row["unsure"] for row in json_module.loads(json.render(report))["rows"]] == [True, False]
    assert [row["unsure"] for row in csv_module.DictReader(io.StringIO(csv.render(report)))] == ["1", "0"]
    assert not any(row.unsure for row in answer(tmp_path, calls, "model", unsure={"teaser"}).rows)


def test_the_range_is_that_of_the_calls_to_the_minute(tmp_path: Path) -> None:
    calls = [a_call(n, started_ns=START_NS + minutes * 60 * 10**9) for n, minutes in enumerate((52, 7, 40))]
    report = answer(tmp_path, calls)
    assert (report.since, report.until) == ("2026-11-16T00:07+00:00", "2026-11-16T00:52+00:00")
    assert period("2026-11-16T00:07+00:00", "2026-11-16T00:07+00:00") == "2026-11-16 00:07"
    assert period("2026-11-16T00:07+00:00", "2026-11-17T00:07+00:00") == "2026-11-16 00:07 to 2026-11-17 00:07"
    assert "\n2026-11-16 00:07 to 00:52, UTC\n" in shown(report)


def test_a_filter_that_leaves_nothing_says_what_there_is(tmp_path: Path) -> None:
    with reading(filled(tmp_path, [a_call(1), a_call(2, label="chat-bot")])) as connection:
        wanted = Filter(since=1_995_000, values={"label": ("chatbot",), "model": ("gpt-5-mini",), "user": ("ada",)})
        report = build(Spend(connection, wanted, UTC), Question("label", "UTC"))
    assert report.notes == (
        "No call has the section 'chatbot'; there are chat-bot, summarization.",
        "No call has the user 'ada'.",
    )
    assert "\nsince 2026-11-24 06:00, UTC\n" in shown(report)
    assert "No calls" in html.render(report)


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    report = answer(tmp_path, [])
    assert "No calls" in shown(report)
    assert "No calls" in html.render(report)
    assert csv.render(report).count("\n") == 1


def golden_calls() -> list[Call]:
    calls = list(many_calls(600, days=20))
    calls.append(a_call(7001, label="untracked", cost=Cost("estimated", 0.1, 0.05, 0.05, 0.0)))
    calls.append(a_call(7002, label="a section with quite a long name", cost=Cost("partial", 0.2, 0.1, 0.1, 0.0)))
    calls.append(a_call(7003, label="images", cost=Cost("zero_listed", 0.0, 0.0, 0.0, 0.0)))
    calls.append(a_call(7004, label="broken", cost=Cost("not_billed"), error_type="429"))
    return calls


@pytest.mark.parametrize(("name", "width"), [("report-80.txt", 80), ("report-120.txt", 120)])
def test_golden_terminal_without_colour(tmp_path: Path, name: str, width: int) -> None:
    text = shown(answer(tmp_path, golden_calls(), mapped=False), width)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= width
    assert text == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize("width", [20, 30, 40, 50, 60, 70, 79, 99, 110])
def test_no_figure_is_cut_however_narrow_the_terminal(tmp_path: Path, width: int) -> None:
    report = answer(tmp_path, golden_calls(), unsure={"research"})
    lines = shown(report, width).splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("Section"))
    rows = lines[head : head + len(report.rows) + 2]
    assert len({len(row.rstrip()) for row in rows}) == 1, "all end with the last figure"
    assert max(map(len, rows)) <= width
    for row, line in zip((*report.rows, report.total), rows[1:], strict=True):
        assert money_of(row, 2) in line.split()


def test_a_terminal_without_unicode_gets_bars_of_number_signs(tmp_path: Path) -> None:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii", errors="backslashreplace"), width=80, markup=False)
    terminal.render(answer(tmp_path, golden_calls()), console)
    console.file.flush()
    assert b"######" in raw.getvalue()
    assert b"\\x" not in raw.getvalue()


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (None, "-"), (0, "$0.00"), (1, "<$0.000001"), (499, "<$0.000001"), (123_456, "$0.000123"),
        (12_345_678, "$0.0123"), (999_999_999, "$1.0000"), (1_234_567_890, "$1.23"),
        (1_234_567 * 10**9, "$1,234,567.00"),
        (-1_500_000_000, "-$1.50"),
    ],
)  # fmt: skip
def test_money(nano: int | None, text: str) -> None:
    assert money(nano) == text


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (None, "-"), (0, "$0"), (2_000_000_000, "$2.00"), (123_000_000, "$0.123"), (2_400_000, "$0.00240"),
        (35_893, "$0.000036"), (2_340, "$0.000002"), (20, "<$0.000001"),
    ],
)  # fmt: skip
def test_the_cost_of_a_call(nano: int | None, text: str) -> None:
    assert small_money(nano) == text


def test_shares_and_counts() -> None:
    assert [percent(s) for s in (0, 0.0001, 0.5, 0.9999, 1)] == ["0%", "<0.1%", "50.0%", ">99.9%", "100%"]
    assert [count(n) for n in (0, 99_999, 123_456, 1_234_567, 12_345_678, 5 * 10**9)] == [
        "0", "99,999", "123k", "1.23M", "12.3M", "5.00G",
    ]  # fmt: skip


def test_reports_are_the_same_however_often_they_are_asked(tmp_path: Path) -> None:
    calls = golden_calls()
    folder = filled(tmp_path, calls)
    with reading(folder) as connection:
        pages = {
            html.render(build(Spend(connection, Filter(), UTC), Question("label", "UTC", charts=True))) for _ in "ab"
        }
    assert len(pages) == 1
