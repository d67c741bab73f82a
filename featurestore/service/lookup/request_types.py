"""The JSON of requests to a feature service, as a type: decoding a request checks its types.

The gate checks the contracts of request values, with the same messages everywhere. The published type has as much of
the contracts as JSON Schema can express.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from featurestore.service.lookup.json_schema import json_schema
from featurestore.values.json_rows import decoded_type, json_type
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from featurestore.definitions.contract import Column
    from featurestore.definitions.feature_service import FeatureService


def published_type(column: Column) -> Any:
    """Return the type of a request value with its contract as JSON Schema, for publication."""
    kind = json_type(column.dtype)
    keywords = json_schema(column)
    if column.dtype.is_integer():
        low, high = integer_limits(column.dtype)
        kind = int
        keywords = {"minimum": low, "maximum": high} | keywords
    kind = Annotated[kind, Meta(extra_json_schema=keywords)]
    nullable = column.nullable and all(check.ignore_na or check.raise_warning for check in column.checks)
    return kind | None if nullable else kind


def request_type(service: FeatureService, *, max_rows: int, with_contracts: bool = False) -> type[Any]:
    """Make the type of a request to a service: ``rows`` of keys and request values, and the instant ``as_of``.

    Parameters
    ----------
    max_rows
        Maximum number of rows in one request.
    with_contracts
        True: the type has the contracts of request values as JSON Schema, for publication.
    """
    schema = {**service.key_schema, **service.request_schema}
    types = {name: decoded_type(dtype) | None for name, dtype in schema.items()}
    if with_contracts:
        types = {name: json_type(dtype) | None for name, dtype in schema.items()}
        contracts = [view.request for view in service.on_demand if view.request.policy.on_invalid != "warn"]
        types |= {
            column.name: published_type(column) for contract in contracts for column in contract.columns
        }
    # Names of columns need not be identifiers of Python.
    names = {f"_{i}": name for i, name in enumerate(schema)}
    row = msgspec.defstruct(
        f"{service.name}_row",
        [(field, types[name]) for field, name in names.items()],
        rename=names,
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )
    return msgspec.defstruct(
        f"{service.name}_request",
        [
            ("rows", Annotated[list[row], Meta(max_length=max_rows)]),  # type: ignore[valid-type]
            ("as_of", Annotated[datetime, Meta(tz=True)] | None, None),
        ],
        forbid_unknown_fields=True,
        frozen=True,
    )
