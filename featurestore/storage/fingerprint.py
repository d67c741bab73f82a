"""The digest of the content of a frame, which does not depend on how the frame is stored."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.storage.parquet import scan_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROWS_AT_ONCE = 1 << 20


def fingerprint(frame: pl.DataFrame) -> str:
    """Return the digest of the content of a frame.

    It covers the names and dtypes of the columns, the values in the order of the rows, and which of
    them are missing. Chunks, Parquet encodings and library versions do not count.

    Returns
    -------
    str
        ``"sha256:"`` and 64 hexadecimal digits.
    """
    return _fingerprint(frame.get_column(name) for name in frame.columns)


def content_fingerprint(path: Path) -> str:
    """Return the `fingerprint` of the rows of a Parquet file, with one column in memory at a time."""
    scan = scan_files(path)
    names = scan.collect_schema().names()
    return _fingerprint(scan.select(name).collect().to_series() for name in names)


def _fingerprint(columns: Iterable[pl.Series]) -> str:
    digest = hashlib.sha256()
    for column in columns:
        digest.update(f"{column.name}\0{column.dtype}\0{column.len()}\0".encode())
        for part in column.to_frame().iter_slices(ROWS_AT_ONCE):
            _column(digest, part.to_series())
    return f"sha256:{digest.hexdigest()}"


def file_fingerprint(path: Path) -> str:
    """Return the digest of the bytes of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _column(digest: Any, values: pl.Series) -> None:
    digest.update(values.is_null().cast(pl.UInt8).to_numpy().tobytes())
    present = values.drop_nulls()
    dtype = present.dtype
    if isinstance(dtype, pl.Array):
        present = present.arr.to_list()
        dtype = present.dtype
    if isinstance(dtype, pl.List):
        digest.update(present.list.len().to_numpy().tobytes())
        _column(digest, present.explode(empty_as_null=False))
    elif isinstance(dtype, pl.String | pl.Binary | pl.Decimal):
        # NumPy has no integers of 128 bits, which Polars keeps decimals in: their text is as exact.
        data = (present.cast(pl.String) if isinstance(dtype, pl.Decimal) else present).cast(pl.Binary)
        digest.update(data.bin.size().to_numpy().tobytes())
        digest.update(b"".join(data))
    elif isinstance(dtype, pl.Boolean):
        digest.update(present.cast(pl.UInt8).to_numpy().tobytes())
    else:
        digest.update(present.to_physical().to_numpy().tobytes())
