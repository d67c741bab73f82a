"""Looking up vectors a few rows at a time: from stored bytes to Python values, with no frame between.

A frame costs milliseconds to plan, whatever its height; a lookup has microseconds. The rules are those of
`featurestore.timing`, in integers; tests compare it with the fold over generated histories, and with the frame. A
moment in nanoseconds is cut to Python's microseconds: whoever needs the rest asks for a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from featurestore.definitions.digest import view_digest
from featurestore.errors import StoreError
from featurestore.timing.epoch import microseconds
from featurestore.timing.join import Status, status_column
from featurestore.timing.known_at import MICROSECOND
from featurestore.values.codec import decode_values, encode_key, event_of, is_tombstone
from featurestore.values.plain import from_stored, key_check
from featurestore.vectors.complete import compute
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import Selection
    from featurestore.ports import OnlineStore, ViewState

PRESENT, NULL, NOT_FOUND, EXPIRED = (
    status.value for status in (Status.PRESENT, Status.NULL_VALUE, Status.NOT_FOUND, Status.OUTSIDE_MAX_AGE)
)


class Vectors(msgspec.Struct, frozen=True):
    """What a lookup found: for each row the values and statuses (`Status`) of the features, in the service's order."""

    features: tuple[str, ...]
    values: list[list[Any]]
    statuses: list[list[int]]


@dataclass(frozen=True)
class _Read:
    """One view of a service, ready to be read."""

    selection: Selection
    definition: str
    places: tuple[int, ...]
    ttl: int | None
    convert: tuple[tuple[int, Callable[[Any], Any]], ...]


class VectorReader:
    """Reads the vectors of one service from an online store.

    Parameters
    ----------
    service
        Says what the vector is.
    store
        Where it is read.
    """

    def __init__(self, service: FeatureService, store: OnlineStore) -> None:
        self._service, self._store = service, store
        self._reads = [_ready(selection) for selection in service.reads]
        self._keys = {name: key_check(name, dtype) for name, dtype in service.key_schema.items()}
        stored = [name for read in self._reads for name in read.selection.names]
        # The vector's order: first what is stored, then what is computed; None where the reads are in that order.
        wanted = [name for selection in service.selections for name in selection.names]
        self._order = None if wanted == stored else [stored.index(name) for name in wanted]
        self._stored = stored

    def read(self, rows: Sequence[Mapping[str, Any]], *, moment: datetime) -> Vectors:
        """Look up rows given as keys and request values.

        Raises
        ------
        ContractError
            If a key is missing or of another type.
        MissingDataError
            If a view is not materialized.
        SkewError
            If the store was written by another definition, or is ahead of `moment`.
        """
        given = {name: [check(row.get(name, ...)) for row in rows] for name, check in self._keys.items()}
        keys = [
            [encode_key(key) for key in zip(*(given[name] for name in read.selection.keys), strict=True)]
            for read in self._reads
        ]
        values, statuses = self.stored(keys, len(rows), moment=moment)
        if self._service.on_demand:
            self._compute(rows, values, statuses)
        elif self._order is not None:
            values = [[row[i] for i in self._order] for row in values]
            statuses = [[row[i] for i in self._order] for row in statuses]
        return Vectors(self._service.feature_names, values, statuses)

    def stored(
        self, keys: Sequence[Sequence[bytes]], height: int, *, moment: datetime
    ) -> tuple[list[list[Any]], list[list[int]]]:
        """Look up encoded keys, for each of ``service.reads`` one for each row: values and statuses by row, in that order."""
        now = microseconds(moment)
        found = self._store.read([(r.selection.view.name, k) for r, k in zip(self._reads, keys, strict=True)])
        values: list[list[Any]] = [[] for _ in range(height)]
        statuses: list[list[int]] = [[] for _ in range(height)]
        for read, (state, rows) in zip(self._reads, found, strict=True):
            _require(read, state, now, moment)
            for row, into, said in zip(rows, values, statuses, strict=True):
                some, status = _answer(read, row, now)
                into.extend(some)
                said.extend(status)
        return values, statuses

    def _compute(
        self, rows: Sequence[Mapping[str, Any]], values: list[list[Any]], statuses: list[list[int]]
    ) -> None:
        service = self._service
        schema = {**dict(service.key_schema), **dict(service.request_schema)}
        dtypes = {
            name: read.selection.view.contract[feature].dtype
            for read in self._reads
            for name, feature in zip(read.selection.names, read.selection.features, strict=True)
        }
        columns = {name: [row.get(name) for row in rows] for name in schema}
        columns |= {name: [row[i] for row in values] for i, name in enumerate(self._stored)}
        inputs = pl.DataFrame(columns, schema={**schema, **dtypes})
        order = self._order if self._order is not None else list(range(len(self._stored)))
        made = [
            (
                frame.select(view.feature_names).rows(),
                frame.select(map(status_column, view.feature_names)).rows(),
            )
            for view in service.on_demand
            for frame in [compute(view, inputs.select(view.input_schema.names()))]
        ]
        for i in range(len(rows)):
            values[i] = [values[i][place] for place in order] + [v for found, _ in made for v in found[i]]
            statuses[i] = [statuses[i][place] for place in order] + [s for _, said in made for s in said[i]]


def _answer(read: _Read, row: bytes | None, now: int) -> tuple[list[Any], list[int]]:
    width = len(read.places)
    if row is None or is_tombstone(row):
        return [None] * width, [NOT_FOUND] * width
    if read.ttl is not None and now - event_of(row) > read.ttl:
        return [None] * width, [EXPIRED] * width
    held = decode_values(row)
    try:
        some = [held[place] for place in read.places]
    except IndexError:
        raise StoreError(
            f"a stored row of view {read.selection.view.name!r} is not of its schema", hint="materialize anew"
        ) from None
    for place, convert in read.convert:
        if some[place] is not None:
            some[place] = convert(some[place])
    return some, [NULL if value is None else PRESENT for value in some]


def _ready(selection: Selection) -> _Read:
    view = selection.view
    names = list(view.feature_names)
    conversions = [from_stored(view.contract[name].dtype) for name in selection.features]
    ttl = view.timing.ttl
    return _Read(
        selection=selection,
        definition=view_digest(view),
        places=tuple(names.index(name) for name in selection.features),
        ttl=None if ttl is None else ttl // MICROSECOND,
        convert=tuple((i, convert) for i, convert in enumerate(conversions) if convert is not None),
    )


def _require(read: _Read, state: ViewState | None, now: int, moment: datetime) -> None:
    if state is None or state.definition != read.definition or state.watermark > now:
        check_state(read.selection.view, state, moment)
