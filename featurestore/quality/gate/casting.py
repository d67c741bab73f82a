"""Cast a frame to the columns and dtypes of its contract, and lose no value in silence.

A value that cannot be cast becomes null, and the gate counts it as broken. A column of a wrong kind
of dtype (a number where text is declared) is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.definitions.contract import Column, Contract

# A dtype may be cast to another of the same group; values that do not fit count as broken.
_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_FLOATS = (pl.Float32, pl.Float64)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False}


@dataclass(frozen=True)
class CastColumn:
    """A column, cast to its declared dtype.

    Attributes
    ----------
    value
        The column in its declared dtype.
    failed
        True where a value that is not null could not be cast; None where no cast can fail.
    """

    value: pl.Expr
    failed: pl.Expr | None


def cast_plan(schema: pl.Schema, contract: Contract, *, dataset: str) -> dict[str, CastColumn]:
    """Plan how a frame of `schema` is cast to the columns of a contract.

    Parameters
    ----------
    schema
        The frame's columns.
    contract
        The declared columns.
    dataset
        The dataset's name, for messages.

    Raises
    ------
    ContractError
        If columns are missing, of a wrong dtype, or unexpected by a strict contract; names all of
        them.
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
        cast_column = _cast(column, schema[column.name])
        if cast_column is None:
            wrong.append(f"{column.name!r} is {schema[column.name]}, expected {column.dtype}")
        else:
            plan[column.name] = cast_column
    if wrong:
        raise ContractError(f"{dataset}: schema {contract.name}: {'; '.join(wrong)}")
    return plan


def fallible_columns(plan: Mapping[str, CastColumn]) -> frozenset[str]:
    """Return the columns of which a value may fail to be cast."""
    return frozenset(name for name, cast_column in plan.items() if cast_column.failed is not None)


def cast_known_columns(rows: pl.LazyFrame, contract: Contract) -> pl.LazyFrame:
    """Cast the declared columns; other columns and those of a wrong dtype stay unchanged."""
    schema = rows.collect_schema()
    known = (
        (column.name, _cast(column, schema[column.name]))
        for column in contract.columns
        if column.name in schema
    )
    return rows.with_columns(
        cast_column.value.alias(name) for name, cast_column in known if cast_column is not None
    )


def _cast(column: Column, actual: pl.DataType) -> CastColumn | None:
    value = pl.col(column.name)
    declared = column.dtype
    if actual == declared:
        cast = value
    elif isinstance(actual, pl.Null):
        return CastColumn(value.cast(declared), None)
    elif isinstance(actual, pl.String):
        parsed = _parse(value, column)
        if parsed is None:
            return None
        cast = parsed
    elif _same_kind(actual, declared):
        cast = value.cast(declared, strict=False)
    elif (
        isinstance(actual, pl.Datetime)
        and isinstance(declared, pl.Datetime)
        and actual.time_zone
        and declared.time_zone
    ):
        cast = value.dt.convert_time_zone(declared.time_zone).cast(declared)
    else:
        return None
    failed = None if actual == declared else value.is_not_null() & cast.is_null()
    if isinstance(declared, _FLOATS) and column.metadata.get("nan") == "null":
        cast = cast.fill_nan(None)
    return CastColumn(cast, failed)


def _same_kind(actual: pl.DataType, declared: pl.DataType) -> bool:
    if isinstance(actual, pl.List | pl.Array) and isinstance(declared, pl.List | pl.Array):
        inner_actual = pl.Series(dtype=actual).dtype.inner  # type: ignore[attr-defined]
        inner_declared = pl.Series(dtype=declared).dtype.inner  # type: ignore[attr-defined]
        return bool(inner_actual == inner_declared) or _same_kind(inner_actual, inner_declared)
    return any(isinstance(actual, group) and isinstance(declared, group) for group in (_INTEGERS, _FLOATS))


def _parse(value: pl.Expr, column: Column) -> pl.Expr | None:
    declared = column.dtype
    pattern = column.metadata.get("format")
    if isinstance(declared, (*_INTEGERS, *_FLOATS)):
        return value.str.strip_chars().cast(declared, strict=False)
    if isinstance(declared, pl.Boolean):
        return value.str.to_lowercase().replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)
    if isinstance(declared, pl.Date):
        return value.str.to_date(pattern or "%Y-%m-%d", strict=False)
    if isinstance(declared, pl.Datetime) and declared.time_zone == "UTC":
        return value.str.to_datetime(
            pattern or "%Y-%m-%dT%H:%M:%S%.f%#z", time_unit=declared.time_unit, time_zone="UTC", strict=False
        )
    if isinstance(declared, pl.Datetime) and declared.time_zone is None:
        return value.str.to_datetime(
            pattern or "%Y-%m-%dT%H:%M:%S%.f", time_unit=declared.time_unit, strict=False
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
