"""A route as data: its path, its handler, what the guard requires, and what the OpenAPI document says about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from starlette.routing import compile_path

from featurestore.service.runtime.key_scope import KeyScope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from featurestore.service.call import Handler
    from featurestore.service.lookup.active_release import ActiveRelease

Each: TypeAlias = Literal["service", "dataset"]
Group: TypeAlias = Literal["Features", "Writes", "Datasets", "Server"]
# The groups of operations, in the order of the OpenAPI document, each with its description.
GROUPS: dict[Group, str] = {
    "Features": "Read the features of entities. The keys of the samples are made up: replace them by your own.",
    "Writes": "Push rows to feature views. Training and serving both get them.",
    "Datasets": "Validate rows against a contract, and read verdicts and histories. The data of the project do not change.",
    "Server": "What is served, and whether the server works.",
}
# Statuses of errors that every route with access control can answer with.
COMMON_ERRORS = ("401", "403", "500", "503")


@dataclass(frozen=True, kw_only=True)
class Documentation:
    """What the OpenAPI document says about a route.

    Attributes
    ----------
    operation
        Id of the operation.
    group
        The group of the operation.
    summary
        What the operation does. ``{name}`` stands for the feature service or dataset.
    description
        A longer text.
    each
        The document has one operation for each feature service or dataset. None: it has one operation.
    request
        Type of the JSON body. None: there is no JSON body, or its type depends on the feature service.
    response
        Type of the JSON answer. None: the document does not describe the answer.
    query
        Type whose fields are the query parameters.
    example
        Makes an example of the body; None if it finds none.
    errors
        Statuses of errors. Their bodies are problems.
    statuses
        Other statuses without a JSON body, each with its description.
    """

    operation: str
    group: Group
    summary: str
    description: str | None = None
    each: Each | None = None
    request: type | None = None
    response: type | None = None
    query: type | None = None
    example: Callable[[ActiveRelease], Any] | None = None
    errors: tuple[str, ...] = COMMON_ERRORS
    statuses: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Route:
    """One route of the server.

    Attributes
    ----------
    path
        Pattern of the path, with parameters in braces.
    documentation
        None: the OpenAPI document leaves the route out.
    scope
        Scope that an API key needs. None: any key is admitted.
    open
        True: no key is needed.
    streamed
        True: the handler receives an uploaded dataset itself, under the limits of uploads.
    admitted_when_busy
        True: the route answers beyond the limit of concurrent requests, so that a monitor never takes a busy server
        for a dead one.
    feast_errors
        True: errors have the form that Feast's clients read.
    timeout_hint
        What a caller can do after a timeout.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    documentation: Documentation | None = None
    scope: KeyScope | None = KeyScope.READ
    open: bool = False
    streamed: bool = False
    admitted_when_busy: bool = False
    feast_errors: bool = False
    timeout_hint: str = "send the body at once, or ask for fewer rows"


class RouteTable:
    """Finds the route of a path.

    Parameters
    ----------
    default
        The route of unknown paths.
    """

    def __init__(self, routes: Iterable[Route], default: Route) -> None:
        self._fixed: dict[str, Route] = {}
        self._patterns = []
        self._default = default
        for route in routes:
            pattern, _, parameters = compile_path(route.path)
            if parameters:
                self._patterns.append((pattern, route))
            else:
                self._fixed[route.path] = route

    def find(self, path: str) -> Route:
        """Return the route of a path, for any method of the request."""
        route = self._fixed.get(path)
        if route is not None:
            return route
        return next((route for pattern, route in self._patterns if pattern.match(path)), self._default)
