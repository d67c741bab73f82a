"""The JSON that a feature service is asked with, as a type: decoding it is checking its types.

What the contracts of request values promise beyond that is checked by their gate, which says the same everywhere; the
type that is published says as much of it as JSON Schema can.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from featurestore.service.api.json_schema import json_schema
from featurestore.values.json_rows import json_type
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from featurestore.definitions.contract import Column
    from featurestore.definitions.feature_service import FeatureService


def json_schema_of(column: Column) -> Any:
    """Return the type of a request value under its contract, for publication."""
    kind, said = json_type(column.dtype), json_schema(column)
    if column.dtype.is_integer():
        low, high = integer_limits(column.dtype)
        kind, said = int, {"minimum": low, "maximum": high} | said
    kind = Annotated[kind, Meta(extra_json_schema=said)]
    nullable = column.nullable and all(check.ignore_na or check.raise_warning for check in column.checks)
    return kind | None if nullable else kind


def request_type(service: FeatureService, *, most: int, promised: bool = False) -> type[Any]:
    """Make the type of a request to a service: ``rows`` of keys and request values, and ``as_of`` what moment.

    Parameters
    ----------
    most
        Rows in one request.
    promised
        True: with what the contracts of request values promise, for publication.
    """
    schema = {**service.key_schema, **service.request_schema}
    types = {name: json_type(dtype) | None for name, dtype in schema.items()}
    if promised:
        contracts = [view.request for view in service.on_demand if view.request.policy.on_invalid != "warn"]
        types |= {
            column.name: json_schema_of(column) for contract in contracts for column in contract.columns
        }
    # Columns need not be names that Python knows.
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
            ("rows", Annotated[list[row], Meta(max_length=most)]),  # type: ignore[valid-type]
            ("as_of", Annotated[datetime, Meta(tz=True)] | None, None),
        ],
        forbid_unknown_fields=True,
        frozen=True,
    )
