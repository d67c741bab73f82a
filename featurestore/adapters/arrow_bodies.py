"""Parquet and Arrow in the body of a request, read by pyarrow, which validates every byte.

The schema is read first, and only columns of the contract are unpacked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from featurestore.errors import ContractError
from featurestore.quality.gate.partition import SOURCE_FILE, SOURCE_ROW
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from featurestore.definitions.catalog import Node
    from featurestore.storage.body_limits import BodyLimits

BATCH_ROWS = 8_192
ERRORS: Final = (pa.ArrowException,)


def parquet(path: Path, node: Node, limits: BodyLimits) -> pl.LazyFrame:
    """Scan a Parquet file."""
    schema = parquet_schema(path)
    names = [schema.names[i] for i in _wanted(schema, node, limits)]
    with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=_texts(schema)) as file:
        batches = file.iter_batches(batch_size=BATCH_ROWS, columns=names)
        return _plain(path, pa.schema(map(schema.field, names)), batches, limits)


def arrow_stream(path: Path, node: Node, limits: BodyLimits) -> pl.LazyFrame:
    """Scan a stream of Arrow's IPC format."""
    options = pa.ipc.IpcReadOptions(included_fields=_wanted(arrow_stream_schema(path), node, limits))
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file, options=options) as batches:
        return _plain(path, batches.schema, batches, limits)


def arrow_file(path: Path, node: Node, limits: BodyLimits) -> pl.LazyFrame:
    """Scan a file of Arrow's IPC format."""
    options = pa.ipc.IpcReadOptions(included_fields=_wanted(arrow_file_schema(path), node, limits))
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file, options=options) as batches:
        numbers = range(batches.num_record_batches)
        return _plain(path, batches.schema, map(batches.get_batch, numbers), limits)


def parquet_schema(path: Path) -> pa.Schema:
    """Read the schema of a Parquet file."""
    with pq.ParquetFile(path) as file:
        return file.schema_arrow


def arrow_stream_schema(path: Path) -> pa.Schema:
    """Read the schema of a stream of Arrow's IPC format."""
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as batches:
        return batches.schema


def arrow_file_schema(path: Path) -> pa.Schema:
    """Read the schema of a file of Arrow's IPC format."""
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as batches:
        return batches.schema


def empty_frame(schema: pa.Schema, limits: BodyLimits) -> pl.DataFrame:
    """Return a frame without rows that has the columns of a schema."""
    _require_width(schema, limits)
    empty = pl.from_arrow(_plain_schema(schema).empty_table())
    assert isinstance(empty, pl.DataFrame)  # noqa: S101 - a table never becomes a series
    return empty


def _wanted(schema: pa.Schema, node: Node, limits: BodyLimits) -> list[int]:
    """Return the positions of the columns that the gate reads."""
    _require_width(schema, limits)
    read = (*(column.name for column in node.contract.columns), SOURCE_ROW, SOURCE_FILE)
    return [i for i, name in enumerate(schema.names) if name in read]


def _require_width(schema: pa.Schema, limits: BodyLimits) -> None:
    types = [field.type for field in schema]
    count = 0
    while types and count <= limits.columns:
        kind = types.pop()
        count += 1
        types += [kind.field(i).type for i in range(kind.num_fields)]
    if count > limits.columns:
        raise ContractError(
            f"the body has {counted(len(schema), 'column')} with their fields; expected at most {limits.columns:,}",
            hint="leave out columns that the schema does not have",
        )


def _texts(schema: pa.Schema) -> list[str]:
    """Return the columns of text and bytes. They are read as dictionaries, so that a repeated value is held once."""
    return [field.name for field in schema if _is_text(field.type)]


def _is_text(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    )


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema(
        pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for field in schema
    )


def _plain(
    path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch], limits: BodyLimits
) -> pl.LazyFrame:
    """Validate batches and copy them: damaged bytes could end the process in Polars."""
    plain = _plain_schema(schema)
    target = path.with_name(f"{path.name}.arrow")
    compressed = pa.ipc.IpcWriteOptions(compression="zstd")
    unpacked = 0
    with pa.OSFile(str(target), "wb") as file, pa.ipc.new_file(file, plain, options=compressed) as out:
        for batch in batches:
            batch.validate(full=True)
            unpacked += sum(map(_plain_bytes, batch.columns))
            if unpacked > limits.unpacked:
                raise ContractError(
                    f"the body decompresses to more than {limits.unpacked:,} bytes", hint="send it in parts"
                )
            out.write_batch(batch.cast(plain))
    return pl.scan_ipc(target, hive_partitioning=False, glob=False)


def _plain_bytes(column: pa.Array) -> int:
    """Return how many bytes the values of a column take, at least one each: nulls and runs take none as they are sent."""
    if pa.types.is_dictionary(column.type):
        values = column.dictionary
        if _is_text(values.type):
            lengths = pc.binary_length(values).cast(pa.int64()).take(column.indices)
            return max(int(pc.sum(lengths).as_py() or 0), len(column))
        return max(int(values.nbytes) // max(len(values), 1), 1) * len(column)
    return max(int(column.nbytes), len(column))
