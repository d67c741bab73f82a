"""Parquet and Arrow in the body of a request, read by pyarrow, which validates every byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from featurestore.definitions.catalog import Node

# A compressed body may grow to this many times its size, plus this many bytes.
MAX_GROWTH = 16
ALWAYS_ALLOWED_BYTES = 64 << 20
BATCH_ROWS = 8_192
ERRORS: Final = (pa.ArrowException,)


def parquet(path: Path, _: Node) -> pl.LazyFrame:
    """Scan a Parquet file."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        return _plain(path, file.schema_arrow, file.iter_batches(batch_size=BATCH_ROWS))


def arrow_stream(path: Path, _: Node) -> pl.LazyFrame:
    """Scan a stream of Arrow's IPC format."""
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as batches:
        return _plain(path, batches.schema, batches)


def arrow_file(path: Path, _: Node) -> pl.LazyFrame:
    """Scan a file of Arrow's IPC format."""
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as batches:
        return _plain(path, batches.schema, map(batches.get_batch, range(batches.num_record_batches)))


def _plain(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> pl.LazyFrame:
    """Validate batches and copy them: damaged bytes could end the process in Polars."""
    plain = pa.schema(
        pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for field in schema
    )
    target = path.with_name(f"{path.name}.arrow")
    max_bytes = MAX_GROWTH * path.stat().st_size + ALWAYS_ALLOWED_BYTES
    compressed = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.OSFile(str(target), "wb") as file, pa.ipc.new_file(file, plain, options=compressed) as out:
        for batch in batches:
            batch.validate(full=True)
            out.write_batch(batch.cast(plain))
            if file.tell() > max_bytes:
                raise ContractError(
                    f"the body decompresses to more than {max_bytes:,} bytes", hint="send it in parts"
                )
    return pl.scan_ipc(target, hive_partitioning=False, glob=False)
