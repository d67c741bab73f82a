"""Read values of JSON as rows: each column in its dtype, checked value by value."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import polars as pl
from msgspec import Meta

from featurestore.errors import ContractError
from featurestore.timestamps import is_below_a_microsecond
from featurestore.timing.epoch import in_utc
from featurestore.values.accepted import accepted_hint, is_read_exactly, value_check
from featurestore.values.feast_wire import from_seconds
from featurestore.values.names import without_field_names
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCALARS: Final[dict[type[pl.DataType], Any]] = {
    pl.String: str,
    pl.Boolean: bool,
    pl.Binary: bytes,
    pl.Float32: float,
    pl.Float64: float,
    pl.Date: date,
    pl.Decimal: Decimal,
    pl.UInt64: Annotated[int, Meta(ge=0)],
}


_raw_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def json_type(dtype: pl.DataType) -> Any:
    """Return the type that msgspec reads a value of a dtype as: integers with their range, timestamps with a time zone."""
    if isinstance(dtype, pl.List | pl.Array):
        return list[json_type(pl.Series(dtype=dtype.inner).dtype) | None]  # type: ignore[misc]
    if isinstance(dtype, pl.Datetime):
        return Annotated[datetime, Meta(tz=True)]
    if type(dtype) in _SCALARS:
        return _SCALARS[type(dtype)]
    low, high = integer_limits(dtype)
    return Annotated[int, Meta(ge=low, le=high)]


def decoded_type(dtype: pl.DataType) -> Any:
    """Return `json_type`, but keep integers for floats: whether the float holds one is checked on its value."""
    if isinstance(dtype, pl.List | pl.Array):
        return list[decoded_type(pl.Series(dtype=dtype.inner).dtype) | None]  # type: ignore[misc]
    return int | float if dtype.is_float() else json_type(dtype)


class JsonColumn:
    """Reads the values of one column in its dtype.

    A timestamp is seconds since 1970 or ISO 8601 text, as in Feast; text without a time zone is UTC.

    Parameters
    ----------
    where
        Begins the messages of errors.
    name
        Name of the column.
    dtype
        Its dtype.
    """

    def __init__(self, where: str, name: str, dtype: pl.DataType) -> None:
        self._where = where
        self._name = name
        self._dtype = dtype
        self._is_timestamp = isinstance(dtype, pl.Datetime)
        value = datetime | int if self._is_timestamp else decoded_type(dtype)
        self._type: Any = list[value | None]  # type: ignore[valid-type]
        # msgspec keeps what it knows of a struct, and examines any other type at each call.
        self._column: Any = msgspec.defstruct("Column", [("values", self._type)], array_like=True)
        # None: a value of the type is one of the dtype.
        self._check = None if is_read_exactly(dtype) else value_check("value", name, dtype)

    def read(self, values: list[Any]) -> list[Any]:
        """Read values.

        Raises
        ------
        ContractError
            If a value has another type or does not fit the dtype exactly, or a timestamp is outside the
            years 1 to 9999.
        """
        if self._is_timestamp:
            self._require_microseconds(values)
        typed = self._typed(values)
        if self._check is None:
            return typed
        # When a value fails, `result` holds the values before it, so its length is the row.
        result: list[Any] = []
        try:
            if self._is_timestamp:
                result.extend(self._check(_timestamp(value)) for value in typed)
            else:
                result.extend(map(self._check, typed))
        except ContractError as error:
            raise ContractError(
                f"{self._where}: row {len(result):,}: {error.message}", hint=error.hint
            ) from error
        except OverflowError as error:
            raise ContractError(
                f"{self._where}: row {len(result):,}: {self._name!r}: a timestamp is outside the years 1 to 9999",
                hint="a number is seconds since 1970, in UTC",
            ) from error
        return result

    def _require_microseconds(self, values: list[Any]) -> None:
        # msgspec rounds further digits.
        for row, value in enumerate(values):
            if isinstance(value, str) and is_below_a_microsecond(value):
                raise ContractError(
                    f"{self._where}: row {row:,}: {self._name!r} is {value!r:.100}, which has digits below a microsecond",
                    hint=accepted_hint(self._dtype),
                )

    def _typed(self, values: list[Any]) -> list[Any]:
        try:
            typed: list[Any] = msgspec.convert((values,), self._column, builtin_types=()).values
        except msgspec.ValidationError:
            return self._typed_alone(values)
        return typed

    def _typed_alone(self, values: list[Any]) -> list[Any]:
        """As `_typed`, but an error has the place of the value in the column."""
        try:
            typed: list[Any] = msgspec.convert(values, self._type, builtin_types=())
        except msgspec.ValidationError as error:
            reason = without_field_names(str(error))
            raise ContractError(
                f"{self._where}: {self._name!r}, expected {self._dtype}: {reason}",
                hint="GET /openapi.json has the JSON form of each column",
            ) from error
        return typed


def column_fault(body: bytes, field: str) -> str | None:
    """Say which column of a body cannot be decoded as a list of values, and why. None: no column is at fault.

    Parameters
    ----------
    body
        A JSON object.
    field
        The field of the body that has the columns by name.
    """
    try:
        columns = _raw_object.decode(_raw_object.decode(body).get(field, b"{}"))
    except msgspec.DecodeError:
        return None
    for name, values in columns.items():
        try:
            msgspec.json.decode(values, type=list[Any])
        except msgspec.DecodeError as error:
            return f"{name!r:.100}: {error}"
    return None


def row_count(where: str, columns: Mapping[str, list[Any]]) -> int:
    """Return how many rows columns have.

    Raises
    ------
    ContractError
        If the columns differ in length.
    """
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ContractError(
            f"{where}: the columns have different lengths: {sorted(lengths)}",
            hint="send one value a row in each column, null where it is missing",
        )
    return max(lengths, default=0)


def _timestamp(value: datetime | int | None) -> datetime | None:
    if isinstance(value, int):
        return from_seconds(value)
    return value if value is None else in_utc(value)
