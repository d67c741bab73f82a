"""How a column of a file that Feast reads becomes a column of a feature view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.adapters.delta import scan_delta
from featurestore.definitions.entity import KEY_DTYPES
from featurestore.errors import ContractError
from featurestore.quality.profile.suggest import literal
from featurestore.storage.parquet import scan_files
from featurestore.values.table import UTC_MICROSECONDS, feast_type

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.adapters.feast.inventory import FileFormat

# Feast's value types that are one dtype here. A type that is not listed follows the file.
_DTYPES: Final[dict[str, pl.DataType]] = {
    "BOOL": pl.Boolean(),
    "BYTES": pl.Binary(),
    "IMAGE_BYTES": pl.Binary(),
    "PDF_BYTES": pl.Binary(),
    "INT32": pl.Int32(),
    "INT64": pl.Int64(),
    "FLOAT": pl.Float32(),
    "DOUBLE": pl.Float64(),
    "STRING": pl.String(),
    "JSON": pl.String(),
    "UUID": pl.String(),
    "TIME_UUID": pl.String(),
    "UNIX_TIMESTAMP": UTC_MICROSECONDS,
    "ZONED_TIMESTAMP": UTC_MICROSECONDS,
}
# Codes of categories differ from file to file; the raw column is read as text.
_TEXT: Final = (pl.Categorical, pl.Enum)
_JSON_TEXT: Final = "a struct becomes its JSON text: featurestore has no type for structs"


@dataclass(frozen=True)
class AdoptedColumn:
    """One column of a view.

    Attributes
    ----------
    name
        The name in the view.
    raw
        The name in the file.
    raw_dtype
        The dtype that the schema of the source declares.
    dtype
        The dtype in the view.
    expression
        Source text of the Polars expression; empty: the values stay as they are.
    change
        What is not the same as in Feast, or an empty text.
    has_nan
        Whether the file holds NaN.
    """

    name: str
    raw: str
    raw_dtype: pl.DataType
    dtype: pl.DataType
    expression: str = ""
    change: str = ""
    has_nan: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why a column cannot be adopted."""

    reason: str


def scan(path: Path, file_format: FileFormat) -> pl.LazyFrame:
    """Scan a file, all Parquet files of a folder, or a Delta table.

    Raises
    ------
    ContractError
        If the file does not exist or cannot be read.
    MissingPackageError
        If it is a Delta table, and deltalake is not installed.
    """
    if file_format == "delta":
        return scan_delta(path)
    try:
        if file_format == "csv":
            rows = pl.scan_csv(path, try_parse_dates=True, infer_schema_length=None, glob=False)
        else:
            files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
            rows = scan_files(files)
        rows.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ContractError(f"{path}: cannot be read: {error}", hint="write the file again") from error
    return rows


def adopted_column(name: str, raw: str, value_type: str, rows: pl.LazyFrame) -> AdoptedColumn | Refusal:
    """Decide the dtypes of a feature.

    Parameters
    ----------
    name, raw
        The column in the view, and in the file.
    value_type
        Feast's declared type.
    rows
        The rows of the file: a narrower dtype is only chosen where each value fits.
    """
    schema = rows.collect_schema()
    if raw not in schema:
        return Refusal(f"the file has no column {raw!r}; it has {', '.join(schema)}")
    file_dtype = schema[raw]
    column = f"pl.col({literal(raw)})"
    target = _target(value_type, file_dtype)
    if isinstance(file_dtype, pl.Struct):
        text = f"pl.when({column}.is_not_null()).then({column}.struct.json_encode())"
        return AdoptedColumn(name, raw, file_dtype, pl.String(), text, _JSON_TEXT)
    if isinstance(file_dtype, pl.Datetime):
        return AdoptedColumn(name, raw, file_dtype, UTC_MICROSECONDS, in_utc(raw, file_dtype))
    raw_dtype: pl.DataType = pl.String() if isinstance(file_dtype, _TEXT) else file_dtype
    change = ""
    if isinstance(file_dtype, pl.Null):
        raw_dtype = target
    elif target != raw_dtype and not _fits(rows, raw, raw_dtype, target):
        change = f"declared {value_type} in Feast; the file has {raw_dtype}, which is kept"
        target = raw_dtype
    try:
        feast_type(target)
    except ValueError as error:
        return Refusal(f"{target} is not supported: {error}")
    # The gate casts numbers to floats of the schema, and says how many it rounded.
    cast = "" if target == raw_dtype or target.is_float() else f"{column}.cast({_expression(target)})"
    return AdoptedColumn(name, raw, raw_dtype, target, cast, change, has_nan=_has_nan(rows, raw, file_dtype))


def adopted_key(name: str, raw: str, rows: pl.LazyFrame) -> AdoptedColumn | Refusal:
    """Decide the dtype of a key, as `adopted_column` does. A float of whole numbers becomes Int64."""
    schema = rows.collect_schema()
    if raw not in schema:
        return Refusal(f"the file has no column {raw!r} for the join key; it has {', '.join(schema)}")
    file_dtype = schema[raw]
    raw_dtype: pl.DataType = pl.String() if isinstance(file_dtype, _TEXT) else file_dtype
    if raw_dtype.is_float() and _fits(rows, raw, raw_dtype, pl.Int64()):
        as_integer = f"pl.col({literal(raw)}).cast(pl.Int64)"
        return AdoptedColumn(
            name, raw, raw_dtype, pl.Int64(), as_integer, has_nan=_has_nan(rows, raw, file_dtype)
        )
    if not isinstance(raw_dtype, KEY_DTYPES):
        return Refusal(f"the join key {raw!r} is {raw_dtype}; a key is text, an integer or a boolean")
    return AdoptedColumn(name, raw, raw_dtype, raw_dtype)


def in_utc(column: str, dtype: pl.DataType) -> str:
    """Return the expression of a timestamp in UTC microseconds; Feast reads one without a zone as UTC.

    Returns
    -------
    str
        Empty if the timestamp has this dtype already.
    """
    value = f"pl.col({literal(column)})"
    if not isinstance(dtype, pl.Datetime):
        return f'{value}.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")'
    if dtype.time_unit != "us":
        value += '.dt.cast_time_unit("us")'
    if dtype.time_zone is None:
        return f'{value}.dt.replace_time_zone("UTC")'
    if dtype.time_zone != "UTC":
        return f'{value}.dt.convert_time_zone("UTC")'
    return value if dtype.time_unit != "us" else ""


def _target(value_type: str, file_dtype: pl.DataType) -> pl.DataType:
    inner, is_list = (
        value_type.removesuffix("_LIST").removesuffix("_SET"),
        value_type.endswith(("_LIST", "_SET")),
    )
    dtype = _DTYPES.get(inner)
    if dtype is None:
        return pl.String() if isinstance(file_dtype, _TEXT) else file_dtype
    return pl.List(dtype) if is_list else dtype


def declared_dtype(value_type: str) -> pl.DataType:
    """Return the dtype of a declared type. A type that has none here is text."""
    return _target(value_type, pl.String())


def _fits(rows: pl.LazyFrame, column: str, source: pl.DataType, target: pl.DataType) -> bool:
    """Say whether each value keeps its meaning in the target dtype. Between kinds, nothing fits."""
    value = pl.col(column)
    if isinstance(source, pl.List | pl.Array) and isinstance(target, pl.List):
        inner = rows.select(value.explode())
        item = source.inner
        return isinstance(item, pl.DataType) and (
            item == target.inner or _fits(inner, column, item, target.inner)  # type: ignore[arg-type]
        )
    if isinstance(source, pl.Date) and target == UTC_MICROSECONDS:
        return False
    if not (source.is_numeric() and target.is_numeric()):
        return False
    present = value.fill_nan(None) if source.is_float() else value
    cast = present.cast(target, strict=False)
    if target.is_float():
        broken = (cast.cast(pl.Float64) - present.cast(pl.Float64)).abs() >= 1
        broken |= cast.is_infinite() & present.cast(pl.Float64).is_finite()
    elif source.is_float():
        broken = cast.is_null() | (present != present.floor())
    else:
        broken = cast.is_null()
    return not rows.select((present.is_not_null() & broken).any()).collect().item()


def _has_nan(rows: pl.LazyFrame, column: str, dtype: pl.DataType) -> bool:
    value = pl.col(column)
    if isinstance(dtype, pl.List | pl.Array):
        inner = dtype.inner
        if not (isinstance(inner, pl.DataType) and inner.is_float()):
            return False
        value = value.explode()
    elif not dtype.is_float():
        return False
    return bool(rows.select(value.is_nan().any()).collect().item())


def _expression(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.DataType):
        return f"pl.List({_expression(dtype.inner)})"
    return f"pl.{type(dtype).__name__}"
