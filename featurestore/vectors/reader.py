"""Look up vectors, a few rows at a time: from stored bytes to Python values without a frame.

Planning a frame takes milliseconds at any height, and a lookup has microseconds. The rules are
those of `featurestore.timing`, applied to integers. Tests compare the reader with the fold over
generated histories, and with the frame. Timestamps are in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.errors import ConfigError, ContractError, StoreError
from featurestore.ports import ViewState
from featurestore.timing.epoch import MICROSECOND, microseconds
from featurestore.timing.join import Status
from featurestore.values.accepted import value_check
from featurestore.values.codec import encode_key, open_row, require_intact
from featurestore.values.html_table import html_table
from featurestore.values.plain import from_stored
from featurestore.values.wording import counted
from featurestore.vectors.computed import Computed
from featurestore.vectors.fitted_steps import FittedSteps
from featurestore.vectors.state import check_state
from featurestore.vectors.stored_windows import StoredWindows, until_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import Selection
    from featurestore.ports import RowReader, StoredRows, ViewKeys
    from featurestore.storage.layout import Layout

PRESENT, NULL, NOT_FOUND, EXPIRED = (
    status.value for status in (Status.PRESENT, Status.NULL_VALUE, Status.NOT_FOUND, Status.OUTSIDE_MAX_AGE)
)


class Vectors(msgspec.Struct, frozen=True):
    """The vectors that a lookup returns.

    Attributes
    ----------
    features
        Names of the features, in the order of the service.
    values, statuses
        For each row, one value and one `Status` for each feature.
    views
        Names (or aliases) of the views that were read.
    events
        For each view, the event timestamp of the stored row that answers each row, in microseconds
        since 1970-01-01 UTC. None: no stored row.
    states
        For each view, the state of the store that answered.
    """

    features: tuple[str, ...]
    values: list[list[Any]]
    statuses: list[list[int]]
    views: tuple[str, ...]
    events: list[list[int | None]]
    states: list[ViewState]

    def _repr_html_(self) -> str:
        rows = [
            (number, name, value, Status(status).name)
            for number, (values, statuses) in enumerate(zip(self.values, self.statuses, strict=True))
            for name, value, status in zip(self.features, values, statuses, strict=True)
        ]
        return html_table(counted(len(self.values), "vector"), ("row", "feature", "value", "status"), rows)


@dataclass(frozen=True)
class _Read:
    """One view of a service, prepared for reads."""

    selection: Selection
    key_of: Callable[[Sequence[Any]], tuple[Any, ...]]
    positions: tuple[int, ...] | None  # None: all features, in the order stored
    stored_width: int
    all_present: list[int]
    ttl: int | None
    convert: tuple[tuple[int, Callable[[Any], Any]], ...]
    windows: StoredWindows | None  # None: the stored rows are features


class VectorReader:
    """Reads the vectors of one service from an online store.

    Parameters
    ----------
    service
        Defines the vector.
    store
        The store that holds the rows.
    check
        Called with the rows before they are looked up. It raises if a value breaks the request's
        contract.
    layout
        Where the fingerprints of former definitions are kept, so that a refusal names what differs.
    """

    def __init__(
        self,
        service: FeatureService,
        store: RowReader,
        *,
        check: Callable[[Sequence[Sequence[Any]]], None] | None = None,
        layout: Layout | None = None,
    ) -> None:
        self._service, self._store, self._check = service, store, check
        self._layout = layout
        self.columns = (*service.key_schema, *service.request_schema)
        self._reads = [_ready(selection, self.columns) for selection in service.reads]
        # Views of the same entity have the same keys.
        keys_of = {read.selection.keys: read.key_of for read in self._reads}
        self._keys_of = [*keys_of.values()]
        self._wanted = [
            (read.selection.view.name, [*keys_of].index(read.selection.keys)) for read in self._reads
        ]
        # Whether one read of the store answers; windows read older events after it.
        self.reads_once = all(read.windows is None for read in self._reads)
        # The states that were accepted last, and the newest watermark of them.
        self._accepted: tuple[list[ViewState], int] = [], 0
        self._keys = {name: value_check("key", name, dtype) for name, dtype in service.key_schema.items()}
        self._requested = {
            name: value_check("request value", name, dtype) for name, dtype in service.request_schema.items()
        }
        stored = [name for read in self._reads for name in read.selection.names]
        # The vector has stored features first, then computed ones. None: the reads are in that order already.
        ordered = [name for selection in service.selections for name in selection.names]
        self._order = None if ordered == stored else [stored.index(name) for name in ordered]
        self._features = service.feature_names
        self._fitted = None if service.fitted is None else FittedSteps(service)
        self._views = tuple(selection.label for selection in service.reads)
        self._computed = [Computed.of(view, self.columns, stored) for view in service.on_demand]

    def read(self, rows: Sequence[Mapping[str, Any]], *, as_of: datetime) -> Vectors:
        """Look up the vectors of rows of keys and request values.

        Parameters
        ----------
        rows
            For each vector, the entity keys and request values by name.
        as_of
            The timestamp at which expiry is decided, with a time zone.

        Raises
        ------
        ContractError
            If a row is not a dictionary, a key is missing or has a wrong type, or a request value has a wrong type or breaks
            its contract.
        ConfigError
            If `as_of` is not a datetime with a time zone.
        MissingDataError
            If a view is not materialized.
        SkewError
            If the store was written by another definition, or is ahead of `as_of`.
        StoreError
            If the store does not answer, or a stored row is damaged.
        """
        if not isinstance(as_of, datetime) or as_of.tzinfo is None:
            raise ConfigError(
                f"read: as_of is {as_of!r}; expected a datetime with a time zone",
                hint="write datetime.now(UTC), or datetime(2026, 1, 31, tzinfo=UTC)",
            )
        try:
            checked = [
                (
                    *(check(row.get(name, ...)) for name, check in self._keys.items()),
                    *(check(row.get(name)) for name, check in self._requested.items()),
                )
                for row in rows
            ]
        except (AttributeError, TypeError):
            _require_dictionaries(rows)
            raise
        return self.read_checked(checked, as_of=as_of)

    def read_checked(self, rows: Sequence[Sequence[Any]], *, as_of: datetime) -> Vectors:
        """Look up rows in the order of `columns`, whose values have the declared types already."""
        wanted = self.wanted(rows)
        if self.reads_once:
            return self.vectors(rows, wanted, self._store.read(wanted), as_of=as_of)
        return until_unchanged(lambda: self.vectors(rows, wanted, self._store.read(wanted), as_of=as_of))

    def wanted(self, rows: Sequence[Sequence[Any]]) -> list[tuple[str, list[bytes]]]:
        """Check rows in the order of `columns`; return the keys to read from the store, by view."""
        if self._check is not None:
            self._check(rows)
        keys = [list(map(encode_key, map(key_of, rows))) for key_of in self._keys_of]
        return [(view, keys[place]) for view, place in self._wanted]

    def vectors(
        self, rows: Sequence[Sequence[Any]], wanted: ViewKeys, answers: StoredRows, *, as_of: datetime
    ) -> Vectors:
        """Return the vectors of rows from what the store answered for `wanted`."""
        values, statuses, events, states = self._stored(wanted, answers, len(rows), as_of)
        computed = [view.compute(rows, values) for view in self._computed] if self._computed else ()
        if self._order is not None:
            values = [[row[i] for i in self._order] for row in values]
            statuses = [[row[i] for i in self._order] for row in statuses]
        for features in computed:
            for row, row_statuses, more in zip(values, statuses, features, strict=True):
                row.extend(more)
                row_statuses.extend(_statuses(more) if None in more else [PRESENT] * len(more))
        if self._fitted is not None:
            values, statuses = self._fitted.apply(values, statuses)
        return Vectors(self._features, values, statuses, self._views, events, states)

    def _stored(
        self, wanted: ViewKeys, answers: StoredRows, height: int, as_of: datetime
    ) -> tuple[list[list[Any]], list[list[int]], list[list[int | None]], list[ViewState]]:
        """Return values and statuses by row, in the order of the reads; event timestamps and states by read."""
        now = microseconds(as_of)
        states = self._checked_states([state for state, _ in answers], now, as_of)
        values: list[list[Any]] = [[] for _ in range(height)]
        statuses: list[list[int]] = [[] for _ in range(height)]
        events: list[list[int | None]] = []
        for read, (_, keys), (_, rows) in zip(self._reads, wanted, answers, strict=True):
            if read.windows is None:
                events.append(_answer(read, zip(keys, rows, strict=True), now, values, statuses))
            else:
                require_intact(keys, rows)
                vectors = read.windows.answer(keys, rows, now, self._store)
                events.append(_appended(vectors, values, statuses))
        return values, statuses, events, states

    def _checked_states(self, held: list[ViewState | None], now: int, as_of: datetime) -> list[ViewState]:
        """Refuse a store that cannot answer. States that were accepted are compared only with `as_of`."""
        states, watermark = self._accepted
        if held != states or watermark > now:
            states = [
                check_state(read.selection.view, state, as_of, self._layout)
                for read, state in zip(self._reads, held, strict=True)
            ]
            self._accepted = states, max((state.watermark for state in states), default=now)
        return states


def _answer(
    read: _Read,
    stored: Iterable[tuple[bytes, bytes | None]],
    now: int,
    all_values: list[list[Any]],
    all_statuses: list[list[int]],
) -> list[int | None]:
    """Append the features and statuses of a view to each row, and return the event timestamps."""
    width, positions, present = read.stored_width, read.positions, read.all_present
    oldest = None if read.ttl is None else now - read.ttl
    events: list[int | None] = []
    for (key, row), values, statuses in zip(stored, all_values, all_statuses, strict=True):
        opened = None if row is None else open_row(key, row)
        if opened is None:
            values.extend([None] * len(present))
            statuses.extend([NOT_FOUND] * len(present))
            events.append(None)
            continue
        event, features = opened
        events.append(event)
        if oldest is not None and event < oldest:
            values.extend([None] * len(present))
            statuses.extend([EXPIRED] * len(present))
            continue
        if len(features) != width:
            raise StoreError(
                f"a stored row of view {read.selection.view.name!r} has {len(features)} features, expected {width}",
                hint="run: featurestore materialize --full",
            )
        if positions is not None:
            features = [features[position] for position in positions]
        for position, convert in read.convert:
            if features[position] is not None:
                features[position] = convert(features[position])
        values.extend(features)
        statuses.extend(_statuses(features) if None in features else present)
    return events


def _statuses(features: Sequence[Any]) -> list[int]:
    return [NULL if value is None else PRESENT for value in features]


def _appended(
    answers: Sequence[tuple[list[Any], list[int], int | None]],
    all_values: list[list[Any]],
    all_statuses: list[list[int]],
) -> list[int | None]:
    """As `_answer`, for a view whose stored rows are events."""
    for (features, row_statuses, _), values, statuses in zip(answers, all_values, all_statuses, strict=True):
        values.extend(features)
        statuses.extend(row_statuses)
    return [newest for _, _, newest in answers]


def _ready(selection: Selection, columns: Sequence[str]) -> _Read:
    view = selection.view
    names = list(view.feature_names)
    conversions = [from_stored(view.feature_contract[name].dtype) for name in selection.features]
    ttl = view.timing.ttl
    positions = [columns.index(key) for key in selection.keys]
    first = positions[0] if positions else 0
    return _Read(
        selection=selection,
        # `itemgetter` of one position returns a value and not a row; a view without an entity has no position.
        key_of=itemgetter(*positions)
        if len(positions) > 1
        else itemgetter(slice(first, first + len(positions))),
        positions=None
        if selection.features == view.feature_names
        else tuple(map(names.index, selection.features)),
        stored_width=len(names),
        all_present=[PRESENT] * len(selection.features),
        ttl=None if ttl is None else ttl // MICROSECOND,
        convert=tuple((i, convert) for i, convert in enumerate(conversions) if convert is not None),
        windows=StoredWindows(selection) if view.windows else None,
    )


def _require_dictionaries(rows: object) -> None:
    """Refuse rows of another form; called when they could not be read, so that usual rows are not looked at twice."""
    expected = "expected a list of dictionaries"
    hint = "of one row, write [row]; of a frame of Polars, frame.to_dicts(); `get_online` takes frames, too"
    if not isinstance(rows, list | tuple):
        raise ContractError(f"read: the rows are of type {type(rows).__name__}; {expected}", hint=hint)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise ContractError(f"read: row {number} is of type {type(row).__name__}; {expected}", hint=hint)
