"""A hash of rows that is pinned here: no version of Python, NumPy or Polars, and no machine, changes it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

HASHED: Final = (pl.Boolean, pl.String, pl.Binary, pl.Date, pl.Time, pl.Datetime, pl.Duration)
_NULL: Final = b"\x00null"
_VALUE: Final = b"\xff"
# The constants of splitmix64 (Steele, Lea and Flood, 2014).
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_64_BITS: Final = 2**64 - 1


def is_hashed(dtype: pl.DataType) -> bool:
    """Return whether values of a dtype have a hash: integers, booleans, text, bytes, dates and times."""
    return isinstance(dtype, HASHED) or dtype.is_integer()


def stable_hash(columns: Iterable[pl.Series], seed: int) -> NDArray[np.uint64]:
    """Hash each row of some columns to 64 bits, which depend on the values and the seed alone.

    Names and chunks of the columns, other rows and their order do not count, and equal integers of two dtypes have one
    hash. A null has a hash of its own.

    Parameters
    ----------
    columns
        Columns of equal length, each of a dtype that `is_hashed`.
    """
    start = _of_bytes(_seed(seed))
    result: NDArray[np.uint64] | None = None
    for column in columns:
        before = np.full(column.len(), start, dtype=np.uint64) if result is None else result
        result = _mixed((before ^ _of_values(column)) + _STEP)
    if result is None:
        raise ValueError("a hash needs a column")
    return result


def stable_hash_of(value: bool | int | str, seed: int) -> int:  # noqa: FBT001 - a value of a column
    """Hash one value, which is not null, to the bits of `stable_hash`."""
    own = (
        int(_of_bytes(_VALUE + value.encode()))
        if isinstance(value, str)
        else _mixed_integer((value + int(_STEP)) & _64_BITS)
    )
    return _mixed_integer(((int(_of_bytes(_seed(seed))) ^ own) + int(_STEP)) & _64_BITS)


def _seed(seed: int) -> bytes:
    return f"seed {seed}".encode()


def _of_values(column: pl.Series) -> NDArray[np.uint64]:
    if isinstance(column.dtype, pl.String | pl.Binary):
        # Text is hashed once for each value: names repeat.
        values = column.unique()
        digests = b"".join(_digest(_NULL if v is None else _VALUE + v) for v in values.cast(pl.Binary))
        hashes = pl.Series(np.frombuffer(digests, dtype="<u8").astype(np.uint64))
        replaced = column.replace_strict(values, hashes, return_dtype=pl.UInt64)
        return replaced.cast(pl.UInt64).to_numpy()  # Polars leaves an empty column as it is
    physical = column.to_physical()
    wide = physical if physical.dtype == pl.UInt64 else physical.cast(pl.Int64)
    numbers = wide.fill_null(0).to_numpy().view(np.uint64)
    mixed = _mixed(numbers + _STEP)
    return np.where(column.is_null().to_numpy(), _of_bytes(_NULL), mixed)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()


def _of_bytes(data: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(_digest(data), "little"))


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits as splitmix64 does, in arithmetic modulo 2**64."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _FIRST
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _SECOND
    return numbers ^ (numbers >> np.uint64(31))


def _mixed_integer(number: int) -> int:
    """Mix the bits of one number as `_mixed` does."""
    number = (number ^ (number >> 30)) * int(_FIRST) & _64_BITS
    number = (number ^ (number >> 27)) * int(_SECOND) & _64_BITS
    return number ^ (number >> 31)
