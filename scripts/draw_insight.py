"""Draw the pictures of docs/explanation/forecast.md from the visible series, and print the table beside them.

    python scripts/draw_insight.py DATA      writes docs/explanation/forecast/*.svg

DATA is a folder with ``daily.csv``, ``llm_cost.csv`` and ``llm_calls.csv``. Standard library only. Every figure comes
from a forecaster or a watch that walked through the series as it would have in life: it never saw what it was asked
about.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from llmcost.insight import Forecaster, Sample, Scope, Watch

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = REPOSITORY / "docs" / "explanation" / "forecast"
DAY, BUCKET, MONTH, HISTORY = 86400.0, 600.0, 30, 28
MOST_MONTHS = 24
SHOWN_SERIES, SHOWN_MONTH = "npm/@analytics/google-analytics", 6
SHOWN_KEY, SHOWN_FAULT = "label:m-mid", 1200
INK, PALE, BAND95, BAND80, LINE, TRUTH = "#333333", "#dddddd", "#d7e3f4", "#a9c4e8", "#2a5d9f", "#c0392b"


# --- drawing ----------------------------------------------------------------------------------------------------


@dataclass
class Chart:
    """A small line chart: world coordinates in, SVG out."""

    title: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    width: int = 720
    height: int = 320
    parts: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return 64 + across * (self.width - 84), self.height - 48 - up * (self.height - 88)

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, dashes: str = "", width: float = 2) -> None:
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(*point) for point in points))
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
            f'stroke-dasharray="{dashes}"/>'
        )

    def band(self, low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]], colour: str) -> None:
        points = [*low, *reversed(high)]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(*point) for point in points))
        self.parts.append(f'<polygon points="{path}" fill="{colour}"/>')

    def text(self, x: float, y: float, words: str, colour: str = INK) -> None:
        px, py = self.at(x, y)
        self.parts.append(f'<text x="{px:.1f}" y="{py:.1f}" fill="{colour}">{words}</text>')

    def svg(self) -> str:
        left, bottom = self.at(self.x[0], self.y[0])
        right, top = self.at(self.x[1], self.y[1])
        axes = [f'<path d="M{left:.0f} {top:.0f}V{bottom:.0f}H{right:.0f}" fill="none" stroke="{INK}"/>']
        for tick in ticks(*self.x):
            px, _ = self.at(tick, self.y[0])
            axes.append(f'<text x="{px:.1f}" y="{bottom + 18:.0f}" text-anchor="middle">{tick:g}</text>')
        for tick in ticks(*self.y):
            _, py = self.at(self.x[0], tick)
            axes.append(f'<text x="{left - 6:.0f}" y="{py + 4:.1f}" text-anchor="end">{tick:g}</text>')
            axes.append(f'<path d="M{left:.0f} {py:.1f}H{right:.0f}" stroke="{PALE}"/>')
        words = [
            f'<text x="{left:.0f}" y="20" font-weight="bold">{self.title}</text>',
            f'<text x="{right:.0f}" y="{self.height - 8}" text-anchor="end">{self.x_label}</text>',
            f'<text x="{left:.0f}" y="36" font-size="12">{self.y_label}</text>',
        ]
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'font-family="sans-serif" font-size="13" fill="{INK}">'
        )
        white = f'<rect width="{self.width}" height="{self.height}" fill="white"/>'
        return "\n".join([head, white, *axes, *self.parts, *words, "</svg>", ""])


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers between two bounds."""
    raw = (high - low) / 5
    size = 10.0 ** len(str(int(raw))) / 10 if raw >= 1 else 0.01
    step = next(step for step in (size * factor for factor in (1, 2, 5, 10, 20, 50)) if step >= raw * 0.8)
    first = int(low / step) * step
    return [round(first + step * index, 6) for index in range(12) if low <= first + step * index <= high * 1.0001]


# --- data -------------------------------------------------------------------------------------------------------


def read_daily(folder: Path) -> dict[str, tuple[float, list[float]]]:
    series: dict[str, tuple[float, list[float]]] = {}
    with (folder / "daily.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            start = datetime.fromisoformat(row["date"]).replace(tzinfo=UTC).timestamp()
            series.setdefault(f"{row['group']}/{row['series']}", (start, []))[1].append(float(row["value"]))
    return series


def read_key(folder: Path, name: str) -> tuple[list[float], list[int]]:
    with (folder / "llm_cost.csv").open(newline="") as file:
        cost = [float(row[name]) for row in csv.DictReader(file)]
    with (folder / "llm_calls.csv").open(newline="") as file:
        calls = [int(float(row[name])) for row in csv.DictReader(file)]
    return cost, calls


@dataclass
class ByDay:
    """What was measured on one day of all months."""

    errors: list[float] = field(default_factory=list)
    inside80: list[bool] = field(default_factory=list)
    inside95: list[bool] = field(default_factory=list)


def measure(series: dict[str, tuple[float, list[float]]]) -> list[ByDay]:
    """Forecasts of the last 24 months (of 30 days) on each of their days, after at least 28 days of history."""
    days = [ByDay() for _ in range(MONTH)]
    for start, values in series.values():
        forecaster, earliest = Forecaster(), len(values) - MONTH * (MOST_MONTHS + 1)
        for day, value in enumerate(values):
            of_month = (day - HISTORY) % MONTH
            first = day - of_month
            total = sum(values[first : first + MONTH])
            if day >= HISTORY and first >= earliest and first + MONTH <= len(values) and total > 0:
                end = start + (first + MONTH) * DAY
                forecast = forecaster.predict(end, now=start + day * DAY, spent=sum(values[first:day]))
                seen = days[of_month]
                seen.errors.append(abs(forecast.mean - total) / total)
                seen.inside80.append(forecast.lower(0.8) <= total <= forecast.upper(0.8))
                seen.inside95.append(forecast.lower(0.95) <= total <= forecast.upper(0.95))
            forecaster.update(start + (day + 0.5) * DAY, value)
    return days


# --- pictures ---------------------------------------------------------------------------------------------------


def draw_errors(days: list[ByDay]) -> str:
    chart = Chart("Error of the month's total, by the day of the forecast", (0, 29), (0, 60), "day of the month", "%")
    for share, colour in ((0.25, BAND80), (0.5, LINE), (0.75, BAND80), (0.9, TRUTH)):
        points = [(float(day), 100 * quantile(seen.errors, share)) for day, seen in enumerate(days)]
        chart.line(points, colour, width=3 if share == 0.5 else 1.5)
        words = "median" if share == 0.5 else f"{share:.0%} of months are below"
        chart.text(1, points[1][1] + 1, words)
    return chart.svg()


def draw_month(start: float, values: list[float], number: int) -> str:
    first = HISTORY + MONTH * number
    total = sum(values[first : first + MONTH])
    forecaster, spent = Forecaster(), 0.0
    rows: list[tuple[float, list[float]]] = []
    for day, value in enumerate(values[: first + MONTH]):
        if day >= first:
            forecast = forecaster.predict(start + (first + MONTH) * DAY, now=start + day * DAY, spent=spent)
            levels = (0.025, 0.1, 0.5, 0.9, 0.975)
            rows.append((float(day - first), [forecast.quantile(level) for level in levels]))
            spent += value
        forecaster.update(start + (day + 0.5) * DAY, value)
    top = max(quantiles[-1] for _, quantiles in rows) * 1.05
    title = "One month: what each day's forecast said of its end"
    chart = Chart(title, (0, 29), (0, top), "day of the month", "total of the month")
    low95, low80, middle, high80, high95 = ([(day, row[index]) for day, row in rows] for index in range(5))
    chart.band(low95, high95, BAND95)
    chart.band(low80, high80, BAND80)
    chart.line(middle, LINE)
    chart.line([(0, total), (29, total)], TRUTH, dashes="6 4")
    so_far = [(float(day), sum(values[first : first + day])) for day in range(MONTH)]
    chart.line(so_far, INK, width=1)
    chart.text(21, total * 1.03, "what it came to", TRUTH)
    chart.text(14.5, so_far[14][1] * 0.8, "spent so far")
    return chart.svg()


def draw_coverage(days: list[ByDay]) -> str:
    title = "How often the interval held, by the day of the forecast"
    chart = Chart(title, (0, 29), (50, 100), "day of the month", "% of months")
    for level in (80.0, 95.0):
        chart.line([(0, level), (29, level)], PALE, dashes="6 4")
    chart.line([(float(day), 100 * statistics.mean(seen.inside95)) for day, seen in enumerate(days)], LINE)
    chart.line([(float(day), 100 * statistics.mean(seen.inside80)) for day, seen in enumerate(days)], TRUTH)
    chart.text(20, 97, "95 % interval", LINE)
    chart.text(20, 82, "80 % interval", TRUTH)
    return chart.svg()


def draw_incident(cost: list[float], calls: list[int]) -> str:
    watch, scope, opened = Watch(), Scope("label", "summarization"), None
    spend = [value * (5 if bucket >= SHOWN_FAULT else 1) for bucket, value in enumerate(cost)]
    for bucket, value in enumerate(spend):
        model = "gpt-5.4" if bucket >= SHOWN_FAULT else "gpt-5-mini"
        found = watch.update(bucket * BUCKET, [scope], Sample(value, calls[bucket], model=model))
        opened = next((report for report in found if bucket >= SHOWN_FAULT and report.event == "opened"), opened)
        if opened is not None:
            break
    if opened is None:
        raise SystemExit(f"{SHOWN_KEY}: the fault was not found")
    first, last = SHOWN_FAULT - 144, SHOWN_FAULT + 36
    delay = (opened.timestamp - SHOWN_FAULT * BUCKET) / 60
    title = f"Five times as dear from one call to the next: reported after {delay:.0f} minutes"
    window = [(float(bucket - SHOWN_FAULT) / 6, spend[bucket]) for bucket in range(first, last)]
    chart = Chart(
        title, (window[0][0], window[-1][0]), (0, max(y for _, y in window) * 1.1), "hours", "USD in ten minutes"
    )
    chart.line(window, LINE, width=1.5)
    found_at = (opened.timestamp / BUCKET - SHOWN_FAULT) / 6
    chart.line([(found_at, 0), (found_at, chart.y[1])], TRUTH, dashes="6 4")
    print(opened.description)
    return chart.svg()


def quantile(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]


def main(argv: Sequence[str]) -> int:
    if len(argv) != 1:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    folder = Path(argv[0])
    series = read_daily(folder)
    days = measure(series)
    start, values = series[SHOWN_SERIES]
    pictures = {
        "errors.svg": draw_errors(days),
        "month.svg": draw_month(start, values, SHOWN_MONTH),
        "coverage.svg": draw_coverage(days),
        "incident.svg": draw_incident(*read_key(folder, SHOWN_KEY)),
    }
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        (TARGET / name).write_text(picture, encoding="utf-8")
    long = sum(1 for _, values in series.values() if len(values) >= HISTORY + MONTH)
    print(f"{len(days[0].errors)} months of {long} series")
    print(
        "| day of the month | median error | 3 of 4 months are below | 80 % held | 95 % held |\n|---|---|---|---|---|"
    )
    for day in (1, 3, 7, 10, 14, 17, 21, 25, 28):
        seen = days[day]
        row = (quantile(seen.errors, 0.5), quantile(seen.errors, 0.75), statistics.mean(seen.inside80))
        shown = " | ".join(f"{100 * value:.1f} %" for value in row)
        print(f"| {day} | {shown} | {100 * statistics.mean(seen.inside95):.1f} % |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
