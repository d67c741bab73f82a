"""Examples of requests for the OpenAPI document. They are made up from the contracts and hold no row of the data."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from featurestore.adapters.bodies import CSV, JSON_LINES
from featurestore.definitions.source import Source
from featurestore.service.api.sample_rows import sample_row

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Node
    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.service.lookup.active_release import ActiveRelease
    from featurestore.service.lookup.endpoint import Endpoint

# Dtypes that CSV has no text for.
_NOT_IN_CSV = (pl.List, pl.Array, pl.Struct, pl.Binary)


def lookup_rows(endpoint: Endpoint, release: ActiveRelease) -> list[dict[str, Any]] | None:
    """Return one row that an endpoint accepts; None if no sample keeps the contracts of the request values.

    Its keys are made up, so the online store may not have them.
    """
    service = endpoint.service
    now = release.now()
    row: dict[str, Any] = {}
    for selection in service.reads:
        view = sample_row(selection.view.feature_contract, now)
        if view is None:
            return None
        row |= dict(zip(selection.keys, (view[key] for key in selection.view.key_schema), strict=True))
    for on_demand in service.on_demand:
        values = sample_row(on_demand.request, now)
        if values is None:
            return None
        row |= values
    return [{name: row[name] for name in {**service.key_schema, **service.request_schema}}]


def online_features_request(release: ActiveRelease) -> dict[str, Any] | None:
    """Return a request in Feast's wire format for the first feature service."""
    endpoint = next(iter(release.endpoints.values()))
    rows = lookup_rows(endpoint, release)
    if rows is None:
        return None
    entities = {name: [row[name] for row in rows] for name in rows[0]}
    return {"feature_service": endpoint.name, "entities": entities}


def push_request(release: ActiveRelease) -> dict[str, Any] | None:
    """Return a push of one row to the first feature view that a service reads."""
    view, columns = _pushed(release)
    return None if columns is None else {"push_source_name": view.name, "df": columns, "to": "online"}


def write_request(release: ActiveRelease) -> dict[str, Any] | None:
    """Return the row of `push_request` in the form that Feast's remote online store writes."""
    view, columns = _pushed(release)
    return None if columns is None else {"feature_view_name": view.name, "df": columns}


def _pushed(release: ActiveRelease) -> tuple[FeatureView, dict[str, list[Any]] | None]:
    endpoint = next(iter(release.endpoints.values()))
    view = endpoint.service.reads[0].view
    row = sample_row(view.contract, release.now())
    return view, None if row is None else {name: [value] for name, value in row.items()}


def dataset_bodies(node: Node, now: datetime) -> dict[str, str]:
    """Return one row of a dataset as text, by the media types that can hold it; empty without a sample."""
    row = sample_row(node.contract, now)
    if row is None:
        return {}
    written = {name: _written(value, node.contract, name) for name, value in row.items()}
    bodies = {JSON_LINES: msgspec.json.encode(written).decode() + "\n"}
    if not any(isinstance(column.dtype, _NOT_IN_CSV) for column in node.contract.columns):
        bodies = {CSV: _csv(written, _null_of(node))} | bodies
    return bodies


def _written(value: Any, contract: Contract, name: str) -> Any:
    """Write a time in the format that raw data have; any other value as it is."""
    form = contract[name].metadata.get("format")
    if form is not None and isinstance(value, date | datetime | time):
        return pl.Series([value], dtype=contract[name].dtype).dt.to_string(form)[0]
    return value


def _null_of(node: Node) -> str:
    """Return how a CSV file of a dataset writes a missing value."""
    return next(iter(node.null_values), "") if isinstance(node, Source) else ""


def _csv(row: dict[str, Any], null: str) -> str:
    text = io.StringIO()
    values = [
        null
        if value is None
        else value
        if isinstance(value, str)
        else msgspec.json.encode(value).decode().strip('"')
        for value in msgspec.to_builtins(list(row.values()))
    ]
    csv.writer(text, lineterminator="\n").writerows([list(row), values])
    return text.getvalue()
