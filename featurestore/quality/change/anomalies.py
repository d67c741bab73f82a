"""Anomalies: a metric of the last run beside its own history, without any bound set by anyone.

Expected is what the runs before say: the level (median of the last 28), how far a metric lately lies from the level it
comes to (its trend), and the season: what runs of one weekday, or of one day of the month, have in common beyond three
standard errors. A season is known once the day has come three times; until then, what the day brought before may come again.

The range around it is `DEVIATIONS` robust deviations wide, to both sides: 1.4826 times the median absolute deviation of the
last 56 runs from what was usual then (more, where they are few: ``1 + 5/runs`` times); but at least one per cent of the level, and of shares (``null_share.…``,
``quarantined_share``) at least 0.2 of a percentage point: a metric that never moved is not alarmed by a little. After a lasting
change the level follows within 15 runs.

Days are those of UTC. The same history gives the same answer.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING

import msgspec

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
_FEW = 5.0  # of few runs a deviation is known poorly: so many runs, and it counts double

Point = tuple[datetime, float]
SEASONS: dict[str, tuple[Callable[[datetime], int], Callable[[datetime], tuple[int, ...]]]] = {
    # What runs have in common, and what tells one season from the next.
    "day of week": (lambda at: at.weekday(), lambda at: tuple(at.isocalendar()[:2])),
    "day of month": (lambda at: at.day, lambda at: (at.year, at.month)),
}


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """A metric that is not what its history says.

    Attributes
    ----------
    at
        The run that is judged.
    low, high
        The range that was expected.
    since
        The first of the unbroken runs up to this one that lie outside this range on the same side.
    runs
        How many runs before were asked.
    seasons
        Of which seasons the history knows an effect: ``day of week``, ``day of month``.
    """

    metric: str
    at: datetime
    value: float
    low: float
    high: float
    since: datetime
    runs: int
    seasons: tuple[str, ...] = ()


def anomalies(runs: Sequence[Run]) -> tuple[Anomaly, ...]:
    """Judge the last run by those before it; metrics with fewer than seven runs before are not judged.

    Refused runs are judged, and are no history.

    Parameters
    ----------
    runs
        Oldest first.
    """
    if not runs:
        return ()
    last, found = runs[-1], []
    accepted = [run for run in runs[:-1] if run.decision != "refused"]
    for metric, value in last.metrics.items():
        before = [(run.at, run.metrics[metric]) for run in accepted if metric in run.metrics][-MAX_RUNS:]
        if len(before) < MIN_RUNS:
            continue
        low, high, seasons = _expected(before, last.at, share="share" in metric)
        if not low <= value <= high:
            found.append(
                Anomaly(
                    metric=metric,
                    at=last.at,
                    value=value,
                    low=low,
                    high=high,
                    since=_since(runs, metric, low if value < low else high, below=value < low),
                    runs=len(before),
                    seasons=seasons,
                )
            )
    return tuple(found)


def _expected(before: list[Point], at: datetime, *, share: bool) -> tuple[float, float, tuple[str, ...]]:
    """Return the range that is expected at a moment, and the seasons that were found."""
    values = [value for _, value in before]
    away = [
        (
            moment,
            value - median(values[max(0, i - LEVEL_RUNS) : i] if i >= MIN_RUNS else values[:MIN_RUNS]),
        )
        for i, (moment, value) in enumerate(before)
    ]
    level = median(values[-LEVEL_RUNS:])
    usual, precedents, seasons = level, [], []
    for name, (day_of, season_of) in SEASONS.items():
        same = [(moment, gap) for moment, gap in away if day_of(moment) == day_of(at)]
        if len({season_of(moment) for moment, _ in same}) < MIN_SEASONS:
            precedents += [gap for _, gap in same]
        effects = _effects(away, name)
        away = [(moment, gap - effects.get(day_of(moment), 0.0)) for moment, gap in away]
        usual += effects.get(day_of(at), 0.0)
        if effects:
            seasons.append(name)
    recent = [gap for _, gap in away[-2 * LEVEL_RUNS :]]
    trend = median(recent)
    deviation = _TO_DEVIATION * median(abs(gap - trend) for gap in recent) * (1 + _FEW / len(recent))
    least = max(MIN_OF_LEVEL * abs(level), MIN_OF_SHARE if share else 0.0)
    room = DEVIATIONS * max(deviation, least)
    # What the same day brought before and was out of the ordinary is in the range.
    middles = [0.0, *(gap for gap in precedents if abs(gap) > room)]
    return usual + trend + min(middles) - room, usual + trend + max(middles) + room, tuple(seasons)


def _effects(away: list[Point], name: str) -> dict[int, float]:
    """Return by how much the runs of each day of a season differ from others, where it is beyond their noise."""
    day_of, season_of = SEASONS[name]
    days: dict[int, list[Point]] = defaultdict(list)
    for moment, gap in away:
        days[day_of(moment)].append((moment, gap))
    middle = median(gap for _, gap in away)
    own = {
        day: median(gap for _, gap in points)
        for day, points in days.items()
        if len({season_of(moment) for moment, _ in points}) >= MIN_SEASONS
    }
    within = [abs(gap - own[day]) for day in own for _, gap in days[day]]
    noise = _TO_DEVIATION * median(within) if within else 0.0
    return {
        day: effect - middle
        for day, effect in own.items()
        if abs(effect - middle) > _SIGNIFICANT * _MEDIAN_ERROR * noise / sqrt(len(days[day]))
    }


def _since(runs: Sequence[Run], metric: str, bound: float, *, below: bool) -> datetime:
    since = runs[-1].at
    for run in reversed(runs):
        value = run.metrics.get(metric)
        if value is None:
            continue
        if not (value < bound if below else value > bound):
            break
        since = run.at
    return since
