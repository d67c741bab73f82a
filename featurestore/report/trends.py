"""The history of a dataset's runs: a line for each figure that moved, and the table behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurestore.report import svg
from featurestore.report.words import number, share

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from markupsafe import Markup

    from featurestore.quality.change.history import Run

MAX_RUNS = 60
MAX_TRENDS = 24
ALWAYS = ("rows", "quarantined_share")


@dataclass(frozen=True)
class Trend:
    """One figure over the runs, oldest first; None where a run does not have it."""

    name: str
    values: tuple[float | None, ...]
    drawn: Markup

    @property
    def there(self) -> list[float]:
        """The values that there are."""
        return [value for value in self.values if value is not None]

    def text(self, value: float | None) -> str:
        """Write a value of it."""
        return _text(self.name, value)


def trends(runs: Sequence[Run], *, personal: Collection[str] = ()) -> tuple[Trend, ...]:
    """Tell rows and quarantined share, and the figures that moved over the last runs, those that moved most just now first.

    Parameters
    ----------
    personal
        Columns whose means are not told.
    """
    last = runs[-MAX_RUNS:]
    hidden = {*ALWAYS, *(f"mean.{column}" for column in personal)}
    names = [name for name in dict.fromkeys(n for run in last for n in run.metrics) if name not in hidden]
    moved = [name for name in names if _reads_otherwise(name, [run.metrics.get(name) for run in last])]
    moved.sort(key=lambda name: (-_last_move([run.metrics.get(name) for run in last]), name))
    return tuple(trend(last, name) for name in (*ALWAYS, *moved[:MAX_TRENDS])) if last else ()


def trend(runs: Sequence[Run], name: str) -> Trend:
    """Tell one figure of the last runs."""
    last = runs[-MAX_RUNS:]
    values = tuple(run.metrics.get(name) for run in last)
    refused = [run.decision == "refused" for run in last]
    there = [number(value) for value in values if value is not None]
    title = f"{name} over {len(last)} runs" + (f", last {there[-1]}" if there else "")
    return Trend(name, values, svg.sparkline(values, title=title, refused=refused))


def _text(name: str, value: float | None) -> str:
    return share(value) if value is not None and "share" in name.partition(".")[0] else number(value)


def _reads_otherwise(name: str, values: Sequence[float | None]) -> bool:
    """Say whether a figure moved so much that it is seen."""
    return len({_text(name, value) for value in values if value is not None}) > 1


def _last_move(values: Sequence[float | None]) -> float:
    there = [value for value in values if value is not None]
    if len(there) < 2 or there[-1] == there[-2]:  # noqa: PLR2004
        return 0.0
    return abs(there[-1] - there[-2]) / max(abs(there[-1]), abs(there[-2]))
