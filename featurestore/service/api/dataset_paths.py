"""What the OpenAPI document says of datasets: how each is sent to be judged, and how its history is asked for."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from featurestore.adapters.bodies import CSV, FORMATS, JSON_LINES
from featurestore.service.api.datasets import MAX_RUNS, Datasets, History, Judged
from featurestore.service.api.json_schema import json_schema
from featurestore.service.api.samples import sample

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Node
    from featurestore.service.lookup.active_release import ActiveRelease

Problems: TypeAlias = Callable[..., dict[str, Any]]


def dataset_paths(serving: ActiveRelease, problems: Problems) -> dict[str, Any]:
    """Describe the paths of all datasets.

    Parameters
    ----------
    problems
        Describes refusals by their statuses.
    """
    paths: dict[str, Any] = {}
    for name, node in serving.project.catalog.nodes.items():
        paths[f"/v1/datasets/{name}/validate"] = {"post": _validate(node, serving, problems)}
        paths[f"/v1/datasets/{name}/history"] = {"get": _history(node, problems)}
    paths["/v1/datasets"] = {
        "get": {
            "operationId": "datasets",
            "summary": "All datasets, with the last verdict on each",
            "responses": {"200": _answer("The datasets.", Datasets)} | problems(),
        }
    }
    return paths


def _validate(node: Node, serving: ActiveRelease, problems: Problems) -> dict[str, Any]:
    row = {
        column.name: sample(column.dtype, json_schema(column), serving.now())
        for column in node.contract.columns
    }
    examples = {CSV: _csv(row), JSON_LINES: msgspec.json.encode(row).decode() + "\n"}
    content = {
        media: {"schema": {"type": "string"}, "example": examples[media]}
        if media in examples
        else {"schema": {"type": "string", "contentMediaType": media}}
        for media in FORMATS
    }
    return {
        "operationId": f"validate_{node.name}",
        "summary": f"Have rows judged by the contract of {node.name}",
        "description": "The decision is in the answer: passed, quarantined or refused. Nothing of the project's data changes.",
        "parameters": [
            _parameter(
                "environment",
                "Where the rows are: columns that are not expected there are not asked for.",
                {"type": "string", "enum": list(serving.project.quality.environments(node.name))},
            )
        ],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": _answer("The rows were judged.", Judged)} | problems("404", "413", "415", "422"),
    }


def _history(node: Node, problems: Problems) -> dict[str, Any]:
    most = {"type": "integer", "minimum": 1, "maximum": MAX_RUNS, "default": 100}
    return {
        "operationId": f"history_{node.name}",
        "summary": f"What each run found of {node.name}, the newest last",
        "parameters": [_parameter("most", "How many runs.", most)],
        "responses": {"200": _answer("The runs.", History)} | problems("404", "422"),
    }


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _answer(description: str, kind: type) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _csv(row: dict[str, Any]) -> str:
    text = io.StringIO()
    values = [
        v if isinstance(v, str) else msgspec.json.encode(v).decode().strip('"')
        for v in msgspec.to_builtins(list(row.values()))
    ]
    csv.writer(text, lineterminator="\n").writerows([list(row), values])
    return text.getvalue()
