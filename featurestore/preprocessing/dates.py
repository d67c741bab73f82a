"""The step that replaces a timestamp by its place in a cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, get_args

import polars as pl

from featurestore.preprocessing.selectors import columns_of
from featurestore.preprocessing.step import FLOAT, Observed, Outputs, State, Step, float_literal, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from featurestore.preprocessing.selectors import Selector

Period: TypeAlias = Literal["hour", "day", "week", "year"]
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
# A mean year of the Gregorian calendar: the phase of a date differs by less than a day between years.
_MICROSECONDS: Final[Mapping[Period, int]] = {
    "hour": 3_600 * _SECOND,
    "day": _DAY,
    "week": 7 * _DAY,
    "year": 31_556_952 * _SECOND,
}
# 1970-01-01 was a Thursday: a week begins on Monday.
_STARTS: Final[Mapping[Period, int]] = {"hour": 0, "day": 0, "week": -3 * _DAY, "year": 0}


class Cycled(State, frozen=True, tag="cycled"):
    """The angle of a timestamp in a cycle, as sine and cosine.

    Attributes
    ----------
    period, start
        Length of a cycle, and where one began: microseconds, after 1970-01-01 UTC.
    suffix
        What the names of the two columns say: ``<column>_<suffix>_sin``.
    is_date
        Whether the column holds dates.
    """

    period: int
    start: int
    suffix: str
    is_date: bool

    def expressions(self, name: str) -> Outputs:
        """Return sine and cosine."""
        column = pl.col(name).cast(pl.Datetime("us")) if self.is_date else pl.col(name)
        ticks = (column.cast(pl.Int64) - pl.lit(self.start, dtype=pl.Int64)) % pl.lit(
            self.period, dtype=pl.Int64
        )
        angle = ticks.cast(FLOAT) * float_literal(math.tau / self.period)
        return {f"{name}_{self.suffix}_sin": angle.sin(), f"{name}_{self.suffix}_cos": angle.cos()}


@dataclass(frozen=True, kw_only=True)
class Cycle(Step):
    """See `cycle`."""

    kind: ClassVar[str] = "cycle"
    takes: ClassVar[str] = "dates, or timestamps in microseconds"
    period: Period

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether a column holds dates or timestamps."""
        return isinstance(dtype, pl.Date) or (isinstance(dtype, pl.Datetime) and dtype.time_unit == "us")

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType]:  # noqa: ARG002 - any time
        """Return sine and cosine."""
        return {f"{name}_{self.period}_sin": FLOAT, f"{name}_{self.period}_cos": FLOAT}

    def fit(self, observed: Observed) -> Cycled:
        """Return the cycle, which no row decides."""
        return Cycled(
            period=_MICROSECONDS[self.period],
            start=_STARTS[self.period],
            suffix=self.period,
            is_date=isinstance(observed.column.dtype, pl.Date),
        )


def cycle(period: Period, *, columns: str | Iterable[str] | Selector) -> Cycle:
    """Replace a timestamp by sine and cosine of its place in a cycle, in UTC: 23:59 is near 00:00.

    Parameters
    ----------
    period
        ``"hour"``, ``"day"``, ``"week"`` (from Monday) or ``"year"``.
    columns
        Names, or a selector.

    Raises
    ------
    DefinitionError
        If the period does not exist, or no column is named.
    """
    one_of("cycle", "period", period, get_args(Period))
    return Cycle(period=period, columns=columns_of(columns, "cycle"))
