"""The rows of a request: keys, timestamps and request values in exactly the declared dtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService

_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)


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
    where = f"rows for {service.title}"
    if with_timestamp:
        needed[EVENT_TIMESTAMP] = UTC_MICROSECONDS
    if missing := [name for name in needed if name not in frame.columns]:
        raise ContractError(
            f"{where}: lack {', '.join(map(repr, missing))}",
            hint=f"needed are {', '.join(map(repr, needed))}",
        )
    names = dict.fromkeys((*service.joined.feature_names, *service.feature_names))
    if clash := [name for name in names if name in frame.columns]:
        raise ContractError(
            f"{where}: column {clash[0]!r} has the name of a feature", hint="drop or rename it"
        )
    columns = [_column(where, frame, name, dtype) for name, dtype in needed.items()]
    result = frame.with_columns(columns)
    if with_timestamp and (count := result.get_column(EVENT_TIMESTAMP).null_count()):
        first = result.get_column(EVENT_TIMESTAMP).is_null().arg_max()
        raise ContractError(
            f"{where}: {EVENT_TIMESTAMP!r} is missing in {counted(count, 'row')}, first in row {first}",
            hint="give each row the time at which its features are wanted, or leave these rows out",
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
        raise ContractError(
            f"{where}: {name!r} holds timestamps that do not fit {dtype}",
            hint="round them to the unit of that type",
        )
    numbers = _exact(values, actual, dtype)
    if numbers is None:
        raise ContractError(
            f"{where}: {name!r} is {actual}, expected {dtype}", hint=f"give values of type {dtype}"
        )
    if numbers.null_count() > values.null_count():
        raise ContractError(
            f"{where}: {name!r} holds values that do not fit {dtype}",
            hint="correct these values, or leave their rows out",
        )
    return numbers


def _exact(values: pl.Series, actual: pl.DataType, dtype: pl.DataType) -> pl.Series | None:
    """Cast numbers as `featurestore.values.accepted` does: null where one does not fit; None for other dtypes."""
    cast = values.cast(dtype, strict=False) if _is_number(actual) and _is_number(dtype) else None
    if cast is None or (actual.is_float() and not dtype.is_float()):
        return None
    if isinstance(actual, pl.Decimal) and not isinstance(dtype, pl.Decimal):
        return None
    fits = cast.cast(actual, strict=False).eq_missing(values)
    if isinstance(actual, pl.Float64) and isinstance(dtype, pl.Float32):
        # An integer is held exactly; a fraction is rounded.
        fits |= (values != values.floor()) & cast.is_finite()
    return cast.set(~fits, None)


def _is_number(dtype: pl.DataType) -> bool:
    return isinstance(dtype, (*_INTEGERS, pl.Float32, pl.Float64, pl.Decimal))
