"""Read windowed features from the stored events of keys."""

from __future__ import annotations

import math
import struct
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final, TypeVar

import polars as pl

from featurestore.errors import ContractError, StoreError
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND, microseconds
from featurestore.timing.join import Status, status_column
from featurestore.values.codec import has_null, require_intact, values_of
from featurestore.values.event_codec import EMPTY_HEAD, block_keys, checksum, decode_block, decode_head
from featurestore.values.plain import from_stored, to_series
from featurestore.values.table import UTC_MICROSECONDS, integer_limits
from featurestore.windows.one_key import KeyWindows
from featurestore.windows.open_head import OpenHead
from featurestore.windows.overflow import WindowOverflowError, overflow_hint
from featurestore.windows.stored_columns import StoredColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_view import Selection
    from featurestore.ports import RowReader
    from featurestore.values.event_codec import Block
    from featurestore.windows.walk import Asking, Wanted

    # The row, what computes its windows, and the block that it waits for.
    _Running = tuple[int, Asking, Wanted]

PRESENT, NULL, NOT_FOUND, EXPIRED = (
    status.value for status in (Status.PRESENT, Status.NULL_VALUE, Status.NOT_FOUND, Status.OUTSIDE_MAX_AGE)
)
MAX_READS: Final = 10
MAX_HELD_BYTES: Final = 4 << 20  # of rows and blocks that are kept decoded, as they are stored
OVERHEAD_BYTES: Final = 600  # of the objects that hold a row, or what is put together of it
_FLOAT32 = struct.Struct("f")
_INFINITIES: Final = (math.inf, -math.inf)
_Answer = TypeVar("_Answer")


class RewrittenError(StoreError):
    """The events of a key were rewritten between two reads of one answer: the same call succeeds later."""


def until_unchanged(read: Callable[[], _Answer]) -> _Answer:
    """Return what `read` returns, and call it again while it raises `RewrittenError`.

    Raises
    ------
    RewrittenError
        If the events were rewritten during each of ten calls.
    """
    for _ in range(MAX_READS - 1):
        try:
            return read()
        except RewrittenError:
            continue
    return read()


class StoredWindows:
    """The windows of some features of a view, compiled once.

    Parameters
    ----------
    selection
        The features.
    """

    def __init__(self, selection: Selection) -> None:
        view = selection.view
        self._view, self.names = view, selection.features
        self._windows = KeyWindows(
            view.windows, self.names, StoredColumns.of(view.windows), view.contract.schema
        )
        declared = view.feature_contract.schema
        self._declared = [_declared(declared[name]) for name in self.names]
        self._ttl = None if view.timing.ttl is None else view.timing.ttl // MICROSECOND
        # Rows by key, as they were stored and opened.
        self._rows: dict[bytes, tuple[bytes, OpenHead]] = {}
        # Blocks by key and place. What is stored at a number changes, and with it the checksum: a place never does.
        self._blocks: dict[tuple[bytes, Wanted], Block] = {}
        self._held_bytes = 0

    def answer(
        self, keys: Sequence[bytes], rows: Sequence[bytes | None], now: int, store: RowReader
    ) -> list[tuple[list[Any], list[int], int | None]]:
        """Compute the features of keys at a timestamp, from their stored rows.

        Parameters
        ----------
        keys
            Encoded entity keys.
        rows
            The stored row of each, intact (`featurestore.values.codec.require_intact`); None: the key has no events.
        now
            The timestamp, in microseconds since 1970-01-01 UTC.
        store
            Where the rows are from; older events are read there.

        Returns
        -------
        list
            For each row the values and statuses of the features, and the timestamp of the newest event. A key without
            events has values; a key with a null is `Status.NOT_FOUND`.

        Raises
        ------
        ContractError
            If a value does not fit into its dtype. Names the window.
        RewrittenError
            If a key was rewritten since `rows` were read (`until_unchanged`).
        StoreError
            If a row is damaged or cannot be decoded.
        """
        self._make_room()
        heads = [self._open(key, row) for key, row in zip(keys, rows, strict=True)]
        answers: list[tuple[list[Any], list[int], int | None] | None] = [None] * len(rows)
        computed: list[list[Any]] = []
        running: list[_Running] = []
        for number, opened in enumerate(heads):
            if has_null(keys[number]):  # such a row belongs to no key, as offline
                answers[number] = ([None] * len(self.names), [NOT_FOUND] * len(self.names), None)
                computed.append([])
                continue
            newest = opened.newest
            if newest is not None and self._ttl is not None and now - newest > self._ttl:
                answers[number] = ([None] * len(self.names), [EXPIRED] * len(self.names), newest)
                computed.append([])
                continue
            try:
                values, started = self._windows.start(opened, now)
            except WindowOverflowError as error:
                raise self._too_large(error) from error
            computed.append(values)
            # What is put together of a row takes about as much as the row.
            self._held_bytes += len(started) * (OVERHEAD_BYTES + len(rows[number] or b""))
            for asking in started:
                self._step(number, keys[number], asking, None, running)
        while running:  # one read for each level of blocks, for all keys and windows
            blocks = self._fetched(keys, running, store)
            waiting, running = running, []
            for number, asking, wanted in waiting:
                self._step(number, keys[number], asking, blocks[number, wanted], running)
        return [
            answer or self._typed(values, opened.newest)
            for answer, values, opened in zip(answers, computed, heads, strict=True)
        ]

    def _make_room(self) -> None:
        if self._held_bytes > MAX_HELD_BYTES:
            self._rows.clear()
            self._blocks.clear()
            self._held_bytes = 0

    def _open(self, key: bytes, row: bytes | None) -> OpenHead:
        """Return the row of a key, decoded: as it was left by the last read, if it is the same."""
        if row is None:
            return OpenHead(EMPTY_HEAD)
        held = self._rows.get(key)
        if held is not None and held[0] == row:
            return held[1]
        opened = OpenHead(decode_head(row))
        self._rows[key] = row, opened
        self._held_bytes += OVERHEAD_BYTES + len(row)
        return opened

    def _step(
        self, number: int, key: bytes, asking: Asking, block: Block | None, running: list[_Running]
    ) -> None:
        """Go on to the next block that is not in memory."""
        try:
            wanted = asking.send(block)
            while held := self._blocks.get((key, wanted)):
                wanted = asking.send(held)
        except StopIteration:
            return
        except WindowOverflowError as error:
            raise self._too_large(error) from error
        running.append((number, asking, wanted))

    def _too_large(self, error: WindowOverflowError) -> ContractError:
        return ContractError(f"view {self._view.name!r}: {error}", hint=self._overflow_hint(error.window))

    def _overflow_hint(self, name: str) -> str:
        return overflow_hint(self._view.windows[name], self._view.feature_contract.schema[name])

    def _fetched(
        self, keys: Sequence[bytes], running: Sequence[_Running], store: RowReader
    ) -> dict[tuple[int, Wanted], Block]:
        """Read the blocks that are waited for, and keep them in memory."""
        wanted = list(dict.fromkeys((number, block) for number, _, block in running))
        named = {number: block_keys(keys[number]) for number in {number for number, _ in wanted}}
        stored = [named[number](place[0]) for number, (place, _) in wanted]
        [(_, rows)] = store.read([(self._view.name, stored)])
        blocks: dict[tuple[int, Wanted], Block] = {}
        self._make_room()
        for (number, block), row in zip(wanted, rows, strict=True):
            place, is_leaf = block
            content = b"" if row is None else values_of(row)
            if checksum(content) != place[1]:
                require_intact(stored, rows)
                raise RewrittenError(
                    f"view {self._view.name!r}: the events of a key were rewritten while they were read",
                    hint="try again; if it does not pass, run: featurestore materialize --full",
                    retry=True,
                )
            decoded = decode_block(content, is_leaf=is_leaf)
            blocks[number, block] = self._blocks[keys[number], block] = decoded
            self._held_bytes += len(content)
        return blocks

    def _typed(self, values: list[Any], newest: int | None) -> tuple[list[Any], list[int], int | None]:
        try:
            for position, declared in enumerate(self._declared):
                if declared is not None and values[position] is not None:
                    values[position] = declared(values[position])
        except OverflowError as error:
            name = self.names[position]
            raise ContractError(
                f"view {self._view.name!r}, feature {name!r}: {error}",
                hint=self._overflow_hint(name),
            ) from error
        return (
            values,
            [NULL if value is None else PRESENT for value in values],
            newest,
        )


def read_stored_windows(
    selection: Selection,
    store: RowReader,
    keys: Sequence[bytes],
    rows: Sequence[bytes | None],
    as_of: datetime,
) -> pl.DataFrame:
    """Compute the features of each stored row, and the status of each, as `featurestore.timing.join.read_at` does.

    Returns
    -------
    pl.DataFrame
        The features, their statuses, and ``event_timestamp``: the newest event of the key.
    """
    answers = StoredWindows(selection).answer(keys, rows, microseconds(as_of), store)
    schema = selection.view.feature_contract.schema
    values = [
        to_series(name, [values[position] for values, _, _ in answers], schema[name])
        for position, name in enumerate(selection.features)
    ]
    statuses = [
        pl.Series(status_column(name), [statuses[position] for _, statuses, _ in answers], dtype=pl.UInt8)
        for position, name in enumerate(selection.features)
    ]
    newest = pl.Series(EVENT_TIMESTAMP, [newest for _, _, newest in answers], dtype=pl.Int64)
    return pl.DataFrame([*values, *statuses, newest.cast(UTC_MICROSECONDS)])


def _declared(dtype: pl.DataType) -> Callable[[Any], Any] | None:
    """Return what turns a computed value into one of the declared dtype; None: it is one."""
    if dtype == pl.Float32():
        return _single
    if dtype.is_integer() and dtype != pl.Int64():
        low, high = integer_limits(dtype)
        return lambda value: _within(value, low, high, dtype)
    # A list may be that of a block that stays in memory, and callers may change what they get.
    copied = deepcopy if isinstance(dtype, pl.List | pl.Array) else None
    return from_stored(dtype) or copied


def _single(value: float) -> float:
    rounded: float = _FLOAT32.unpack(_FLOAT32.pack(value))[0]
    if rounded in _INFINITIES and value not in _INFINITIES:
        raise OverflowError(f"{value!r} does not fit into Float32")
    return rounded


def _within(value: int, low: int, high: int, dtype: pl.DataType) -> int:
    if not low <= value <= high:
        raise OverflowError(f"{value:,} does not fit into {dtype}")
    return value
