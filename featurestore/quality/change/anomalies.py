"""Anomalies: each metric of the last run compared with its own history.

Nobody has to set a threshold.

The expected value has three parts: the level (the median of the last 28 runs), the trend (how far
the metric was lately from the level before it), and the season (what runs of one weekday, or of
one day of the month, have in common beyond three standard errors). A season is known once the day
has occurred three times. Until then, any value that the same day had before is also expected.

The expected range extends `DEVIATIONS` robust deviations to both sides. A robust deviation is
1.4826 times the median absolute deviation of the last 56 runs; with few runs it is wider, by the
factor ``1 + 5/runs``. It is at least one percent of the level, and for shares at least 0.2
percentage points, so that a small move of a constant metric raises no alarm. After a lasting change
the level follows within 15 runs.

Days are days in UTC. The same history always gives the same answer.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from featurestore.quality.change.history import SHARE_KINDS
from featurestore.quality.rules.rule_id import RuleId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.quality.change.history import Run

MIN_RUNS = 7
MAX_RUNS = 400
LEVEL_RUNS = 28  # four whole weeks of daily runs: no weekday weighs more than another
MIN_SEASONS = 3
DEVIATIONS = 5.0
MIN_OF_LEVEL = 0.01
MIN_OF_SHARE = 0.002
_TO_DEVIATION = 1.4826  # of a normal variable, over its median absolute deviation
_MEDIAN_ERROR = 1.2533  # of a median, over that of a mean
_SIGNIFICANT = 3.0
_FEW = 5.0  # with this number of runs the deviation counts double, because few runs estimate it poorly

Point = tuple[datetime, float]
SEASONS: dict[str, tuple[Callable[[datetime], int], Callable[[datetime], tuple[int, ...]]]] = {
    # The day of the season that runs share, and the period that tells one occurrence from the next.
    "day of week": (lambda at: at.weekday(), lambda at: tuple(at.isocalendar()[:2])),
    "day of month": (lambda at: at.day, lambda at: (at.year, at.month)),
}


class Anomaly(msgspec.Struct, frozen=True, kw_only=True, rename={"metric": "id", "name": "metric"}):
    """A metric of the last run that is outside the range that its history leads to expect.

    In JSON, ``id`` holds `metric` and ``metric`` holds `name`.

    Attributes
    ----------
    at
        The time of the last run, in UTC.
    low, high
        The expected range.
    since
        The first of the consecutive runs up to the last one that are outside the range on the same
        side.
    runs
        The number of earlier runs that the range is computed from.
    seasons
        The seasons that have an effect in this history: ``day of week``, ``day of month``.
    name
        The printed name of the metric; always derived from `metric`.
    """

    metric: RuleId
    at: datetime
    value: float
    low: float
    high: float
    since: datetime
    runs: int
    seasons: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        structs.force_setattr(self, "name", self.metric.name)


def anomalies(runs: Sequence[Run]) -> tuple[Anomaly, ...]:
    """Compare the metrics of the last run with those of the runs before it.

    A metric needs at least seven earlier runs. A refused last run is compared too, but refused runs
    are not part of the history.

    Parameters
    ----------
    runs
        Oldest first.
    """
    if not runs:
        return ()
    values = [run.values() for run in runs]
    accepted = [
        (run.at, of_run) for run, of_run in zip(runs[:-1], values, strict=False) if run.decision != "refused"
    ]
    anomalous = []
    for metric, value in values[-1].items():
        history = [(at, of_run[metric]) for at, of_run in accepted if metric in of_run][-MAX_RUNS:]
        if len(history) < MIN_RUNS:
            continue
        low, high, seasons = _expected(history, runs[-1].at, share=metric.kind in SHARE_KINDS)
        if not low <= value <= high:
            series = [(run.at, of_run.get(metric)) for run, of_run in zip(runs, values, strict=True)]
            anomalous.append(
                Anomaly(
                    metric=metric,
                    at=runs[-1].at,
                    value=value,
                    low=low,
                    high=high,
                    since=_since(series, low if value < low else high, below=value < low),
                    runs=len(history),
                    seasons=seasons,
                )
            )
    return tuple(anomalous)


def _expected(history: list[Point], at: datetime, *, share: bool) -> tuple[float, float, tuple[str, ...]]:
    """Return the ends of the expected range, and the seasons that have an effect."""
    values = [value for _, value in history]
    residuals = [
        (
            time,
            value - median(values[max(0, i - LEVEL_RUNS) : i] if i >= MIN_RUNS else values[:MIN_RUNS]),
        )
        for i, (time, value) in enumerate(history)
    ]
    level = median(values[-LEVEL_RUNS:])
    usual = level
    precedents: list[float] = []
    seasons: list[str] = []
    for name, (day_of, season_of) in SEASONS.items():
        same_day = [(time, residual) for time, residual in residuals if day_of(time) == day_of(at)]
        if len({season_of(time) for time, _ in same_day}) < MIN_SEASONS:
            precedents += [residual for _, residual in same_day]
        effects = _effects(residuals, name)
        residuals = [(time, residual - effects.get(day_of(time), 0.0)) for time, residual in residuals]
        usual += effects.get(day_of(at), 0.0)
        if effects:
            seasons.append(name)
    recent = [residual for _, residual in residuals[-2 * LEVEL_RUNS :]]
    trend = median(recent)
    deviation = (
        _TO_DEVIATION * median(abs(residual - trend) for residual in recent) * (1 + _FEW / len(recent))
    )
    min_deviation = max(MIN_OF_LEVEL * abs(level), MIN_OF_SHARE if share else 0.0)
    room = DEVIATIONS * max(deviation, min_deviation)
    # An unusual value that the same day had before is in the range.
    middles = [0.0, *(residual for residual in precedents if abs(residual) > room)]
    return usual + trend + min(middles) - room, usual + trend + max(middles) + room, tuple(seasons)


def _effects(residuals: list[Point], name: str) -> dict[int, float]:
    """Return the effect of each day of a season, where it exceeds the noise."""
    day_of, season_of = SEASONS[name]
    days: dict[int, list[Point]] = defaultdict(list)
    for time, residual in residuals:
        days[day_of(time)].append((time, residual))
    middle = median(residual for _, residual in residuals)
    medians = {
        day: median(residual for _, residual in points)
        for day, points in days.items()
        if len({season_of(time) for time, _ in points}) >= MIN_SEASONS
    }
    within = [abs(residual - medians[day]) for day in medians for _, residual in days[day]]
    noise = _TO_DEVIATION * median(within) if within else 0.0
    return {
        day: effect - middle
        for day, effect in medians.items()
        if abs(effect - middle) > _SIGNIFICANT * _MEDIAN_ERROR * noise / sqrt(len(days[day]))
    }


def _since(series: Sequence[tuple[datetime, float | None]], limit: float, *, below: bool) -> datetime:
    since = series[-1][0]
    for at, value in reversed(series):
        if value is None:
            continue
        if not (value < limit if below else value > limit):
            break
        since = at
    return since
