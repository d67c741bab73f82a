"""Looking up vectors a few rows at a time: from stored bytes to Python values, with no frame between.

A frame costs milliseconds to plan, whatever its height; a lookup has microseconds. The rules are those of
`featurestore.timing`, in integers; tests compare it with the fold over generated histories, and with the frame. A
moment in nanoseconds is cut to Python's microseconds: whoever needs the rest asks for a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from featurestore.definitions.call import reason
from featurestore.definitions.digest import view_digest
from featurestore.errors import ContractError, StoreError
from featurestore.timing.epoch import microseconds
from featurestore.timing.join import Status
from featurestore.timing.known_at import MICROSECOND
from featurestore.values.codec import encode_key, is_tombstone, open_row
from featurestore.values.plain import from_stored, key_check
from featurestore.vectors.complete import compute
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import Selection
    from featurestore.definitions.on_demand import OnDemandFeatureView
    from featurestore.ports import RowReader, ViewState

PRESENT, NULL, NOT_FOUND, EXPIRED = (
    status.value for status in (Status.PRESENT, Status.NULL_VALUE, Status.NOT_FOUND, Status.OUTSIDE_MAX_AGE)
)


class Vectors(msgspec.Struct, frozen=True):
    """What a lookup found, by row.

    Attributes
    ----------
    features
        Names of the vector, in the service's order.
    values, statuses
        For each row one value and one `Status` for each feature.
    views
        Names (or aliases) of the views that were read.
    events
        For each view the event timestamp of what it answered each row, in microseconds since 1970 (UTC); None: no row.
    """

    features: tuple[str, ...]
    values: list[list[Any]]
    statuses: list[list[int]]
    views: tuple[str, ...]
    events: list[list[int | None]]


@dataclass(frozen=True)
class _Read:
    """One view of a service, ready to be read."""

    selection: Selection
    definition: str
    key_of: Callable[[Sequence[Any]], tuple[Any, ...]]
    places: tuple[int, ...] | None  # None: all features, in order
    stored_width: int
    all_present: list[int]
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
    check
        Called with the rows before they are looked up; raises where their values may not be asked with.
    """

    def __init__(
        self,
        service: FeatureService,
        store: RowReader,
        *,
        check: Callable[[Sequence[Sequence[Any]]], None] | None = None,
    ) -> None:
        self._service, self._store, self._check = service, store, check
        self.columns = (*service.key_schema, *service.request_schema)
        self._reads = [_ready(selection, self.columns) for selection in service.reads]
        self._keys = {name: key_check(name, dtype) for name, dtype in service.key_schema.items()}
        stored = [name for read in self._reads for name in read.selection.names]
        # The vector's order: first what is stored, then what is computed; None where the reads are in that order.
        wanted = [name for selection in service.selections for name in selection.names]
        self._order = None if wanted == stored else [stored.index(name) for name in wanted]
        self._features = service.feature_names
        self._views = tuple(selection.label for selection in service.reads)
        self._computed = [_Computed.of(view, self.columns, stored) for view in service.on_demand]

    def read(self, rows: Sequence[Mapping[str, Any]], *, moment: datetime) -> Vectors:
        """Look up rows given as keys and request values.

        Raises
        ------
        ContractError
            If a key is missing or of another type, or a request value is of another type or breaks its contract.
        MissingDataError
            If a view is not materialized.
        SkewError
            If the store was written by another definition, or is ahead of `moment`.
        """
        requested = self.columns[len(self._keys) :]
        checked = [
            (
                *(check(row.get(name, ...)) for name, check in self._keys.items()),
                *map(row.get, requested),
            )
            for row in rows
        ]
        return self.read_checked(checked, moment=moment)

    def read_checked(self, rows: Sequence[Sequence[Any]], *, moment: datetime) -> Vectors:
        """Look up rows whose values are known to be of their dtypes, each in the order of `columns`."""
        if self._check is not None:
            self._check(rows)
        keys = [[encode_key(read.key_of(row)) for row in rows] for read in self._reads]
        values, statuses, events = self.stored(keys, len(rows), moment=moment)
        computed = [view.compute(rows, values) for view in self._computed]
        if self._order is not None:
            values = [[row[i] for i in self._order] for row in values]
            statuses = [[row[i] for i in self._order] for row in statuses]
        for found in computed:
            for into, said, some in zip(values, statuses, found, strict=True):
                into.extend(some)
                said.extend([NULL if value is None else PRESENT for value in some])
        return Vectors(self._features, values, statuses, self._views, events)

    def stored(
        self, keys: Sequence[Sequence[bytes]], height: int, *, moment: datetime
    ) -> tuple[list[list[Any]], list[list[int]], list[list[int | None]]]:
        """Look up encoded keys, for each of ``service.reads`` one for each row.

        Returns values and statuses by row, in the order of the reads, and event timestamps by read.
        """
        now = microseconds(moment)
        found = self._store.read([(r.selection.view.name, k) for r, k in zip(self._reads, keys, strict=True)])
        values: list[list[Any]] = [[] for _ in range(height)]
        statuses: list[list[int]] = [[] for _ in range(height)]
        events: list[list[int | None]] = []
        for read, (state, rows) in zip(self._reads, found, strict=True):
            _require(read, state, now, moment)
            events.append(_answer(read, rows, now, into=values, said=statuses))
        return values, statuses, events


@dataclass(frozen=True)
class _Computed:
    """One on-demand view of a service: where its inputs lie in a row of the request, then in what is stored."""

    view: OnDemandFeatureView
    schema: pl.Schema
    given: dict[str, int]
    stored: dict[str, int]

    @classmethod
    def of(cls, view: OnDemandFeatureView, columns: Sequence[str], stored: Sequence[str]) -> _Computed:
        schema = view.input_schema
        requested = {name: columns.index(name) for name in view.request.schema}
        read = {name: stored.index(name) for name in schema if name not in requested}
        return cls(view, schema, requested, read)

    def compute(self, rows: Sequence[Sequence[Any]], values: list[list[Any]]) -> list[tuple[Any, ...]]:
        columns = {name: [row[i] for row in rows] for name, i in self.given.items()}
        columns |= {name: [row[i] for row in values] for name, i in self.stored.items()}
        try:
            inputs = pl.DataFrame(columns, schema=self.schema)
        except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
            wanted = ", ".join(f"{name} as {self.schema[name]}" for name in self.given)
            raise ContractError(
                f"a request value for on-demand view {self.view.name!r} is of another type: {reason(error)}",
                hint=f"give {wanted}",
            ) from error
        return compute(self.view, inputs).rows()


def _answer(
    read: _Read, rows: Sequence[bytes | None], now: int, *, into: list[list[Any]], said: list[list[int]]
) -> list[int | None]:
    """Add what a view answers to the values and statuses of each row; returns the event timestamps."""
    width, places, present = read.stored_width, read.places, read.all_present
    oldest = None if read.ttl is None else now - read.ttl
    events: list[int | None] = []
    for row, values, statuses in zip(rows, into, said, strict=True):
        if row is None or is_tombstone(row):
            values.extend([None] * len(present))
            statuses.extend([NOT_FOUND] * len(present))
            events.append(None)
            continue
        event, some = open_row(row)
        events.append(event)
        if oldest is not None and event < oldest:
            values.extend([None] * len(present))
            statuses.extend([EXPIRED] * len(present))
            continue
        if len(some) != width:
            raise StoreError(
                f"a stored row of view {read.selection.view.name!r} is not of its schema",
                hint="materialize anew",
            )
        if places is not None:
            some = [some[place] for place in places]
        for place, convert in read.convert:
            if some[place] is not None:
                some[place] = convert(some[place])
        values.extend(some)
        statuses.extend([NULL if value is None else PRESENT for value in some] if None in some else present)
    return events


def _ready(selection: Selection, columns: Sequence[str]) -> _Read:
    view = selection.view
    names = list(view.feature_names)
    conversions = [from_stored(view.contract[name].dtype) for name in selection.features]
    ttl = view.timing.ttl
    places = [columns.index(key) for key in selection.keys]
    single = places[0]
    return _Read(
        selection=selection,
        definition=view_digest(view),
        key_of=itemgetter(*places) if len(places) > 1 else lambda row: (row[single],),
        places=None
        if selection.features == view.feature_names
        else tuple(map(names.index, selection.features)),
        stored_width=len(names),
        all_present=[PRESENT] * len(selection.features),
        ttl=None if ttl is None else ttl // MICROSECOND,
        convert=tuple((i, convert) for i, convert in enumerate(conversions) if convert is not None),
    )


def _require(read: _Read, state: ViewState | None, now: int, moment: datetime) -> None:
    if state is None or state.definition != read.definition or state.watermark > now:
        check_state(read.selection.view, state, moment)
