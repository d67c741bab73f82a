"""What online stores keep of an event, beside its timestamp: the values that windows read, and which conditions hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from featurestore.windows.aggregation import Aggregation


@dataclass(frozen=True)
class StoredColumns:
    """The columns of a stored event.

    Attributes
    ----------
    names
        Columns of the events.
    conditions
        Boolean expressions over the events; they are evaluated when the event is stored, so that a reader has no
        expression to run.
    """

    names: tuple[str, ...]
    conditions: tuple[pl.Expr, ...]

    @classmethod
    def of(cls, windows: Mapping[str, Aggregation]) -> StoredColumns:
        """List what some windows read."""
        names = dict.fromkeys(window.column for window in windows.values() if window.column is not None)
        conditions: list[pl.Expr] = []
        for window in windows.values():
            for condition in (window.where, window.condition):
                if condition is not None and not any(condition.meta.eq(known) for known in conditions):
                    conditions.append(condition)
        return cls(tuple(names), tuple(conditions))

    def value(self, name: str) -> int:
        """Return the position of a column in a stored event: the timestamp has the first."""
        return 1 + self.names.index(name)

    def condition(self, condition: pl.Expr) -> int:
        """Return the position of a condition in a stored event."""
        number = next(i for i, known in enumerate(self.conditions) if condition.meta.eq(known))
        return 1 + len(self.names) + number

    def held(self) -> list[pl.Expr]:
        """Return whether each condition holds, as expressions over the events; what is unknown does not hold."""
        return [
            condition.fill_null(value=False).alias(f"__condition{number}")
            for number, condition in enumerate(self.conditions)
        ]
