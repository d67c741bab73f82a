"""The paths of one route in the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.adapters.bodies import FORMATS
from featurestore.service.api.examples import dataset_bodies, lookup_rows
from featurestore.service.api.problems import ProblemBody
from featurestore.service.route import Admission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.catalog import Node
    from featurestore.service.lookup.active_release import ActiveRelease
    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.service.route import Documentation, Route

ERRORS = {
    "400": "The body is not JSON.",
    "401": "The API key is missing or unknown.",
    "403": "The API key is for other services, or lacks the scope.",
    "404": "The feature service, view, dataset or feature does not exist.",
    "409": "The store has rows that were not known at `as_of`.",
    "413": "The body is too large.",
    "415": "The server cannot read the format of the body.",
    "422": "A value is missing, unknown, of another type, or breaks its contract.",
    "500": "The server failed.",
    "503": "The server is busy or late, or the store does not answer. Try again after `Retry-After` seconds.",
}


def paths_of(route: Route, release: ActiveRelease) -> dict[str, Any]:
    """Return the paths of a route, each with its operation. A route without documentation has none."""
    page = route.documentation
    if page is None:
        return {}
    method = route.method.lower()
    if page.each == "service":
        return {
            route.path.format(service=name): {method: _service_operation(route, page, endpoint, release)}
            for name, endpoint in release.endpoints.items()
        }
    if page.each == "dataset":
        return {
            route.path.format(dataset=name): {method: _dataset_operation(route, page, node, release)}
            for name, node in release.project.catalog.nodes.items()
        }
    operation = _operation(route, page)
    if page.request is not None:
        example = None if page.example is None else page.example(release)
        operation["requestBody"] = _json_body(page.request, example)
    return {route.path: {method: operation}}


def _operation(route: Route, page: Documentation, name: str | None = None) -> dict[str, Any]:
    """Describe an operation without its body; `name` is that of its feature service or dataset."""
    answer: dict[str, Any] = {"description": "Success."}
    if page.response is not None:
        answer["content"] = {"application/json": {"schema": _reference(page.response)}}
    operation: dict[str, Any] = {
        "operationId": page.operation if name is None else f"{page.operation}_{name}",
        "tags": [page.group],
        "summary": page.summary if name is None else page.summary.format(name=name),
    }
    if page.description is not None:
        operation["description"] = page.description
    if route.scope is Admission.ANYONE:
        operation["security"] = []
    statuses = {status: {"description": text} for status, text in (page.statuses or {}).items()}
    errors = {status: _error(route, status) for status in sorted(page.errors)}
    return operation | {"responses": {"200": answer} | statuses | errors}


def _service_operation(
    route: Route, page: Documentation, endpoint: Endpoint, release: ActiveRelease
) -> dict[str, Any]:
    operation = _operation(route, page, endpoint.name)
    if endpoint.service.description:
        operation["summary"] = endpoint.service.description
    lines = [f"- `{name}`: {dtype}" for name, dtype in endpoint.service.feature_schema.items()]
    operation["description"] = "Values in this order:\n\n" + "\n".join(lines)
    rows = lookup_rows(endpoint, release)
    operation["requestBody"] = _json_body(endpoint.request, None if rows is None else {"rows": rows})
    return operation


def _dataset_operation(
    route: Route, page: Documentation, node: Node, release: ActiveRelease
) -> dict[str, Any]:
    operation = _operation(route, page, node.name)
    if page.query is not None:
        operation["parameters"] = _parameters(page.query, release.project.quality.environments(node.name))
    if route.streamed:
        examples = dataset_bodies(node, release.now())
        content = {
            media: {"schema": {"type": "string"}, "example": examples[media]}
            if media in examples
            else {"schema": {"type": "string", "contentMediaType": media}}
            for media in FORMATS
        }
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(query: type, environments: Sequence[str]) -> list[dict[str, Any]]:
    """Describe the query parameters of a dataset; the values of ``environment`` are those of its contract."""
    schema = msgspec.json.schema(query)["$defs"][query.__name__]
    choices = {"environment": {"type": "string", "enum": list(environments)}}
    parameters = []
    for name, keywords in schema["properties"].items():
        description = keywords.pop("description")
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": description,
                "schema": choices.get(name, keywords),
            }
        )
    return parameters


def _json_body(request: type, example: object) -> dict[str, Any]:
    body: dict[str, Any] = {"schema": _reference(request)}
    if example is not None:
        body["example"] = msgspec.to_builtins(example)
    return {"required": True, "content": {"application/json": body}}


def _error(route: Route, status: str) -> dict[str, Any]:
    # Feast's clients read an error as text that names one of Feast's exceptions.
    schema: dict[str, Any] = {"type": "string"} if route.feast_errors else _reference(ProblemBody)
    return {"description": ERRORS[status], "content": {"application/json": {"schema": schema}}}


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
