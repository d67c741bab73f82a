"""Feast's wire format, so that an application that talks to Feast's feature server changes a URL.

Read off Feast 0.67's server, and compared with it in the tests. Moments travel as whole seconds since 1970, features as
columns; statuses are names.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.service.requests import json_type
from featurestore.timing.epoch import EPOCH, moment_of
from featurestore.timing.join import Status
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.service.endpoint import Endpoint
    from featurestore.vectors.reader import Vectors

NAMES: Final = {status.value: status.name for status in Status}
NO_EVENT: Final = "1970-01-01T00:00:00Z"
PUSHED: Final = ("online", "online_and_offline")


class OnlineRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for features of entities given as columns.

    Attributes
    ----------
    features
        As ``view:feature``; or `feature_service` names a service.
    """

    entities: dict[str, list[Any]]
    feature_service: str | None = None
    features: list[str] = []
    full_feature_names: bool = False
    include_feature_view_version_metadata: bool = False


class PushRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Push rows, given as columns, to a feature view: always for training and serving alike.

    Attributes
    ----------
    push_source_name
        The feature view.
    to
        ``online`` or ``online_and_offline``, which mean the same here; ``offline`` alone is refused.
    """

    push_source_name: str
    df: dict[str, list[Any]]
    to: str = "online"
    allow_registry_cache: bool = True
    transform_on_write: bool = True


class WriteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Write rows as Feast's remote online store does; the same as a push."""

    feature_view_name: str
    df: dict[str, list[Any]]
    allow_registry_cache: bool = True
    transform_on_write: bool = True


class FeatureColumn(msgspec.Struct, frozen=True):
    """One feature of all rows; a missing event is 1970-01-01T00:00:00Z."""

    values: list[Any]
    statuses: list[str]
    event_timestamps: list[str]


class Metadata(msgspec.Struct, frozen=True):
    """Names of the columns."""

    feature_names: list[str]


class OnlineResponse(msgspec.Struct, frozen=True):
    """The entity keys, then the features, each a column."""

    results: list[FeatureColumn]
    metadata: Metadata


def rows_of(asked: OnlineRequest, endpoint: Endpoint, *, most: int) -> list[tuple[Any, ...]]:
    """Turn the columns of a request into rows, in the order of the endpoint's columns.

    Raises
    ------
    ContractError
        If a column is missing, unknown, of another length or holds a value of another type.
    """
    columns = asked.entities
    wanted = endpoint.reader.columns
    where = f"entities for {endpoint.name!r}"
    if missing := [name for name in wanted if name not in columns]:
        raise ContractError(
            f"{where}: lack {', '.join(map(repr, missing))}", hint=f"needed are {', '.join(wanted)}"
        )
    if unknown := [name for name in columns if name not in wanted]:
        raise ContractError(f"{where}: {unknown[0]!r} is not needed", hint=f"needed are {', '.join(wanted)}")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ContractError(f"{where}: the columns have different lengths: {sorted(lengths)}")
    if max(lengths, default=0) > most:
        raise ContractError(f"{where}: {max(lengths):,} rows, more than {most:,}", hint="ask in batches")
    schema = {**endpoint.service.key_schema, **endpoint.service.request_schema}
    return list(zip(*(_column(where, name, columns[name], schema[name]) for name in wanted), strict=True))


def _column(where: str, name: str, values: list[Any], dtype: pl.DataType) -> list[Any]:
    moment = isinstance(dtype, pl.Datetime)
    kind = datetime | int | None if moment else json_type(dtype) | None
    try:
        found = msgspec.convert(values, list[kind], builtin_types=())  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise ContractError(f"{where}: {name!r}, expected {dtype}: {error}") from error
    return [_moment(value) for value in found] if moment else found


def _moment(value: datetime | int | None) -> datetime | None:
    # As Feast reads them: seconds since 1970, or text, which is UTC if it does not say.
    if isinstance(value, int):
        return moment_of(value * 1_000_000)
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def answer(
    found: Vectors, rows: Sequence[Sequence[Any]], endpoint: Endpoint, *, full_names: bool
) -> OnlineResponse:
    """Set what was found in Feast's columns.

    Raises
    ------
    ContractError
        If a value cannot travel so: a moment with a fraction of a second.
    """
    service, height = endpoint.service, len(rows)
    keys = list(service.key_schema)
    nothing = [NO_EVENT] * height
    results = [
        FeatureColumn([row[i] for row in rows], [NAMES[Status.PRESENT]] * height, nothing)
        for i in range(len(keys))
    ]
    events = {
        view: [_stamp(e) for e in column] for view, column in zip(found.views, found.events, strict=True)
    }
    origin = {name: s.label for s in service.selections for name in s.names}
    for i, (name, dtype) in enumerate(service.feature_schema.items()):
        plain = _plain(name, dtype)
        values = [row[i] for row in found.values]
        results.append(
            FeatureColumn(
                values if plain is None else [None if value is None else plain(value) for value in values],
                [NAMES[row[i]] for row in found.statuses],
                events[origin[name]] if name in origin else nothing,
            )
        )
    names = service.full_names
    features = [names[name] if full_names else name for name in found.features]
    return OnlineResponse(results, Metadata([*keys, *features]))


def pushed_rows(view: FeatureView, columns: dict[str, list[Any]]) -> pl.DataFrame:
    """Read the columns of a push as rows of a view, in its dtypes; moments that name no time zone are UTC.

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
    if len(lengths := {len(values) for values in given.values()}) > 1:
        raise ContractError(f"{where}: the columns have different lengths: {sorted(lengths)}")
    read = {name: _column(where, name, values, schema[name]) for name, values in given.items()}
    try:
        return pl.DataFrame(read, schema={name: schema[name] for name in given})
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ContractError(f"{where}: {str(error).splitlines()[0]}") from error


def _stamp(event: int | None) -> str:
    return NO_EVENT if event is None else moment_of(event).isoformat().replace("+00:00", "Z")


def _plain(name: str, dtype: pl.DataType) -> Callable[[Any], Any] | None:
    """Return what makes a value what Feast's JSON has for it; None: it is that already."""
    if isinstance(dtype, pl.List | pl.Array):
        inner = _plain(name, pl.Series(dtype=dtype.inner).dtype)
        return None if inner is None else lambda values: [inner(value) for value in values]
    if isinstance(dtype, pl.Datetime):
        return lambda value: _seconds(name, value)
    if isinstance(dtype, pl.Date):
        return lambda value: (value - date(1970, 1, 1)).days * 86_400
    if isinstance(dtype, pl.Decimal) or dtype == pl.UInt64:
        return lambda value: str(Decimal(value))
    return None


def _seconds(name: str, value: datetime) -> int:
    ticks = (value - EPOCH).total_seconds()
    if value.microsecond:
        raise ContractError(
            f"feature {name!r}: Feast's wire has whole seconds and cannot carry a fraction of one",
            hint="ask POST /v1/vectors for it, or round it in the view",
        )
    return int(ticks)
