"""The codec: feature rows and entity keys as bytes, the same in every online store.

A stored row is a header of 16 bytes and a MessagePack array of the feature values in the order of the schema. The
header is the row's version, ``(event_timestamp, created_timestamp)``, as two big-endian unsigned integers offset by
2**63: comparing headers as bytes compares versions. Timestamps are microseconds since 1970-01-01 UTC.

An entity key is a MessagePack array of its values, of at most 511 bytes: what every store can hold, the embedded one
included, so that a project may move from one to another.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from featurestore.errors import ContractError, StoreError
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HEADER: Final = struct.Struct(">QQ")
MAX_KEY_BYTES: Final = 511
# What MessagePack writes at most beside a text's bytes, or for a number: its kind, and its length or the number itself.
_MAX_BESIDE: Final = 9
_OFFSET: Final = 1 << 63
_ENCODER: Final = msgspec.msgpack.Encoder()
_ENCODE: Final = _ENCODER.encode
_DECODER: Final = msgspec.msgpack.Decoder(list)


def version_of(row: bytes) -> bytes:
    """Return the part of a stored row that decides which of two rows wins: the greater."""
    return row[: HEADER.size]


def tombstone(moment: int) -> bytes:
    """Return what stands for a key deleted at a moment (microseconds): rows of older events do not bring it back."""
    return HEADER.pack(moment + _OFFSET, moment + _OFFSET)


def is_tombstone(row: bytes) -> bool:
    """Say whether a stored row stands for a deleted key: a version with no values."""
    return len(row) == HEADER.size


def physical(dtype: pl.DataType) -> pl.DataType:
    """Return the dtype in which a value is stored: times as integers, decimals as text, fixed-width vectors as lists."""
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
    """Encode one entity key: Python values in the entity's order."""
    return _ENCODE(key)


def too_long(keys: pl.DataFrame) -> pl.Series:
    """Say of each entity key, given as a row of its values, whether it takes more bytes than a store can hold."""
    texts = [
        pl.col(name).cast(pl.Binary).bin.size().fill_null(0).cast(pl.Int64)
        for name, dtype in keys.schema.items()
        if isinstance(dtype, pl.String | pl.Binary)
    ]
    most = sum(texts, start=pl.lit(_MAX_BESIDE * (keys.width + 1), dtype=pl.Int64))
    near = keys.with_columns((most > MAX_KEY_BYTES).alias("__near")).get_column("__near")
    # Only what comes near the limit is encoded.
    return near.scatter(
        near.arg_true(), [len(key) > MAX_KEY_BYTES for key in encode_keys(keys.filter(near), keys.columns)]
    )


def storable(key: bytes) -> bytes:
    """Return an encoded entity key that every store can hold; what the gate lets through is.

    Raises
    ------
    ContractError
        If it is too long.
    """
    if len(key) > MAX_KEY_BYTES:
        raise ContractError(
            f"an entity key takes {len(key):,} bytes, and stores hold {MAX_KEY_BYTES}: {key[:40]!r}…",
            hint="use a shorter key, such as a digest",
        )
    return key


def event_of(row: bytes) -> int:
    """Return the event timestamp of a stored row, in microseconds."""
    event: int = HEADER.unpack_from(row)[0]
    return event - _OFFSET


def open_row(row: bytes) -> tuple[int, list[Any]]:
    """Return the event timestamp of a stored row that is no tombstone, and its feature values as they are stored."""
    try:
        return HEADER.unpack_from(row)[0] - _OFFSET, _DECODER.decode(row[HEADER.size :])
    except msgspec.DecodeError as error:
        raise StoreError(f"stored bytes cannot be decoded: {error}", hint="materialize anew") from error


def decode_values(row: bytes) -> list[Any]:
    """Decode the feature values of a stored row, as they are stored."""
    return _decode(memoryview(row)[HEADER.size :])


def encode_keys(frame: pl.DataFrame, keys: Sequence[str]) -> list[bytes]:
    """Encode the entity key of each row.

    Parameters
    ----------
    frame
        Holds the key columns in the view's dtypes.
    keys
        Their names, in the entity's order.
    """
    return [encode_key(key) for key in frame.select(keys).iter_rows()]


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
        Keys, ``event_timestamp``, features; ``created_timestamp`` where the view has one (null: the event's).

    Raises
    ------
    ContractError
        If a key is not `storable`.
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
    for key, (event, made), row in zip(
        encode_keys(frame, keys), versions.iter_rows(), values.iter_rows(), strict=True
    ):
        yield storable(key), HEADER.pack(event + _OFFSET, made + _OFFSET) + _ENCODE(row)


def encode_deleted(frame: pl.DataFrame, keys: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Encode deleted keys as pairs of key and tombstone; `frame` holds them and the moments, as ``event_timestamp``.

    Raises
    ------
    ContractError
        If a key is not `storable`.
    """
    moments = frame.get_column(EVENT_TIMESTAMP).dt.epoch("us")
    return [
        (storable(key), tombstone(moment))
        for key, moment in zip(encode_keys(frame, keys), moments, strict=True)
    ]


def decode_rows(rows: Sequence[bytes | None], features: pl.Schema) -> pl.DataFrame:
    """Decode stored rows; a deleted key has none.

    Returns
    -------
    pl.DataFrame
        ``event_timestamp`` (null where there is no row) and the features in their dtypes, one row for each given.

    Raises
    ------
    StoreError
        If a row's bytes are not those of this schema.
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
            f"stored rows are not of the schema {dict(features)}: {error}", hint="materialize anew"
        ) from error
    return frame.select(
        pl.col(EVENT_TIMESTAMP).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(UTC_MICROSECONDS),
        *(_declared(name, dtype) for name, dtype in features.items()),
    )


def _declared(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(name).cast(dtype)


def _decode(data: bytes | memoryview) -> list[Any]:
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise StoreError(f"stored bytes cannot be decoded: {error}", hint="materialize anew") from error
