"""The history of a dataset on its page: a line and numbers for each metric that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurestore.quality.change.history import QUARANTINED_SHARE, ROWS, SHARE_KINDS
from featurestore.quality.gate.personal import is_value_shown
from featurestore.report import svg
from featurestore.report.formatting import number, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from featurestore.definitions.contract import Contract
    from featurestore.quality.change.history import Run
    from featurestore.quality.rules.rule_id import RuleId

MAX_RUNS = 60
MAX_TRENDS = 24
ALWAYS = (ROWS, QUARANTINED_SHARE)


@dataclass(frozen=True)
class Trend:
    """One metric over the runs.

    Attributes
    ----------
    values
        Oldest first; None where a run does not have the metric.
    line
        The values as a plot; None: there are fewer than two, which make no line.
    """

    metric: RuleId
    values: tuple[float | None, ...]
    line: Markup | None

    @property
    def name(self) -> str:
        """The printed name of the metric."""
        return self.metric.name

    @property
    def present(self) -> list[float]:
        """The values of the runs that have the metric."""
        return [value for value in self.values if value is not None]

    def text(self, value: float | None) -> str:
        """Write a value of the metric."""
        return _text(self.metric, value)


def trends(runs: Sequence[Run], contract: Contract) -> tuple[Trend, ...]:
    """Return rows, quarantined share, and the metrics that changed, the largest change first.

    Parameters
    ----------
    runs
        Oldest first.
    contract
        Declares the personal columns; metrics that show something of their values are left out.
    """
    last = runs[-MAX_RUNS:]
    if not last:
        return ()
    values = [run.values() for run in last]
    series = {
        metric: tuple(of_run.get(metric) for of_run in values)
        for metric in dict.fromkeys(metric for of_run in values for metric in of_run)
        if metric not in ALWAYS and is_value_shown(metric, contract)
    }
    changed = [metric for metric in series if _visibly_changed(metric, series[metric])]
    changed.sort(key=lambda metric: (-_last_change(series[metric]), metric.name))
    series |= {metric: tuple(of_run.get(metric) for of_run in values) for metric in ALWAYS}
    return tuple(_trend(last, metric, series[metric]) for metric in (*ALWAYS, *changed[:MAX_TRENDS]))


def trend(runs: Sequence[Run], metric: RuleId) -> Trend:
    """Return one metric over the last runs.

    Parameters
    ----------
    runs
        Oldest first.
    """
    last = runs[-MAX_RUNS:]
    return _trend(last, metric, tuple(run.values().get(metric) for run in last))


def _trend(last: Sequence[Run], metric: RuleId, values: tuple[float | None, ...]) -> Trend:
    refused = [run.decision == "refused" for run in last]
    texts = [number(value) for value in values if value is not None]
    if len(texts) < 2:  # noqa: PLR2004 - a line has two ends
        return Trend(metric, values, None)
    title = f"{metric.name} over {len(last):,} runs" + (f", last {texts[-1]}" if texts else "")
    return Trend(metric, values, svg.sparkline(values, title=title, refused=refused))


def _text(metric: RuleId, value: float | None) -> str:
    return share(value) if value is not None and metric.kind in SHARE_KINDS else number(value)


def _visibly_changed(metric: RuleId, values: Sequence[float | None]) -> bool:
    """Say whether the written values differ."""
    return len({_text(metric, value) for value in values if value is not None}) > 1


def _last_change(values: Sequence[float | None]) -> float:
    present = [value for value in values if value is not None]
    if len(present) < 2 or present[-1] == present[-2]:  # noqa: PLR2004
        return 0.0
    return abs(present[-1] - present[-2]) / max(abs(present[-1]), abs(present[-2]))
