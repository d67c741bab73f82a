"""The events of a span, prepared once for all windows over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from featurestore.values.exact_integers import ExactColumn, exact_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POSITION = "__position"


@dataclass(frozen=True)
class Events:
    """Events in the order of key and version.

    Attributes
    ----------
    frame
        The columns that are aggregated.
    keys
        The number of the key of each event.
    moments, known, until
        Microseconds since 1970-01-01 UTC: the event, the beginning and the end of the interval in which it counts.
    """

    frame: pl.DataFrame
    keys: NDArray[np.int64]
    moments: NDArray[np.int64]
    known: NDArray[np.int64]
    until: NDArray[np.int64]
    _made: dict[tuple[str, str], NDArray[np.int64]] = field(default_factory=dict)
    _numbers: dict[str, ExactColumn] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def present(self, column: str) -> NDArray[np.bool_]:
        """Return which events have a value."""
        return self.frame[column].is_not_null().to_numpy()

    def numbers(self, column: str) -> ExactColumn:
        """Return the values as exact numbers; 0 where there is none."""
        if column not in self._numbers:
            values = self.frame[column]
            wide = pl.Float64 if values.dtype.is_float() else pl.Int64
            self._numbers[column] = exact_column(values.cast(wide).fill_null(0).to_numpy())
        return self._numbers[column]

    def order(self, column: str) -> NDArray[np.int64]:
        """Return the events in the order of their values; of equal values, the later one is last."""
        if ("order", column) not in self._made:
            ordered = self.frame.select(column).with_row_index(_POSITION).sort(column, _POSITION)
            self._made["order", column] = ordered[_POSITION].to_numpy().astype(np.int64)
        return self._made["order", column]

    def ranks(self, column: str) -> NDArray[np.int64]:
        """Return the place of each event in `order`."""
        if ("ranks", column) not in self._made:
            ranks = np.empty(len(self), dtype=np.int64)
            ranks[self.order(column)] = np.arange(len(self))
            self._made["ranks", column] = ranks
        return self._made["ranks", column]

    def codes(self, column: str) -> NDArray[np.int64]:
        """Return numbers that are the same for the same value of the same key, and for nothing else."""
        if ("codes", column) not in self._made:
            values = without_negative_zero(self.frame[column])
            codes = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
            self._made["codes", column] = self.keys * (int(codes.max(initial=0)) + 1) + codes
        return self._made["codes", column]


def without_negative_zero(values: pl.Series) -> pl.Series:
    """Replace -0.0 by 0.0, which is equal to it: which of the two answers must not depend on the order of events."""
    if not values.dtype.is_float():
        return values
    return values.set(values == 0.0, 0.0)
