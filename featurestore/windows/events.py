"""The events of a span, prepared once for all windows over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import polars as pl

from featurestore.errors import ContractError
from featurestore.values.bits import without_negative_zero
from featurestore.values.exact_integers import ExactColumn, exact_column
from featurestore.windows.additive import Addends
from featurestore.windows.cardinality import hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

FINITE: Final = "let the schema of the events refuse it"
_POSITION = "__position"
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Events:
    """Events in the order of key and version.

    Attributes
    ----------
    frame
        The columns that are aggregated.
    keys
        The number of the key of each event.
    timestamps, known, until
        Microseconds since 1970-01-01 UTC: the event, the beginning and the end of the interval in which it counts.
    filters
        Which events each filter holds for.
    """

    frame: pl.DataFrame
    keys: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    known: NDArray[np.int64]
    until: NDArray[np.int64]
    filters: tuple[NDArray[np.bool_], ...]
    _made: dict[Hashable, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, part: slice) -> Events:
        return Events(
            self.frame[part],
            self.keys[part],
            self.timestamps[part],
            self.known[part],
            self.until[part],
            tuple(holding[part] for holding in self.filters),
        )

    def present(self, column: str | None, where: int) -> NDArray[np.bool_]:
        """Return which events pass a filter and have a value."""
        if column is None or not self.frame[column].null_count():
            return self.filters[where]
        return self._once(
            ("present", column, where),
            lambda: self.filters[where] & self.frame[column].is_not_null().to_numpy(),
        )

    def ones(self, column: str | None, where: int) -> Addends:
        """Return a one for each event that passes a filter and has a value."""
        return self._once(
            ("ones", column, where), lambda: Addends(lambda: [self.present(column, where).astype(np.int64)])
        )

    def holding(self, condition: pl.Expr, where: int) -> Addends:
        """Return a one for each event that passes a filter and for which a condition holds."""
        return Addends(lambda: [(self.filters[where] & holds(self.frame, condition)).astype(np.int64)])

    def digits(self, column: str, where: int) -> Addends:
        """Return the digits of the values of the events that pass a filter."""
        return self._once(
            ("digits", column, where), lambda: self._addends(self.numbers(column), column, where)
        )

    def squares(self, column: str, where: int) -> list[Addends]:
        """Return the digits of three columns whose sum is the squares of the values."""
        return self._once(
            ("squares", column, where),
            lambda: [self._addends(part, column, where) for part in self.numbers(column).squares()],
        )

    def _addends(self, numbers: ExactColumn, column: str, where: int) -> Addends:
        present = self.present(column, where)
        return Addends(
            lambda: (np.where(present, digit, 0) for digit in numbers.digits()), numbers.digit_count
        )

    def numbers(self, column: str) -> ExactColumn:
        """Return the values as exact numbers; 0 where there is none.

        Raises
        ------
        ContractError
            If a value is infinite.
        """
        values = self.frame[column]
        wide = pl.Float64 if values.dtype.is_float() else pl.Int64

        def numbers() -> ExactColumn:
            known = values.fill_null(0) if values.null_count() else values
            try:
                return exact_column(known.cast(wide).to_numpy())
            except ValueError as error:
                raise ContractError(f"a window adds up {column!r}: {error}", hint=FINITE) from error

        return self._once(("numbers", column), numbers)

    def order(self, column: str) -> NDArray[np.int64]:
        """Return the events in the order of their values; of equal values, the later one is last."""

        def ordered() -> NDArray[np.int64]:
            values = self.frame[column]
            if values.dtype.is_numeric() and not values.null_count():
                return np.argsort(values.to_numpy(), kind="stable")
            by_value = self.frame.select(column).with_row_index(_POSITION).sort(column, _POSITION)
            return by_value[_POSITION].to_numpy().astype(np.int64)

        return self._once(("order", column), ordered)

    def ranks(self, column: str) -> NDArray[np.int64]:
        """Return the place of each event in `order`."""

        def ranks() -> NDArray[np.int64]:
            places = np.empty(len(self), dtype=np.int64)
            places[self.order(column)] = np.arange(len(self))
            return places

        return self._once(("ranks", column), ranks)

    def codes(self, column: str) -> NDArray[np.int64]:
        """Return numbers that are the same for the same value of the same key, and for nothing else."""

        def codes() -> NDArray[np.int64]:
            values = without_negative_zero(self.frame[column])
            of_values = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
            return self.keys * (int(of_values.max(initial=0)) + 1) + of_values

        return self._once(("codes", column), codes)

    def hashes(self, column: str) -> NDArray[np.uint64]:
        """Return a hash of each value."""
        return self._once(("hashes", column), lambda: hashes(self.frame[column]))

    def hash_codes(self, column: str) -> NDArray[np.int64]:
        """Return numbers that are the same for the same hash of the same key, and for nothing else."""

        def codes() -> NDArray[np.int64]:
            different, places = np.unique(self.hashes(column), return_inverse=True)
            return self.keys * len(different) + places

        return self._once(("hash codes", column), codes)

    def _once(self, name: Hashable, make: Callable[[], _Made]) -> _Made:
        if name not in self._made:
            self._made[name] = make()
        value: _Made = self._made[name]
        return value


def holds(frame: pl.DataFrame, condition: pl.Expr) -> NDArray[np.bool_]:
    """Return for which events a condition holds: not where it is unknown."""
    return frame.select(condition.fill_null(value=False).alias("holds"))["holds"].to_numpy()
