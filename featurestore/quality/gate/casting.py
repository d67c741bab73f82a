"""Give a frame the columns and dtypes of its contract, losing nothing in silence.

A value that cannot become the declared dtype turns null and is counted by the gate as broken; a column whose kind is
wrong altogether is refused here.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from featurestore.definitions.contract import Column, Contract

# A value of the first dtype may be cast to the second of the same group; what does not fit is counted as broken.
_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_FLOATS = (pl.Float32, pl.Float64)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False}


@dataclass(frozen=True)
class CastColumn:
    """A column made to conform.

    Attributes
    ----------
    value
        The column in its declared dtype.
    lost
        True where a value was there and could not be converted; None where nothing can be lost.
    """

    value: pl.Expr
    lost: pl.Expr | None


def cast_plan(schema: pl.Schema, contract: Contract, *, dataset: str) -> dict[str, CastColumn]:
    """Plan how a frame of `schema` gets the columns of a contract.

    Parameters
    ----------
    schema
        The frame's columns as they are.
    contract
        The columns as they should be.
    dataset
        Named in messages.

    Raises
    ------
    ContractError
        If columns are missing or of a wrong kind, or (of a strict contract) unexpected; names all of them.
    """
    missing = [column.name for column in contract.columns if column.name not in schema]
    unexpected = [name for name in schema if name not in contract] if contract.strict or missing else []
    if missing or (unexpected and contract.strict):
        raise ContractError(
            _column_message(dataset, contract, missing, unexpected), hint=_hint(missing, unexpected)
        )
    plan: dict[str, CastColumn] = {}
    wrong: list[str] = []
    for column in contract.columns:
        cast_column = _convert(column, schema[column.name])
        if cast_column is None:
            wrong.append(f"{column.name!r} is {schema[column.name]}, expected {column.dtype}")
        else:
            plan[column.name] = cast_column
    if wrong:
        raise ContractError(f"{dataset}: schema {contract.name}: {'; '.join(wrong)}")
    return plan


def cast_known_columns(rows: pl.LazyFrame, contract: Contract) -> pl.LazyFrame:
    """Give the columns that a contract knows their dtypes, and leave others and those of a wrong kind as they are."""
    schema = rows.collect_schema()
    known = (
        (column.name, _convert(column, schema[column.name]))
        for column in contract.columns
        if column.name in schema
    )
    return rows.with_columns(made.value.alias(name) for name, made in known if made is not None)


def _convert(column: Column, found: pl.DataType) -> CastColumn | None:
    value, wanted = pl.col(column.name), column.dtype
    if found == wanted:
        converted = value
    elif isinstance(found, pl.Null):
        return CastColumn(value.cast(wanted), None)
    elif isinstance(found, pl.String):
        parsed = _parse(value, column)
        if parsed is None:
            return None
        converted = parsed
    elif _same_kind(found, wanted):
        converted = value.cast(wanted, strict=False)
    elif (
        isinstance(found, pl.Datetime)
        and isinstance(wanted, pl.Datetime)
        and found.time_zone
        and wanted.time_zone
    ):
        converted = value.dt.convert_time_zone(wanted.time_zone).cast(wanted)
    else:
        return None
    lost = None if found == wanted else value.is_not_null() & converted.is_null()
    if isinstance(wanted, _FLOATS) and column.metadata.get("nan") == "null":
        converted = converted.fill_nan(None)
    return CastColumn(converted, lost)


def _same_kind(found: pl.DataType, wanted: pl.DataType) -> bool:
    if isinstance(found, pl.List | pl.Array) and isinstance(wanted, pl.List | pl.Array):
        inner_found, inner_wanted = pl.Series(dtype=found).dtype.inner, pl.Series(dtype=wanted).dtype.inner  # type: ignore[attr-defined]
        return bool(inner_found == inner_wanted) or _same_kind(inner_found, inner_wanted)
    return any(isinstance(found, group) and isinstance(wanted, group) for group in (_INTEGERS, _FLOATS))


def _parse(value: pl.Expr, column: Column) -> pl.Expr | None:
    wanted, pattern = column.dtype, column.metadata.get("format")
    if isinstance(wanted, (*_INTEGERS, *_FLOATS)):
        return value.str.strip_chars().cast(wanted, strict=False)
    if isinstance(wanted, pl.Boolean):
        return value.str.to_lowercase().replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)
    if isinstance(wanted, pl.Date):
        return value.str.to_date(pattern or "%Y-%m-%d", strict=False)
    if isinstance(wanted, pl.Datetime) and wanted.time_zone == "UTC":
        return value.str.to_datetime(
            pattern or "%Y-%m-%dT%H:%M:%S%.f%#z", time_unit=wanted.time_unit, time_zone="UTC", strict=False
        )
    if isinstance(wanted, pl.Datetime) and wanted.time_zone is None:
        return value.str.to_datetime(
            pattern or "%Y-%m-%dT%H:%M:%S%.f", time_unit=wanted.time_unit, strict=False
        )
    return None


def _column_message(dataset: str, contract: Contract, missing: list[str], unexpected: list[str]) -> str:
    parts = []
    if missing:
        parts.append(f"lacks {', '.join(map(repr, missing))}")
    if unexpected:
        parts.append(f"has unexpected {', '.join(map(repr, unexpected))}")
    return f"{dataset}: breaks schema {contract.name}: {' and '.join(parts)}"


def _hint(missing: list[str], unexpected: list[str]) -> str | None:
    renamed = [
        f"{nearest[0]!r} may be {name!r} renamed"
        for name in missing
        if (nearest := get_close_matches(name, unexpected, n=1))
    ]
    return "; ".join(renamed) or None
