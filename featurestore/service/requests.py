"""The JSON that a feature service is asked with, as a type: decoding it is checking it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import polars as pl
from msgspec import Meta

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import FeatureService

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


def json_type(dtype: pl.DataType) -> Any:
    """Return the type that msgspec reads a value of a dtype as: of integers the range, of moments the time zone."""
    if isinstance(dtype, pl.List | pl.Array):
        return list[json_type(pl.Series(dtype=dtype.inner).dtype) | None]  # type: ignore[misc]
    if isinstance(dtype, pl.Datetime):
        return Annotated[datetime, Meta(tz=True)]
    if type(dtype) in _SCALARS:
        return _SCALARS[type(dtype)]
    limits: Any = dtype
    low, high = pl.select(low=limits.min(), high=limits.max()).row(0)
    return Annotated[int, Meta(ge=low, le=high)]


def request_type(service: FeatureService, *, most: int) -> type[Any]:
    """Make the type of a request to a service: ``rows`` of keys and request values, and ``as_of`` what moment.

    Parameters
    ----------
    most
        Rows in one request.
    """
    schema = {**service.key_schema, **service.request_schema}
    # Columns need not be names that Python knows.
    names = {f"_{i}": name for i, name in enumerate(schema)}
    row = msgspec.defstruct(
        f"{service.name}_row",
        [(field, json_type(schema[name]) | None) for field, name in names.items()],
        rename=names,
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )
    return msgspec.defstruct(
        f"{service.name}_request",
        [
            ("rows", Annotated[list[row], Meta(max_length=most)]),  # type: ignore[valid-type]
            ("as_of", Annotated[datetime, Meta(tz=True)] | None, None),
        ],
        forbid_unknown_fields=True,
        frozen=True,
    )
