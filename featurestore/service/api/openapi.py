"""The OpenAPI document of the active release, and the page that shows it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
import msgspec

from featurestore.service.api.openapi_paths import paths_of
from featurestore.service.api.problems import ProblemBody
from featurestore.service.route import GROUPS

if TYPE_CHECKING:
    from featurestore.service.lookup.active_release import ActiveRelease
    from featurestore.service.route import Route


def openapi(release: ActiveRelease, routes: tuple[Route, ...], *, keys_required: bool) -> dict[str, Any]:
    """Describe routes as an OpenAPI 3.1 document, with one operation for each feature service and dataset.

    Parameters
    ----------
    keys_required
        True: callers need an API key.
    """
    documented = [route.documentation for route in routes if route.documentation is not None]
    bodies = [body for page in documented for body in (page.request, page.response) if body is not None]
    requests = [endpoint.request for endpoint in release.endpoints.values()]
    _, schemas = msgspec.json.schema_components(
        [*requests, *bodies, ProblemBody], ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Any] = {}
    for route in routes:
        paths |= paths_of(route, release)
    components: dict[str, Any] = {"schemas": schemas}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": f"featurestore: {release.project.settings.name}", "version": release.name},
        "tags": [{"name": name, "description": text} for name, text in GROUPS.items()],
        "paths": paths,
        "components": components,
    }
    if keys_required:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    return document


def docs_page(document: dict[str, Any]) -> str:
    """Render an OpenAPI document as a page where each example can be edited and sent. It loads no other files."""
    return _template().render(document=document)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["json"] = _pretty
    text = files("featurestore.service.api").joinpath("docs.html.j2").read_text("utf-8")
    return environment.from_string(text)


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
