"""Examples of requests for the OpenAPI document."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from featurestore.adapters.bodies import CSV, JSON_LINES
from featurestore.errors import FeatureStoreError
from featurestore.service.lookup.json_schema import json_schema

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Node
    from featurestore.service.lookup.active_release import ActiveRelease
    from featurestore.service.lookup.endpoint import Endpoint


def lookup_rows(endpoint: Endpoint, release: ActiveRelease) -> list[dict[str, Any]]:
    """Return rows that an endpoint can be asked for: a row of the training set, or values of the right types."""
    service = endpoint.service
    try:
        rows = release.project.example(endpoint.name).to_dicts() if endpoint.named else []
    except FeatureStoreError:
        rows = []
    if rows:
        return rows
    columns = [column for view in service.on_demand for column in view.request.columns]
    keywords = {column.name: json_schema(column) for column in columns}
    schema = {**service.key_schema, **service.request_schema}
    now = release.now()
    return [{name: example_value(dtype, keywords.get(name, {}), now) for name, dtype in schema.items()}]


def online_features_request(release: ActiveRelease) -> dict[str, Any]:
    """Return a request in Feast's wire format for the first feature service."""
    endpoint = next(iter(release.endpoints.values()))
    rows = lookup_rows(endpoint, release)
    entities = {name: [row[name] for row in rows] for name in rows[0]}
    return {"feature_service": endpoint.name, "entities": entities}


def dataset_bodies(node: Node, release: ActiveRelease) -> dict[str, str]:
    """Return one row of a dataset as text, by the media types that are text."""
    now = release.now()
    row = {
        column.name: example_value(column.dtype, json_schema(column), now) for column in node.contract.columns
    }
    return {CSV: _csv(row), JSON_LINES: msgspec.json.encode(row).decode() + "\n"}


def example_value(dtype: pl.DataType, keywords: dict[str, Any], now: datetime) -> Any:
    """Return a value of a dtype that satisfies keywords of JSON Schema, as far as simple values can."""
    for keyword in ("minimum", "maximum"):
        if keyword in keywords:
            return keywords[keyword]
    if "enum" in keywords:
        return keywords["enum"][0]
    values: tuple[tuple[Any, Any], ...] = (
        (pl.String, "a"),
        (pl.Boolean, True),
        (pl.Binary, b"a"),
        (pl.Float32 | pl.Float64, 1.5),
        (pl.Datetime, now),
        (pl.Date, date(now.year, now.month, now.day)),
        (pl.Decimal, Decimal(1)),
        (pl.List | pl.Array, []),
    )
    return next((value for kind, value in values if isinstance(dtype, kind)), 1)


def _csv(row: dict[str, Any]) -> str:
    text = io.StringIO()
    values = [
        value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
        for value in msgspec.to_builtins(list(row.values()))
    ]
    csv.writer(text, lineterminator="\n").writerows([list(row), values])
    return text.getvalue()
