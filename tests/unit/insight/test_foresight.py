"""A series as it is kept between two rounds."""

from __future__ import annotations

import json
from typing import Any

from llmcost.insight import Sample, WatchSettings
from llmcost.insight.foresight import Series, restored, text_of

START = 1735689600.0
DAY = 86_400.0


def grown(days: int = 10) -> Series:
    series = Series("label", "chat", WatchSettings())
    for hour in range(24 * days):
        series.update(START + 3600 * hour, [Sample(0.5, 10, 9000, 0, 0, "m")])
    return series


def test_a_series_goes_on_where_it_was() -> None:
    series = grown()
    twin = restored("label=chat", text_of(series))
    assert twin.dump() == series.dump()
    assert twin.awake == series.awake
    assert twin.spent(START + 10 * DAY) == series.spent(START + 10 * DAY) > 0


def test_a_watch_of_another_version_begins_anew_and_the_forecast_goes_on() -> None:
    series = grown()
    forecaster, month, spent, _ = series.dump()
    others: list[Any] = [[1, 2, 3], None, [[]] * 9]
    for foreign in others:
        twin = restored("label=chat", json.dumps([forecaster, month, spent, foreign]))
        assert twin.forecaster.dump() == series.forecaster.dump()
        assert twin.spent(START + 10 * DAY) == series.spent(START + 10 * DAY)
        assert twin.present is None
        assert not twin.awake
        twin.update(START + 11 * DAY, [Sample(0.5, 10, 9000, 0, 0, "m")])


def test_what_is_no_series_begins_anew() -> None:
    for text in ("", "{}", "[]", "[1, 2, 3, 4]", "null"):
        assert restored("label=chat", text).forecaster.history_days == 0
