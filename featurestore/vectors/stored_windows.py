"""Read windowed features from the stored events of a key."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.timing.epoch import MICROSECOND, microseconds
from featurestore.timing.join import Status, status_column
from featurestore.values.event_codec import decode_events
from featurestore.values.plain import from_stored, to_series
from featurestore.windows.one_key import compile_windows
from featurestore.windows.stored_columns import StoredColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView, Selection

PRESENT, NULL, EXPIRED = (s.value for s in (Status.PRESENT, Status.NULL_VALUE, Status.OUTSIDE_MAX_AGE))
_FLOAT32 = struct.Struct("f")


class StoredWindows:
    """The windows of some features of a view, compiled once.

    Parameters
    ----------
    selection
        The features.
    """

    def __init__(self, selection: Selection) -> None:
        view = selection.view
        columns = StoredColumns.of(view.windows)
        self.names = selection.features
        self._windows = compile_windows({name: view.windows[name] for name in self.names}, columns)
        self._declared = [_declared(view, name) for name in self.names]
        self._ttl = None if view.timing.ttl is None else view.timing.ttl // MICROSECOND

    def answer(self, row: bytes | None, now: int) -> tuple[list[Any], list[int], int | None]:
        """Compute the features of a key at a moment, from its stored row.

        Parameters
        ----------
        row
            The stored row; None: the key has no events.
        now
            The moment, in microseconds since 1970-01-01 UTC.

        Returns
        -------
        tuple
            The values and statuses of the features, and the moment of the newest event.

        Raises
        ------
        StoreError
            If the row cannot be decoded.
        OverflowError
            If a value does not fit into its declared dtype.
        """
        events = decode_events(row)
        newest = events[-1][0] if events else None
        if newest is not None and self._ttl is not None and now - newest > self._ttl:
            return [None] * len(self.names), [EXPIRED] * len(self.names), newest
        values = [window(events, now) for window in self._windows]
        typed = [
            value if value is None or declared is None else declared(value)
            for value, declared in zip(values, self._declared, strict=True)
        ]
        return typed, [NULL if value is None else PRESENT for value in typed], newest


def read_stored_windows(selection: Selection, rows: Sequence[bytes | None], as_of: datetime) -> pl.DataFrame:
    """Compute the features of each stored row, and the status of each, as `featurestore.timing.join.read_at` does."""
    windows, now = StoredWindows(selection), microseconds(as_of)
    answers = [windows.answer(row, now) for row in rows]
    schema = selection.view.feature_contract.schema
    values = [
        to_series(name, [values[position] for values, _, _ in answers], schema[name])
        for position, name in enumerate(selection.features)
    ]
    statuses = [
        pl.Series(status_column(name), [statuses[position] for _, statuses, _ in answers], dtype=pl.UInt8)
        for position, name in enumerate(selection.features)
    ]
    return pl.DataFrame([*values, *statuses])


def _declared(view: FeatureView, name: str) -> Callable[[Any], Any] | None:
    """Return what turns a computed value into one of the declared dtype; None: it is one."""
    dtype = view.feature_contract.schema[name]
    if dtype == pl.Float32():
        return lambda value: _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    if dtype == pl.Float64():
        return float  # the sum of no floats is an integer in Python
    if dtype.is_integer() and dtype != pl.Int64():
        number: Any = dtype  # Polars' types do not say that integers have bounds
        least, greatest = (pl.select(bound).item() for bound in (number.min(), number.max()))
        return lambda value: _within(value, least, greatest, f"{view.name}.{name}: {dtype}")
    return from_stored(dtype)


def _within(value: int, least: int, greatest: int, what: str) -> int:
    if not least <= value <= greatest:
        raise OverflowError(f"{what} cannot hold {value}")
    return value
