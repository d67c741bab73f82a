"""The OpenAPI document of what is served, and a page that shows it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
import msgspec

from featurestore.errors import FeatureStoreError
from featurestore.service.api.dataset_paths import dataset_paths
from featurestore.service.api.datasets import Datasets, History, Judged
from featurestore.service.api.feast import OnlineRequest, OnlineResponse, PushRequest, WriteRequest
from featurestore.service.api.json_schema import json_schema
from featurestore.service.api.problems import ProblemBody
from featurestore.service.api.samples import sample
from featurestore.service.guard import OPEN
from featurestore.service.lookup.endpoint import Answer

if TYPE_CHECKING:
    from featurestore.service.lookup.active_release import ActiveRelease
    from featurestore.service.lookup.endpoint import Endpoint

PROBLEMS = {
    "400": "The body is no JSON.",
    "401": "No valid API key.",
    "403": "The API key is for other services, or may not do this.",
    "404": "There is no such feature service, view, dataset or feature.",
    "409": "The store is ahead of `as_of`.",
    "413": "The body is too large.",
    "415": "The body is of no format that can be read.",
    "422": "A value is missing, unknown, of another type, or breaks its contract.",
    "500": "The server failed.",
    "503": "Busy, late, or the store does not answer; try again after `Retry-After` seconds.",
}


def openapi(serving: ActiveRelease, *, keyed: bool) -> dict[str, Any]:
    """Describe what is served as OpenAPI 3.1: for each feature service its keys, request values and an example."""
    types = [endpoint.request for endpoint in serving.endpoints.values()]
    shared = [Answer, OnlineRequest, OnlineResponse, PushRequest, WriteRequest, ProblemBody]
    shared += [Judged, History, Datasets]
    _, schemas = msgspec.json.schema_components([*types, *shared], ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for name, endpoint in serving.endpoints.items():
        paths[f"/v1/vectors/{name}"] = {"post": _vectors(endpoint, serving)}
    first = next(iter(serving.endpoints.values()))
    paths |= {
        "/get-online-features": {
            "post": _operation(
                "get_online_features",
                "Look up features, as Feast's feature server does",
                OnlineRequest,
                OnlineResponse,
                example={"feature_service": first.name, "entities": _columns(_rows(first, serving))},
                refused=("400", "404", "413", "422"),
            )
        },
        "/push": {
            "post": _operation(
                "push", "Push rows to a feature view", PushRequest, None, refused=("400", "404", "413", "422")
            )
        },
        "/write-to-online-store": {
            "post": _operation(
                "write_to_online_store",
                "Push rows, as Feast's remote online store does",
                WriteRequest,
                None,
                refused=("400", "404", "413", "422"),
            )
        },
    }
    paths |= dataset_paths(serving, _problems)
    for path, summary in {
        "/v1/services": "What is served",
        "/health": "Whether the process lives",
        "/ready": "Whether the store answers",
        "/metrics": "Prometheus metrics",
    }.items():
        paths[path] = {"get": _get(path, summary)}
    components: dict[str, Any] = {"schemas": schemas}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": f"featurestore: {serving.project.settings.name}", "version": serving.release},
        "paths": paths,
        "components": components,
    }
    if keyed:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    return document


def docs(document: dict[str, Any]) -> str:
    """Write the page: every operation with its example, to be edited and sent; nothing is loaded from elsewhere."""
    return _template().render(document=document)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["json"] = _pretty
    return environment.from_string(
        files("featurestore.service.api").joinpath("docs.html.j2").read_text("utf-8")
    )


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _vectors(endpoint: Endpoint, serving: ActiveRelease) -> dict[str, Any]:
    operation = _operation(
        f"vectors_{endpoint.name}",
        endpoint.service.description or f"Vectors of {endpoint.name}",
        endpoint.request,
        Answer,
        example={"rows": _rows(endpoint, serving)},
        refused=("400", "409", "413", "422"),
    )
    lines = [f"- `{name}`: {dtype}" for name, dtype in endpoint.service.feature_schema.items()]
    operation["description"] = "Values in this order:\n\n" + "\n".join(lines)
    return operation


def _operation(
    name: str,
    summary: str,
    asked: type,
    answered: type | None,
    *,
    refused: tuple[str, ...],
    example: object = None,
) -> dict[str, Any]:
    body: dict[str, Any] = {"schema": _reference(asked)}
    if example is not None:
        body["example"] = msgspec.to_builtins(example)
    answer: dict[str, Any] = {"description": "Done."}
    if answered is not None:
        answer["content"] = {"application/json": {"schema": _reference(answered)}}
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {"200": answer} | _problems(*refused, feast=not name.startswith("vectors_")),
    }


def _get(path: str, summary: str) -> dict[str, Any]:
    return {
        "operationId": path.strip("/").replace("/", "_"),
        "summary": summary,
        **({"security": []} if path in OPEN else {}),
        "responses": {"200": {"description": "Done."}}
        | ({"503": {"description": "Not ready."}} if path == "/ready" else _problems()),
    }


def _problems(*refused: str, feast: bool = False) -> dict[str, Any]:
    # Feast's clients read an error as text that names one of Feast's own.
    schema: dict[str, Any] = {"type": "string"} if feast else _reference(ProblemBody)
    return {
        status: {"description": PROBLEMS[status], "content": {"application/json": {"schema": schema}}}
        for status in sorted({*refused, "401", "403", "500", "503"})
    }


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _rows(endpoint: Endpoint, serving: ActiveRelease) -> list[dict[str, Any]]:
    """Give an example: a row of the training set, or values of the right types."""
    try:
        found = serving.project.example(endpoint.name).to_dicts() if endpoint.named else []
    except FeatureStoreError:
        found = []
    schema = {**endpoint.service.key_schema, **endpoint.service.request_schema}
    promised = {c.name: json_schema(c) for view in endpoint.service.on_demand for c in view.request.columns}
    return found or [
        {name: sample(dtype, promised.get(name, {}), serving.now()) for name, dtype in schema.items()}
    ]


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}
