"""Frames as Arrow tables and pandas frames, in the types that Feast knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import polars as pl
import pyarrow as pa

from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

# Integers with missing values stay integers in pandas.
NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def arrow_table(frame: pl.DataFrame) -> pa.Table:
    """Convert a frame to a table of one chunk.

    Polars has lists, texts and bytes with long offsets, which Feast's type map does not know. Feast
    writes the first chunk of a table and no other.
    """
    table = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.cast(pa.schema([field.with_type(_short(field.type)) for field in table.schema]))


def wire_columns(schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Convert feature columns to dtypes that Feast's materialization can turn into messages.

    Only keys and versions of the messages are read afterwards: the online store is filled from the
    stored rows. Missing elements of lists, which Feast cannot convert, are therefore left out, and
    missing integers are 0: Feast turns a column of integers with missing values into floats, which
    cannot hold the greatest of them.
    """
    return [
        pl.col(name).cast(pl.List(_scalar(dtype.inner))).list.drop_nulls()
        if isinstance(dtype, pl.List | pl.Array)
        else pl.col(name).cast(_scalar(dtype)).fill_null(0)
        if dtype.is_integer() and dtype != pl.UInt64
        else pl.col(name).cast(_scalar(dtype))
        for name, dtype in schema.items()
    ]


def _scalar(dtype: pl.datatypes.DataTypeClass | pl.DataType) -> pl.datatypes.DataTypeClass | pl.DataType:
    if isinstance(dtype, pl.Decimal) or dtype == pl.UInt64:
        return pl.String()
    return UTC_MICROSECONDS if dtype == pl.Date else dtype


def _short(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_large_list(kind):
        return pa.list_(pa.field("item", _short(kind.value_type)))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(pa.field("item", _short(kind.value_type)), kind.list_size)
    return kind
