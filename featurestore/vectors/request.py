"""The rows of a request: keys, timestamps and request values in exactly the declared dtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService

_WIDENS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_FLOATS = (pl.Float32, pl.Float64, *_WIDENS)


def entity_rows_of(frame: pl.DataFrame, service: FeatureService, *, with_timestamp: bool) -> pl.DataFrame:
    """Check the rows of a request and give their columns the declared dtypes.

    Parameters
    ----------
    frame
        One row for each vector. Numbers of another width are converted if each value fits exactly.
        Nothing else is converted. Other columns pass unchanged.
    service
        Defines the keys and request values that are needed.
    with_timestamp
        Whether each row needs its own ``event_timestamp``, with a time zone.

    Raises
    ------
    ContractError
        If a column is missing or has a wrong type, or a timestamp is missing or has no time zone.
    """
    needed: dict[str, pl.DataType] = {**service.key_schema, **service.request_schema}
    where = f"rows for service {service.name!r}"
    if with_timestamp:
        needed[EVENT_TIMESTAMP] = UTC_MICROSECONDS
    if missing := [name for name in needed if name not in frame.columns]:
        raise ContractError(
            f"{where}: lack {', '.join(map(repr, missing))}",
            hint=f"needed are {', '.join(map(repr, needed))}",
        )
    if clash := [name for name in service.feature_names if name in frame.columns]:
        raise ContractError(
            f"{where}: column {clash[0]!r} has the name of a feature", hint="drop or rename it"
        )
    columns = [_column(where, frame, name, dtype) for name, dtype in needed.items()]
    result = frame.with_columns(columns)
    if with_timestamp and (count := result.get_column(EVENT_TIMESTAMP).null_count()):
        first = result.get_column(EVENT_TIMESTAMP).is_null().arg_max()
        raise ContractError(
            f"{where}: {EVENT_TIMESTAMP!r} is missing in {count:,} rows, first in row {first}"
        )
    return result


def _column(where: str, frame: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Series:
    values = frame.get_column(name)
    actual = values.dtype
    if actual == dtype:
        return values
    if isinstance(actual, pl.Null):
        return values.cast(dtype)
    if isinstance(actual, pl.Datetime) and isinstance(dtype, pl.Datetime):
        if actual.time_zone is None:
            raise ContractError(
                f"{where}: {name!r} has no time zone",
                hint=f'add it: pl.col({name!r}).dt.replace_time_zone("UTC") for UTC',
            )
        cast = values.dt.convert_time_zone(str(dtype.time_zone)).dt.cast_time_unit(dtype.time_unit)
        if (cast.dt.cast_time_unit(actual.time_unit).to_physical().eq_missing(values.to_physical())).all():
            return cast
        raise ContractError(f"{where}: {name!r} holds timestamps that do not fit {dtype}")
    if any(isinstance(actual, group) and isinstance(dtype, group) for group in (_WIDENS, _FLOATS)):
        cast = values.cast(dtype, strict=False)
        if (cast.cast(actual).eq_missing(values) | values.is_null()).all():
            return cast
        raise ContractError(f"{where}: {name!r} holds values that do not fit {dtype}")
    raise ContractError(
        f"{where}: {name!r} is {actual}, expected {dtype}", hint=f"give values of type {dtype}"
    )
