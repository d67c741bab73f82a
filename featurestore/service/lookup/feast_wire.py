"""Feast's wire format: a client of Feast's feature server only has to change its URL.

The format is that of Feast 0.67's server; the tests compare both. Timestamps are whole seconds since 1970, features
are columns, and statuses are names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.service.lookup.request_types import json_type
from featurestore.timing.epoch import in_utc, timestamp_of
from featurestore.timing.join import Status
from featurestore.values.feast_wire import from_seconds, to_wire
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.vectors.reader import Vectors

NAMES: Final = {status.value: status.name for status in Status}
NO_EVENT: Final = "1970-01-01T00:00:00Z"
PUSHED: Final = ("online", "online_and_offline")


class OnlineRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for features of entities. Entities are columns.

    Attributes
    ----------
    features
        Names such as ``view:feature``. A request has either `features` or `feature_service`.
    """

    entities: dict[str, list[Any]]
    feature_service: str | None = None
    features: list[str] = []
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
        self._where = f"entities for {service.name!r}"
        self._columns = {name: Column(self._where, name, schema[name]) for name in columns}
        self._keys = len(service.key_schema)
        origin = {name: selection.label for selection in service.selections for name in selection.names}
        views = [selection.label for selection in service.reads]
        self._features = [
            (views.index(origin[name]) if name in origin else None, to_wire(name, dtype))
            for name, dtype in service.feature_schema.items()
        ]
        keys, names, full = list(service.key_schema), service.feature_names, service.full_names
        self._names = Metadata([*keys, *names])
        self._full_names = Metadata([*keys, *(full[name] for name in names)])

    def rows(self, columns: dict[str, list[Any]], *, limit: int) -> list[tuple[Any, ...]]:
        """Convert the columns of a request to rows, with values in the order of the reader's columns.

        Raises
        ------
        ContractError
            If a column is missing, unknown or of another length, has a value of another type, or there are more than
            `limit` rows.
        """
        wanted = self._columns
        if columns.keys() != wanted.keys():
            missing = [name for name in wanted if name not in columns]
            unknown = [name for name in columns if name not in wanted]
            fault = f"lack {', '.join(map(repr, missing))}" if missing else f"{unknown[0]!r} is not needed"
            raise ContractError(f"{self._where}: {fault}", hint=f"needed are {', '.join(wanted)}")
        height = _height(self._where, columns)
        if height > limit:
            raise ContractError(
                f"{self._where}: {height:,} rows; the limit is {limit:,}",
                hint="send several smaller requests",
            )
        return list(zip(*(column.read(columns[name]) for name, column in wanted.items()), strict=True))

    def answer(self, vectors: Vectors, rows: Sequence[Sequence[Any]], *, full_names: bool) -> OnlineResponse:
        """Convert vectors to Feast's columns.

        Raises
        ------
        ContractError
            If a timestamp has a fraction of a second, which Feast's wire cannot carry.
        """
        height = len(rows)
        # The timestamps of a view and equal statuses are encoded once: many columns share them.
        nothing = _encoded([NO_EVENT] * height)
        stamps = [
            _encoded([NO_EVENT if event is None else timestamp_of(event) for event in events])
            for events in vectors.events
        ]
        encoded: dict[tuple[int, ...], Any] = {}
        present = (Status.PRESENT.value,) * height
        encoded[present] = _encoded([NAMES[status] for status in present])
        results = [
            FeatureColumn(column, encoded[present], nothing)
            for column in _turned(rows, len(self._columns))[: self._keys]
        ]
        width = len(self._features)
        for (view, plain), values, statuses in zip(
            self._features, _turned(vectors.values, width), _turned(vectors.statuses, width), strict=True
        ):
            if statuses not in encoded:
                encoded[statuses] = _encoded([NAMES[status] for status in statuses])
            results.append(
                FeatureColumn(
                    values if plain is None else [None if v is None else plain(v) for v in values],
                    encoded[statuses],
                    nothing if view is None else stamps[view],
                )
            )
        return OnlineResponse(results, self._full_names if full_names else self._names)


def _encoded(values: list[Any]) -> Any:
    return msgspec.Raw(msgspec.json.encode(values))


def _turned(rows: Sequence[Sequence[Any]], width: int) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


class Column:
    """Reads one column of a request in its dtype.

    Timestamps are seconds since 1970, or text; text without a time zone is UTC.
    """

    def __init__(self, where: str, name: str, dtype: pl.DataType) -> None:
        self._where, self._name, self._dtype = where, name, dtype
        self._is_timestamp = isinstance(dtype, pl.Datetime)
        self._kind: Any = list[(datetime | int if self._is_timestamp else json_type(dtype)) | None]  # type: ignore[misc]

    def read(self, values: list[Any]) -> list[Any]:
        """Read the values of a request.

        Raises
        ------
        ContractError
            If a value has another type.
        """
        try:
            converted: list[Any] = msgspec.convert(values, self._kind, builtin_types=())
        except msgspec.ValidationError as error:
            raise ContractError(f"{self._where}: {self._name!r}, expected {self._dtype}: {error}") from error
        try:
            return [_timestamp(value) for value in converted] if self._is_timestamp else converted
        except OverflowError as error:
            raise ContractError(
                f"{self._where}: {self._name!r}: the timestamp is outside the years 1 to 9999",
                hint="a number is seconds since 1970, in UTC",
            ) from error


def _height(where: str, columns: dict[str, list[Any]]) -> int:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ContractError(f"{where}: the columns have different lengths: {sorted(lengths)}")
    return max(lengths, default=0)


def _timestamp(value: datetime | int | None) -> datetime | None:
    if isinstance(value, int):
        return from_seconds(value)
    return value if value is None else in_utc(value)


def pushed_rows(view: FeatureView, columns: dict[str, list[Any]]) -> pl.DataFrame:
    """Read the columns of a push as rows of a view, in its dtypes. Timestamps without a time zone are UTC.

    Raises
    ------
    ContractError
        If a column cannot be read as its dtype, or the columns differ in length.
    """
    where = f"rows pushed to {view.name!r}"
    created = {"created": "created_timestamp"} if "created_timestamp" not in columns else {}
    given = {created.get(name, name): values for name, values in columns.items()}
    schema = {
        **view.key_schema,
        "event_timestamp": UTC_MICROSECONDS,
        "created_timestamp": UTC_MICROSECONDS,
        **view.feature_schema,
    }
    if unknown := [name for name in given if name not in schema]:
        raise ContractError(f"{where}: there is no column {unknown[0]!r}", hint=f"known: {', '.join(schema)}")
    _height(where, given)
    read = {name: Column(where, name, schema[name]).read(values) for name, values in given.items()}
    try:
        return pl.DataFrame(read, schema={name: schema[name] for name in given})
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ContractError(f"{where}: {str(error).splitlines()[0]}") from error
