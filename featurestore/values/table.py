"""The value table: the dtypes that a feature can have, and the value type that each has in Feast.

The table has one row for each Polars dtype. A dtype outside the table cannot make the round trip
Parquet -> Arrow -> store -> JSON exactly. A definition that uses one is refused, with the reason
that stands here.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, cast

import polars as pl

# Polars dtype -> Feast's ValueType. Narrow integers widen without loss; Feast has no unsigned types.
_SCALARS: Final[dict[type[pl.DataType], str]] = {
    pl.Boolean: "BOOL",
    pl.Int8: "INT32",
    pl.Int16: "INT32",
    pl.Int32: "INT32",
    pl.Int64: "INT64",
    pl.UInt8: "INT32",
    pl.UInt16: "INT32",
    pl.UInt32: "INT64",
    pl.Float32: "FLOAT",
    pl.Float64: "DOUBLE",
    pl.String: "STRING",
    pl.Binary: "BYTES",
    # Exact decimals, written as text; Feast has no unsigned 64-bit type, and INT64 would lose half of it.
    pl.Decimal: "DECIMAL",
    pl.UInt64: "DECIMAL",
    # Midnight, UTC.
    pl.Date: "UNIX_TIMESTAMP",
}

_REFUSED: Final[dict[type[pl.DataType], str]] = {
    pl.Int128: "Feast and Arrow have no 128-bit integer; use Int64",
    pl.UInt128: "Feast and Arrow have no 128-bit integer; use Int64",
    pl.Float16: "Feast has no 16-bit float; use Float32",
    pl.Categorical: "its codes differ from file to file; use String",
    pl.Enum: "its codes live in the schema, not in the value; use String with an isin check",
    pl.Duration: "Feast has no duration; use Int64 and name the unit",
    pl.Time: "Feast has no time of day; use Int32 minutes and name the unit",
    pl.Struct: "give each field a column of its own",
    pl.Object: "Python objects cannot be stored",
    pl.Null: "a column of nulls has no type; declare the type of its values",
}

UTC_MICROSECONDS: Final = pl.Datetime("us", "UTC")


def feast_type(dtype: pl.DataType) -> str:
    """Return the name of Feast's value type for a Polars dtype.

    Parameters
    ----------
    dtype
        The declared dtype of a column.

    Returns
    -------
    str
        A member name of ``feast.value_type.ValueType``, such as ``"INT64"`` or ``"FLOAT_LIST"``.

    Raises
    ------
    ValueError
        If the dtype cannot make the round trip exactly. The message has the reason and the dtype to
        use instead.
    """
    if isinstance(dtype, pl.List | pl.Array):
        inner = feast_type(_instance(dtype.inner))
        if inner.endswith("_LIST"):
            raise ValueError("Feast has no lists of lists; flatten it")
        return f"{inner}_LIST"
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            raise ValueError(f"{dtype} has no time zone; use Datetime('us', 'UTC')")
        if dtype.time_unit == "ns":
            raise ValueError("Python, Feast and the stores have microseconds; use Datetime('us', 'UTC')")
        return "UNIX_TIMESTAMP"
    kind = type(dtype)
    if kind in _SCALARS:
        return _SCALARS[kind]
    raise ValueError(_REFUSED.get(kind, "its values cannot be stored"))


@cache
def integer_limits(dtype: pl.DataType) -> tuple[int, int]:
    """Return the minimum and the maximum of an integer dtype."""
    limits: Any = dtype
    low, high = pl.select(low=limits.min(), high=limits.max()).row(0)
    return low, high


def _instance(dtype: Any) -> pl.DataType:
    return cast("pl.DataType", dtype() if isinstance(dtype, type) else dtype)
