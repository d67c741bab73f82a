"""Feast's wire format: a client of Feast's feature server only has to change its URL.

The format is that of Feast 0.67's server; the tests compare both. Timestamps are whole seconds since 1970, features
are columns, and statuses are names.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from featurestore.errors import ContractError
from featurestore.timing.epoch import timestamp_of
from featurestore.timing.join import Status
from featurestore.values.feast_wire import PLACEHOLDER_KEY, to_wire
from featurestore.values.json_rows import JsonColumn, row_count
from featurestore.values.names import undeclared
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.vectors.reader import Vectors

NAMES: Final = {status.value: status.name for status in Status}
NO_EVENT: Final = "1970-01-01T00:00:00Z"
# Finding a feature takes microseconds, and a name may be repeated.
MAX_FEATURES: Final = 5_000
PUSHED: Final = ("online", "online_and_offline")
_ENCODER: Final = msgspec.json.Encoder()
_encode: Final = _ENCODER.encode
_encode_lines: Final = _ENCODER.encode_lines


class OnlineRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for features of entities. Entities are columns.

    Attributes
    ----------
    features
        Names such as ``view:feature``. A request has either `features` or `feature_service`.
    """

    entities: dict[str, list[Any]]
    feature_service: str | None = None
    features: Annotated[list[str], Meta(max_length=MAX_FEATURES)] = []
    full_feature_names: bool = False
    include_feature_view_version_metadata: bool = False


class PushRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Rows to push to a feature view, as columns. They always reach training and serving.

    Attributes
    ----------
    push_source_name
        The feature view.
    to
        ``online`` or ``online_and_offline``; both mean the same here. The server refuses ``offline``.
    """

    push_source_name: str
    df: dict[str, list[Any]]
    to: str = "online"
    allow_registry_cache: bool = True
    transform_on_write: bool = True


class WriteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that Feast's remote online store writes. The server handles them as a push."""

    feature_view_name: str
    df: dict[str, list[Any]]
    allow_registry_cache: bool = True
    transform_on_write: bool = True


class FeatureColumn(msgspec.Struct, frozen=True):
    """One feature of all rows. A missing event has the timestamp 1970-01-01T00:00:00Z."""

    values: Sequence[Any]
    statuses: list[str]
    event_timestamps: list[str]


class Metadata(msgspec.Struct, frozen=True):
    """Names of the columns."""

    feature_names: list[str]


class OnlineResponse(msgspec.Struct, frozen=True):
    """The columns of the entity keys, followed by the columns of the features."""

    results: list[FeatureColumn]
    metadata: Metadata


class Wire:
    """Converts Feast's columns to rows of a service, and vectors to Feast's columns."""

    def __init__(self, service: FeatureService, columns: Sequence[str]) -> None:
        schema = {**service.key_schema, **service.request_schema}
        self._where = f"entities for {service.title}"
        self._columns = {name: JsonColumn(self._where, name, schema[name]) for name in columns}
        self._keys = len(service.key_schema)
        self._has_view_without_key = any(not selection.keys for selection in service.reads)
        origin = {name: selection.label for selection in service.selections for name in selection.names}
        views = [selection.label for selection in service.reads]
        schema = service.feature_schema
        # A computed feature has no view: its timestamps follow those of all views.
        self._views = [views.index(origin[name]) if name in origin else -1 for name in schema]
        # Neighbours of one view have the same timestamps.
        self._neighbours = [(view, len(list(columns))) for view, columns in groupby(self._views)]
        conversions = [to_wire(name, dtype) for name, dtype in schema.items()]
        self._converted = [(i, convert) for i, convert in enumerate(conversions) if convert is not None]
        self._all_present = [Status.PRESENT.value] * len(schema)
        keys, names, full = list(service.key_schema), service.feature_names, service.full_names
        self._names = _encode(Metadata([*keys, *names]))
        self._full_names = _encode(Metadata([*keys, *(full[name] for name in names)]))

    def rows(self, columns: dict[str, list[Any]], *, limit: int) -> list[tuple[Any, ...]]:
        """Convert the columns of a request to rows, with values in the order of the reader's columns.

        If the service needs no columns, a request without columns asks for one row, and one with
        `PLACEHOLDER_KEY` for as many rows as that has values.

        Raises
        ------
        ContractError
            If a column is missing, unknown or of another length, has a value of another type, or there are more than
            `limit` rows.
        """
        wanted = self._columns
        height = row_count(self._where, columns) if columns or wanted else 1
        if self._has_view_without_key:
            columns = {name: values for name, values in columns.items() if name != PLACEHOLDER_KEY}
        if columns.keys() != wanted.keys():
            missing = [name for name in wanted if name not in columns]
            unknown = [name for name in columns if name not in wanted]
            fault = (
                f"lack {', '.join(map(repr, missing))}"
                if missing
                else f"{undeclared(unknown, wanted)} not needed"
            )
            needed = ", ".join(wanted) or "no columns"
            raise ContractError(f"{self._where}: {fault}", hint=f"needed are {needed}")
        if height > limit:
            raise ContractError(
                f"{self._where}: {counted(height, 'row')}; the limit is {limit:,}",
                hint="send several smaller requests",
            )
        if not wanted:
            return [()] * height
        return list(zip(*(column.read(columns[name]) for name, column in wanted.items()), strict=True))

    def answer(self, vectors: Vectors, rows: Sequence[Sequence[Any]], *, full_names: bool) -> bytes:
        """Encode vectors as the JSON of an `OnlineResponse`.

        Raises
        ------
        ContractError
            If a timestamp has a fraction of a second, which Feast's wire cannot carry.
        """
        height = len(rows)
        names = self._full_names if full_names else self._names
        if not self._keys + len(self._views):
            return b'{"results":[],"metadata":%b}' % names
        # A row alone is the values of its columns.
        values: list[Any] = [
            *(rows[0] if height == 1 else _turned(rows, len(self._columns)))[: self._keys],
            *(vectors.values[0] if height == 1 else _turned(vectors.values, len(self._views))),
        ]
        for position, convert in self._converted:
            place = position + self._keys
            column = values[place : place + 1] if height == 1 else values[place]
            converted = [None if value is None else convert(value) for value in column]
            values[place] = converted[0] if height == 1 else converted
        layout = _layout(height)
        parts = [layout.begin]
        first = 0
        for end, count in self._ends(vectors, layout, height):
            # A line of JSON for each column: JSON has no line break inside, so its end can take the place of one.
            parts.append(_encode_lines(values[first : first + count]).replace(b"\n", end))
            first += count
        return b'{"results":[%b}],"metadata":%b}' % (b"".join(parts).removesuffix(layout.next), names)

    def _ends(self, vectors: Vectors, layout: _Layout, height: int) -> list[tuple[bytes, int]]:
        """Return what follows the values of a column, statuses and timestamps; and how many neighbours share it."""
        present, nothing = layout.present, layout.nothing
        stamps = [
            _encode([NO_EVENT if event is None else timestamp_of(event) for event in events]) + layout.next
            for events in vectors.events
        ]
        stamps.append(nothing)
        keys = (present + nothing, self._keys)
        if vectors.statuses.count(self._all_present) == height:
            return [keys, *[(present + stamps[view], count) for view, count in self._neighbours]]
        ends: dict[tuple[tuple[int, ...], int], bytes] = {}

        def end(statuses: tuple[int, ...], view: int) -> bytes:
            if (statuses, view) not in ends:
                names = _encode([NAMES[status] for status in statuses])
                ends[statuses, view] = layout.middle % names + stamps[view]
            return ends[statuses, view]

        columns = _turned(vectors.statuses, len(self._views))
        return [keys, *((end(*column), 1) for column in zip(columns, self._views, strict=True))]


class _Layout(NamedTuple):
    """The JSON around the values of a column, by the number of rows. A single value is encoded without brackets.

    Attributes
    ----------
    begin
        Before the values of the first column.
    middle
        After the values of a column: its statuses go in it.
    next
        After the timestamps of a column: the beginning of the next.
    present, nothing
        After the values of a column of rows that are present; and timestamps where there is no event, with `next`.
    """

    begin: bytes
    middle: bytes
    next: bytes
    present: bytes
    nothing: bytes


@lru_cache(maxsize=64)
def _layout(height: int) -> _Layout:
    left, right = (b"[", b"]") if height == 1 else (b"", b"")
    begin = b'{"values":' + left
    middle = right + b',"statuses":%b,"event_timestamps":'
    next_column = b"}," + begin
    present = middle % _encode([Status.PRESENT.name] * height)
    return _Layout(begin, middle, next_column, present, _encode([NO_EVENT] * height) + next_column)


def _turned(rows: Sequence[Sequence[Any]], width: int) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width
