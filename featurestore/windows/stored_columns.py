"""What online stores keep of an event, beside its timestamp: the values that windows read, and which conditions hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.values.codec import stored_columns
from featurestore.windows.cardinality import hashes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.windows.aggregation import Aggregation, Kind

HASHED: Final[Kind] = "approximate_distinct"


@dataclass(frozen=True)
class StoredColumns:
    """The columns of a stored event.

    Attributes
    ----------
    names
        Columns of the events.
    hashed
        Columns of the events whose different values are counted approximately: a hash of each value is stored.
    conditions
        Boolean expressions over the events; they are evaluated when the event is stored, so that a reader has no
        expression to run.
    """

    names: tuple[str, ...]
    hashed: tuple[str, ...]
    conditions: tuple[pl.Expr, ...]

    @classmethod
    def of(cls, windows: Mapping[str, Aggregation]) -> StoredColumns:
        """List what some windows read."""
        names: dict[str, None] = {}
        hashed: dict[str, None] = {}
        for window in windows.values():
            if window.column is not None:
                (hashed if window.kind == HASHED else names)[window.column] = None
        conditions: list[pl.Expr] = []
        for window in windows.values():
            for condition in (window.where, window.condition):
                if condition is not None and not any(condition.meta.eq(known) for known in conditions):
                    conditions.append(condition)
        return cls(tuple(names), tuple(hashed), tuple(conditions))

    def value(self, name: str) -> int:
        """Return the position of a column in a stored event: the timestamp has the first."""
        return 1 + self.names.index(name)

    def read(self, window: Aggregation) -> int:
        """Return the position of what a window reads of a stored event; without a column, the timestamp."""
        if window.column is None:
            return 0
        if window.kind == HASHED:
            return 1 + len(self.names) + self.hashed.index(window.column)
        return self.value(window.column)

    def condition(self, condition: pl.Expr) -> int:
        """Return the position of a condition in a stored event."""
        number = next(i for i, known in enumerate(self.conditions) if condition.meta.eq(known))
        return 1 + len(self.names) + len(self.hashed) + number

    def values(self, schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
        """Return the values as they are stored, and the hashes, as expressions over events of a schema."""
        physical = stored_columns(pl.Schema({name: schema[name] for name in self.names}))
        stored = [value.alias(f"__value{number}") for number, value in enumerate(physical)]
        return stored + [
            pl.col(name)
            .map_batches(_hashes, return_dtype=pl.UInt64(), is_elementwise=True)
            .alias(f"__hash{number}")
            for number, name in enumerate(self.hashed)
        ]

    def held(self) -> list[pl.Expr]:
        """Return whether each condition holds, as expressions over the events; what is unknown does not hold."""
        return [
            condition.fill_null(value=False).alias(f"__condition{number}")
            for number, condition in enumerate(self.conditions)
        ]


def _hashes(values: pl.Series) -> pl.Series:
    return pl.Series(values.name, hashes(values)).set(values.is_null(), None)
