"""A route as data: its path, its handler, what the guard requires, and what the OpenAPI document says about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from starlette.routing import compile_path

from featurestore.service.runtime.key_scope import KeyScope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.types import Scope

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


class Admission(Enum):
    """Who a route admits without a certain scope.

    Attributes
    ----------
    ANYONE
        Every caller, without an API key.
    ANY_KEY
        Every caller with an API key, with any scopes.
    """

    ANYONE = "none"
    ANY_KEY = "any"


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


@dataclass(frozen=True, eq=False)
class Route:
    """One route of the server.

    Attributes
    ----------
    method
        ``"*"``: the handler takes every method. A route of GET takes HEAD too.
    path
        Pattern of the path, with parameters in braces.
    documentation
        None: the OpenAPI document leaves the route out.
    scope
        Scope that an API key needs, or who is admitted without one. It has no default: each route says it.
    streamed
        True: the handler receives an uploaded dataset itself, under the limits of uploads.
    admitted_when_busy
        True: the route answers beyond the limit of concurrent requests, so that a monitor never takes a busy server
        for a dead one.
    feast_errors
        True: errors have the form that Feast's clients read.
    asks_browser
        True: a browser asks its user for the API key, and sends it as a password (HTTP Basic). Only a route that changes
        nothing may do so, because a browser sends the password for pages of other sites too.
    at_once
        True: as long as the rows are few, the handler waits for nothing but a future of a store on a server. Where it
        would wait for something else, it yields before it has begun anything.
    timeout_hint
        What a caller can do after a timeout.
    """

    method: Literal["GET", "POST", "*"]
    path: str
    handler: Handler
    documentation: Documentation | None = None
    scope: KeyScope | Admission = field(kw_only=True)
    streamed: bool = False
    admitted_when_busy: bool = False
    feast_errors: bool = False
    asks_browser: bool = False
    at_once: bool = False
    timeout_hint: str = "send the body at once, or ask for fewer rows"

    def takes(self, method: str) -> bool:
        """Return whether the handler takes a method of HTTP."""
        return self.method in (method, "*") or (method == "HEAD" and self.method == "GET")


class RouteTable:
    """Finds the route of a request. The guard and the application both use the route that it returns.

    Parameters
    ----------
    default
        The route of unknown paths.

    Raises
    ------
    TypeError
        If a route does not say who is admitted.
    ValueError
        If two routes have the same path, or a route that is not of GET asks browsers for a password.
    """

    def __init__(self, routes: Iterable[Route], default: Route) -> None:
        self._fixed: dict[str, Route] = {}
        self._patterns = []
        self._default = default
        table = tuple(routes)
        for route in (*table, default):
            if not isinstance(route.scope, KeyScope | Admission):
                raise TypeError(
                    f"{route.path}: scope is {route.scope!r}; expected a KeyScope or an Admission"
                )
            if route.asks_browser and route.method != "GET":
                raise ValueError(f"{route.path}: a browser may send a password only to a route of GET")
        for route in table:
            if [each.path for each in table].count(route.path) > 1:
                raise ValueError(f"two routes have the path {route.path}; expected one route for each path")
            pattern, _, parameters = compile_path(route.path)
            if parameters:
                self._patterns.append((pattern, route))
            else:
                self._fixed[route.path] = route

    def find(self, scope: Scope) -> tuple[Route, dict[str, str]]:
        """Return the route of a request, for any method, and the parameters of its path.

        A path belongs to a route if it is equal to it, character by character. A path with a control character or an
        encoded slash belongs to no route.
        """
        if is_plain(scope):
            path = _below_root(scope["path"], scope.get("root_path", ""))
            route = self._fixed.get(path)
            if route is not None:
                return route, {}
            for pattern, candidate in self._patterns:
                match = pattern.fullmatch(path)
                if match is not None:
                    return candidate, match.groupdict()
        return self._default, {}


def _below_root(path: str, root: str) -> str:
    """Return a path without the prefix of the application that mounts the server."""
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def is_plain(scope: Scope) -> bool:
    """Return whether the path of a request has neither control characters nor encoded slashes."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    return path.isprintable() and (b"%" not in raw or b"%2f" not in raw.lower())
