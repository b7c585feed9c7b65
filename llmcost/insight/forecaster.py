"""The forecaster of one series of spend: a user's, a label's, a model's, a budget's or the whole program's."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import ClassVar, Final

from llmcost.insight import fitted
from llmcost.insight.daily import WEEK, DailyModel
from llmcost.insight.distribution import ENOUGH_DAYS, Forecast
from llmcost.insight.hours import HourProfile
from llmcost.insight.prediction import Exhaustion, NotEnoughHistory
from llmcost.insight.record import HORIZONS, TrackRecord, shrunk_log
from llmcost.insight.state import Resumable

DAY: Final = 86400.0
_COLD_DAYS: Final = 14
"""Until then the members have no record, and the level alone speaks."""
_JUDGED_FROM: Final = 10
_LONGEST_SILENCE: Final = 60
"""Silent days that are learnt one by one; after so many zeros the state is that of an idle series."""
_LEAD_LIMIT: Final = 2.0
_COLD_MOMENTUM: Final = 0.6
_COLD_DECAY: Final = 0.85
_GROWN_DAYS: Final = 21
_NEW_WIDER: Final = 0.12
_NEW_DEEPER: Final = 0.7
"""A series of a week errs by so much more, and further still downwards: new keys often fall silent."""
_MOMENTUM: Final = 0.8
_MOMENTUM_DECAY: Final = 0.65
"""How much of the fast level's lead carries over to tomorrow, and what is left of it a day later."""
_LOG_HORIZONS: Final = [math.log(days) for days in fitted.HORIZONS]


class Forecaster(Resumable):
    """Takes in spend in the order of time; says what a period will cost.

    The state does not grow with the history, and can be kept and taken up (:meth:`dump`, :meth:`load`).

    Args:
        utc_offset_s: where the day begins, in seconds east of UTC.
    """

    __slots__ = ("_day", "_hours", "_last", "_model", "_offset", "_record", "_today")
    STATE: ClassVar[tuple[str, ...]] = ("_day", "_last", "_today", "_hours", "_model", "_record")

    def __init__(self, utc_offset_s: float = 0.0) -> None:
        self._offset = utc_offset_s
        self._day: int | None = None
        self._last = 0.0
        self._today = 0.0
        self._hours = HourProfile()
        self._model = DailyModel()
        self._record = TrackRecord()

    @property
    def history_days(self) -> int:
        """Whole days seen since the first spend."""
        return self._model.days

    def update(self, ts: float, cost: float) -> None:
        """Book spend.

        Args:
            ts: Unix time in seconds. What comes late, for a day that is over, counts today.
            cost: USD.
        """
        local = ts + self._offset
        day = int(local // DAY)
        if self._day is None or day > self._day:
            self._turn_to(day)
        self._today += cost
        self._hours.add(local % DAY, cost)
        self._last = max(self._last, ts)

    def predict(self, end_ts: float, now: float | None = None, spent: float = 0.0) -> Forecast:
        """Forecast ``spent`` plus all spend after ``now`` until ``end_ts``.

        Args:
            end_ts: end of the period, Unix time in seconds.
            now: the present; the time of the last update where it is not given. Days that are over by then are closed.
            spent: USD spent in the period so far.
        """
        now = self._last if now is None else now
        self._turn_to(int((now + self._offset) // DAY))
        path = self._path_until(now, end_ts)
        distance = max(end_ts - now, 1.0) / DAY
        newness = min(1.0, max(0.0, (_GROWN_DAYS - self._model.days) / (_GROWN_DAYS - WEEK)))
        scale = self._scale() * (1 + _NEW_WIDER * newness)
        if distance < 1:
            scale *= max(distance, 0.05) ** -0.15
        errors = _errors_at(distance, 1 + _NEW_DEEPER * newness)
        return Forecast(spent, sum(path), scale, errors, self._model.days)

    def daily(self, days: int, now: float) -> list[float]:
        """The plain forecast of each of the next ``days`` days, the rest of today first. For charts."""
        self._turn_to(int((now + self._offset) // DAY))
        start = math.floor((now + self._offset) / DAY) * DAY - self._offset
        return self._path_until(now, start + days * DAY)

    def past(self, now: float) -> list[tuple[float, float]]:
        """Begin (Unix time) and spend (USD) of the days that are remembered: four weeks, and the present day so far."""
        today = int((now + self._offset) // DAY)
        self._turn_to(today)
        spends = [*self._model.recent, self._today]
        return [((today - back) * DAY - self._offset, spends[-1 - back]) for back in reversed(range(len(spends)))]

    def exhaustion(self, budget: float, end_ts: float, now: float, spent: float = 0.0) -> Exhaustion | NotEnoughHistory:
        """The day on which ``budget`` (USD) is used up, looked for from ``now`` until ``end_ts`` in steps of a day.

        Args:
            budget: limit of the period.
            end_ts: end of the period, Unix time in seconds.
            now: the present.
            spent: USD spent in the period so far.
        """
        self._turn_to(int((now + self._offset) // DAY))
        if self._model.days < ENOUGH_DAYS:
            return NotEnoughHistory(self._model.days)
        chances = (0.5, 0.1, 0.9)
        found: list[float | None] = [now if spent >= budget else None] * len(chances)
        edge = (math.floor((now + self._offset) / DAY) + 1) * DAY - self._offset
        while None in found and edge - DAY < end_ts:
            at = min(edge, end_ts)
            passed = self.predict(at, now, spent).p_exceed(budget)
            found = [
                at if when is None and passed >= chance else when for when, chance in zip(found, chances, strict=True)
            ]
            edge += DAY
        return Exhaustion(*found)

    # --- days ---------------------------------------------------------------------------------------------------

    def _turn_to(self, day: int) -> None:
        if self._day is None:
            self._day = day
        if day - self._day > _LONGEST_SILENCE:
            self._close()
            self._day = day - _LONGEST_SILENCE
        while self._day < day:
            self._close()
            self._day += 1

    def _close(self) -> None:
        if self._day is None:
            return
        model, record = self._model, self._record
        self._hours.close()
        model.learn(self._today, self._day % WEEK)
        self._today = 0.0
        record.judge(list(model.recent))
        if model.days >= _JUDGED_FROM:
            tomorrow = (self._day + 1) % WEEK
            even = model.even(tomorrow, HORIZONS[-1])
            record.note(self._mixed(even, tomorrow, 0.0), model.week_ahead(even))

    # --- forecast -----------------------------------------------------------------------------------------------

    def _mixed(self, even: list[float], weekday: int, elapsed: float) -> list[float]:
        """The next days' spend from the level's forecast of it: the members, leaning to the recent past at first."""
        model = self._model
        level = model.level
        if model.days <= _COLD_DAYS:
            slow = model.levels[0]
            share = slow / level if level > 0 else 1.0
            path = model.mixed(even, weekday, (share, 0.0, 0.0, 0.0))
            return _leaning(path, _COLD_MOMENTUM * _lead(self._last_day(elapsed), slow), _COLD_DECAY)
        path = model.mixed(even, weekday, self._record.weights())
        return _leaning(path, _MOMENTUM * _lead(model.levels[-1], level), _MOMENTUM_DECAY)

    def _last_day(self, elapsed: float) -> float:
        """Spend of the last 24 hours: today's, and yesterday's after this hour."""
        yesterday = self._model.recent[-1] if self._model.recent else 0.0
        return self._today + (1 - elapsed) * yesterday

    def _path_until(self, now: float, end_ts: float) -> list[float]:
        """Spend by day from ``now`` to ``end_ts``; the first and last day in part where they are cut."""
        local_now, local_end = now + self._offset, end_ts + self._offset
        start = math.floor(local_now / DAY) * DAY
        days = max(1, math.ceil((local_end - start) / DAY - 1e-9))
        elapsed = self._hours.elapsed(local_now - start)
        weekday = int(start // DAY) % WEEK
        path = self._mixed(self._model.even(weekday, days), weekday, elapsed)
        if elapsed > 0:
            path[0] = self._rest_of_today(path[0], elapsed)
        missing = days - (local_end - start) / DAY
        path[-1] *= 1 - min(max(missing, 0.0), 1.0)
        return path

    def _rest_of_today(self, usual: float, elapsed: float) -> float:
        """What is still to come today: the usual rest, drawn to today's pace the more of today is over."""
        so_far = usual * elapsed
        pace = min(max(self._today / so_far, 0.2), 5.0) if so_far > 0 else 1.0
        return usual * (1 - elapsed) * (1 + elapsed * elapsed * (pace - 1))

    def _signs(self) -> list[float]:
        """What the size of the next error hangs on; see ``scripts/fit_insight.py``."""
        model = self._model
        spread = model.spread / max(model.level, 1e-12)
        return [1.0, shrunk_log(min(spread, 100.0), model.days), *self._record.signs()]

    def _scale(self) -> float:
        weighted = sum(map(float.__mul__, fitted.SCALE_WEIGHTS, self._signs()))
        return math.exp(weighted)


def _lead(recent: float, level: float) -> float:
    """How far the recent past is above the level, as a log."""
    soft = 0.02 * level + 1e-12
    return min(max(math.log((recent + soft) / (level + soft)), -_LEAD_LIMIT), _LEAD_LIMIT)


def _leaning(path: list[float], lead: float, decay: float) -> list[float]:
    """The path, drawn to the recent past; what is left of the lead shrinks from day to day."""
    for ahead, value in enumerate(path):
        path[ahead] = value * math.exp(lead)
        lead *= decay
        if abs(lead) < 0.001:
            break
    return path


def _errors_at(distance: float, deeper: float) -> list[float]:
    """The fitted error quantiles, between the tables of the two nearest distances (days, on a log scale); those below
    the forecast so much deeper."""
    place = math.log(min(max(distance, fitted.HORIZONS[0]), fitted.HORIZONS[-1]))
    index = bisect_left(_LOG_HORIZONS, place, lo=1, hi=len(_LOG_HORIZONS) - 1)
    near, far = _LOG_HORIZONS[index - 1], _LOG_HORIZONS[index]
    share = (place - near) / (far - near)
    tables = zip(fitted.ERRORS[index - 1], fitted.ERRORS[index], strict=True)
    return [error * deeper if (error := a + share * (b - a)) < 0 else error for a, b in tables]
