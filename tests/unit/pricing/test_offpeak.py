from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta

import pytest

from llmcost.calls import Usage
from llmcost.pricing import PriceBook, PriceSources
from llmcost.pricing.offpeak import is_off_peak

WEEKDAYS = {"windows": [{"hours_utc": ["00:00-01:00", "16:30-00:30"], "weekdays": ["Mon", 2, "wednesday"]}]}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("rules", "moment", "expected"),
    [
        ({"hours_utc": "16:30-00:30"}, "2026-11-25T16:30", True),
        ({"hours_utc": "16:30-00:30"}, "2026-11-25T16:29", False),
        ({"hours_utc": "16:30-00:30"}, "2026-11-25T00:29", True),
        ({"hours_utc": "16:30-00:30"}, "2026-11-25T00:30", False),
        ({"hours_utc": "00:00-00:00"}, "2026-11-25T12:00", True),
        ({"hours_utc": ["01:00-02:00", "03:00-04:00"]}, "2026-11-25T03:59", True),
        ({}, "2026-11-25T12:00", False),
        (WEEKDAYS, "2026-11-23T00:30", True),  # a Monday
        (WEEKDAYS, "2026-11-25T17:00", True),  # a Wednesday
        (WEEKDAYS, "2026-11-26T17:00", False),  # a Thursday
        # 17:00 UTC on Wednesday is Thursday in Shanghai.
        (WEEKDAYS | {"weekday_timezone": "Asia/Shanghai"}, "2026-11-25T17:00", False),
        (WEEKDAYS | {"weekday_timezone": "No/Such"}, "2026-11-25T17:00", True),
    ],
)
def test_windows(rules: dict[str, object], moment: str, expected: bool) -> None:
    assert is_off_peak(rules, at(moment)) is expected


def test_the_hour_of_the_call_decides_the_price() -> None:
    book = PriceBook(PriceSources(fill=False), clock=lambda: at("2026-11-28T12:00"))
    usage = Usage(1_000_000, 0)
    peak = book.price("deepseek-v4-flash", usage, provider="deepseek", at=datetime(2026, 11, 25, 2, tzinfo=UTC))
    night = book.price("deepseek-v4-flash", usage, provider="deepseek", at=at("2026-11-25T11:00"))
    saturday = book.price("deepseek-v4-flash", usage, provider="deepseek")
    assert (peak.total, night.total, saturday.total) == pytest.approx((0.3, 0.15, 0.15))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="litellm is not installed")
def test_every_half_hour_of_a_week_is_as_litellm_says() -> None:
    from litellm.litellm_core_utils.llm_cost_calc.utils import (  # type: ignore[import-not-found,unused-ignore]
        _is_off_peak,
    )

    entries = PriceBook(PriceSources(fill=False)).map.models.values()
    rules = [entry["off_peak_pricing"] for entry in entries if "off_peak_pricing" in entry]
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    moments = [monday + timedelta(minutes=30 * step) for step in range(7 * 48)]
    assert rules
    for rule in rules:
        for moment in moments:
            assert is_off_peak(rule, moment.timestamp()) == _is_off_peak(rule, moment), (rule, moment)
