"""The codec: feature rows and entity keys as bytes, the same in every online store.

A stored row is a header of 16 bytes, a MessagePack array of the feature values in the order of the
schema, and a checksum of 4 bytes over the key and the row. The header is the version of the row, ``(event_timestamp, created_timestamp)``, as two
big-endian unsigned integers offset by 2**63, so that comparing headers as bytes compares versions.
Timestamps are microseconds since 1970-01-01 UTC.

An entity key is a MessagePack array of its values, empty for a view without an entity. It has at most 511 bytes, the limit of the
embedded store, so that a project can move from any store to any other.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import msgspec
import polars as pl

from featurestore.errors import ContractError, StoreError
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.values.key_columns import select_columns
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HEADER: Final = struct.Struct(">QQ")
# Raised when the bytes of a stored row or key get another meaning.
ROW_FORMAT: Final = 3
CHECKSUM_BYTES: Final = 4
TOMBSTONE_BYTES: Final = HEADER.size + CHECKSUM_BYTES
# CRC-32 of any bytes that are followed by their own CRC-32.
_INTACT: Final = 0x2144DF1C
_ALL_INTACT: Final = {_INTACT}
MAX_KEY_BYTES: Final = 511
# MessagePack adds at most this many bytes to a text (its type and length), and writes at most as many for a number.
_MAX_OVERHEAD: Final = 9
_OFFSET: Final = 1 << 63
_VALUES: Final = slice(HEADER.size, -CHECKSUM_BYTES)
_MAX_PART: Final = (1 << 64) - 1
_DELETED: Final = _MAX_PART.to_bytes(8, "big")
REBUILD: Final = "run: featurestore materialize --full"
_NIL: Final = b"\xc0"
_ENCODER: Final = msgspec.msgpack.Encoder()
_ENCODE: Final = _ENCODER.encode
_DECODER: Final = msgspec.msgpack.Decoder(list)
# Looking up the method at each row takes as long as it runs.
_decode_list: Final = _DECODER.decode
_unpack: Final = HEADER.unpack_from
_DAMAGED: Final = "a stored row is damaged: its checksum is not that of its bytes"


def version_of(row: bytes) -> bytes:
    """Return the version of a stored row. Of two rows, the one with the greater version wins."""
    return row[: HEADER.size]


def seal(key: bytes, content: bytes) -> bytes:
    """Return a stored row of a key: its header and values, and the checksum."""
    return content + crc32(content, crc32(key)).to_bytes(CHECKSUM_BYTES, "little")


def is_intact(key: bytes, row: bytes) -> bool:
    """Return whether a stored row is the row of a key, and no bit of either has changed."""
    return crc32(row, crc32(key)) == _INTACT


def require_intact(keys: Sequence[bytes], rows: Sequence[bytes | None]) -> None:
    """Refuse stored rows of which one has changed since it was written. All that reads rows calls this.

    Raises
    ------
    StoreError
        If the checksum of a row is not that of its key and bytes.
    """
    held: Sequence[Any] = rows
    if None in rows:
        held = [row for row in rows if row is not None]
        keys = [key for key, row in zip(keys, rows, strict=True) if row is not None]
    # As `is_intact`, without a step of Python for each row.
    if not set(map(crc32, held, map(crc32, keys))) <= _ALL_INTACT:
        raise StoreError(_DAMAGED, hint=REBUILD)


def values_of(row: bytes) -> bytes:
    """Return the encoded feature values of a stored row."""
    return row[_VALUES]


def tombstone(key: bytes, deleted_at: int) -> bytes:
    """Return the mark of a key that was deleted at a timestamp (microseconds).

    Rows of events up to and including that timestamp lose against it, whenever they are created.
    """
    return seal(key, HEADER.pack(deleted_at + _OFFSET, _MAX_PART))


def is_tombstone(row: bytes) -> bool:
    """Return whether a stored row is the mark of a deleted key: a version without values."""
    return len(row) == TOMBSTONE_BYTES and row[HEADER.size // 2 : HEADER.size] == _DELETED


def physical(dtype: pl.DataType) -> pl.DataType:
    """Return the stored dtype: times are integers, decimals are text, arrays are lists."""
    if isinstance(dtype, pl.Datetime):
        return pl.Int64()
    if isinstance(dtype, pl.Date):
        return pl.Int32()
    if isinstance(dtype, pl.Decimal):
        return pl.String()
    if isinstance(dtype, pl.List | pl.Array):
        inner: Any = dtype.inner
        return pl.List(physical(inner() if isinstance(inner, type) else inner))
    return dtype


def _stored(schema: pl.Schema) -> list[pl.Expr]:
    return [
        (pl.col(name).arr.to_list() if isinstance(dtype, pl.Array) else pl.col(name)).cast(physical(dtype))
        for name, dtype in schema.items()
    ]


def encode_key(key: tuple[Any, ...]) -> bytes:
    """Encode one entity key: Python values in the order of the entity's keys."""
    return _ENCODE(key)


def has_null(key: bytes) -> bool:
    """Return whether a value of an encoded entity key is null, so that no row has the key."""
    return _NIL in key and None in _DECODER.decode(key)


def too_long(keys: pl.DataFrame) -> pl.Series:
    """Return for each entity key, a row of values, whether it is too long for a store."""
    texts = [
        pl.col(name).cast(pl.Binary).bin.size().fill_null(0).cast(pl.Int64)
        for name, dtype in keys.schema.items()
        if isinstance(dtype, pl.String | pl.Binary)
    ]
    bound = sum(texts, start=pl.lit(_MAX_OVERHEAD * (keys.width + 1), dtype=pl.Int64))
    suspect = keys.with_columns((bound > MAX_KEY_BYTES).alias("__suspect")).get_column("__suspect")
    # Only keys that come near the limit are encoded.
    suspects = encode_keys(keys.filter(suspect), keys.columns)
    return suspect.scatter(suspect.arg_true(), [len(key) > MAX_KEY_BYTES for key in suspects])


def storable(key: bytes) -> bytes:
    """Return an encoded entity key if every store can hold it.

    All keys that pass the gate are short enough.

    Raises
    ------
    ContractError
        If the key has more than 511 bytes.
    """
    if len(key) > MAX_KEY_BYTES:
        raise ContractError(
            f"an entity key takes {len(key):,} bytes, and stores hold at most {MAX_KEY_BYTES}: {key[:40]!r}…",
            hint="use a shorter key, such as a digest",
        )
    return key


def event_of(row: bytes) -> int:
    """Return the event timestamp of a stored row, in microseconds."""
    event: int = HEADER.unpack_from(row)[0]
    return event - _OFFSET


def open_row(key: bytes, row: bytes) -> tuple[int, list[Any]] | None:
    """Return the event timestamp of a stored row and its feature values as stored. None: the key was deleted.

    Raises
    ------
    StoreError
        If the row has changed since it was written, or cannot be decoded.
    """
    if crc32(row, crc32(key)) != _INTACT:
        raise StoreError(_DAMAGED, hint=REBUILD)
    if len(row) == TOMBSTONE_BYTES and is_tombstone(row):
        return None
    try:
        return _unpack(row)[0] - _OFFSET, _decode_list(row[_VALUES])
    except msgspec.DecodeError as error:
        raise StoreError(f"stored bytes cannot be decoded: {error}", hint=REBUILD) from error


def decode_values(row: bytes) -> list[Any]:
    """Decode the feature values of a stored row, as they are stored."""
    return _decode(values_of(row))


def stored_columns(schema: pl.Schema) -> list[pl.Expr]:
    """Select columns as they are stored (`physical`)."""
    return _stored(schema)


def encode_keys(frame: pl.DataFrame, keys: Sequence[str]) -> list[bytes]:
    """Encode the entity key of each row.

    Parameters
    ----------
    frame
        Key columns in the dtypes of the view.
    keys
        Names of the key columns, in the order of the entity.
    """
    return [encode_key(key) for key in select_columns(frame, keys).iter_rows()]


def decode_keys(stored: Iterable[bytes], schema: pl.Schema) -> pl.DataFrame:
    """Decode entity keys into columns of `schema`."""
    return pl.DataFrame([_decode(key) for key in stored], schema=schema, orient="row")


def encode_rows(
    frame: pl.DataFrame, keys: Sequence[str], features: pl.Schema
) -> Iterator[tuple[bytes, bytes]]:
    """Encode rows of a view as pairs of key and stored row.

    Parameters
    ----------
    frame
        Keys, ``event_timestamp`` and features, and ``created_timestamp`` if the view has one (null
        counts as the event timestamp).

    Raises
    ------
    ContractError
        If a key is too long (`storable`).
    """
    created = (
        pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP)
        if CREATED_TIMESTAMP in frame.columns
        else EVENT_TIMESTAMP
    )
    versions = frame.select(
        event=pl.col(EVENT_TIMESTAMP).dt.epoch("us"),
        created=(pl.col(created) if isinstance(created, str) else created).dt.epoch("us"),
    )
    values = frame.select(_stored(features))
    for key, (event, known), row in zip(
        encode_keys(frame, keys), versions.iter_rows(), values.iter_rows(), strict=True
    ):
        yield key, seal(storable(key), HEADER.pack(event + _OFFSET, known + _OFFSET) + _ENCODE(row))


def encode_deleted(frame: pl.DataFrame, keys: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Encode deleted keys as pairs of key and tombstone.

    Parameters
    ----------
    frame
        Keys, and the time of each deletion as ``event_timestamp``.
    keys
        Names of the key columns, in the order of the entity.

    Raises
    ------
    ContractError
        If a key is too long (`storable`).
    """
    deletions = frame.get_column(EVENT_TIMESTAMP).dt.epoch("us")
    return [
        (key, tombstone(storable(key), deleted_at))
        for key, deleted_at in zip(encode_keys(frame, keys), deletions, strict=True)
    ]


def decode_rows(rows: Sequence[bytes | None], features: pl.Schema) -> pl.DataFrame:
    """Decode stored rows. A deleted key counts as one without a row.

    Returns
    -------
    pl.DataFrame
        ``event_timestamp`` (null where the row is missing) and the features in their dtypes. One
        row for each input.

    Raises
    ------
    StoreError
        If the bytes of a row do not fit the schema.
    """
    absent: list[Any] = [None] * (len(features) + 1)
    decoded = [
        absent if row is None or is_tombstone(row) else [event_of(row), *decode_values(row)] for row in rows
    ]
    stored = {EVENT_TIMESTAMP: pl.Int64(), **{name: physical(dtype) for name, dtype in features.items()}}
    try:
        frame = pl.DataFrame(decoded, schema=stored, orient="row")
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise StoreError(
            f"stored rows do not fit the schema {dict(features)}: {error}",
            hint=REBUILD,
        ) from error
    return frame.select(
        pl.col(EVENT_TIMESTAMP).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(UTC_MICROSECONDS),
        *(pl.col(name).cast(dtype) for name, dtype in features.items()),
    )


def _decode(data: bytes | memoryview) -> list[Any]:
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise StoreError(f"stored bytes cannot be decoded: {error}", hint=REBUILD) from error
