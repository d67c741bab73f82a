"""The route table, and errors as answers: decided by data, never by the text of a path or a message."""

import json

import pytest

from featurestore.errors import ContractError, StoreError, UnknownNameError
from featurestore.service.api.problems import feast_body, status_of
from featurestore.service.api.routes import OTHER, ROUTES, not_found
from featurestore.service.route import Admission, Route, RouteTable
from featurestore.service.runtime.key_scope import KeyScope

TABLE = RouteTable(ROUTES, OTHER)


def find(path, **scope):
    return TABLE.find({"path": path, **scope})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_each_route_is_found_by_its_own_path(route):
    """A path belongs to the route of its pattern, with any value for its parameters."""
    names = {name: "orders" for name in ("service", "dataset") if f"{{{name}}}" in route.path}
    assert find(route.path.format(**names)) == (route, names)


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/vectors/", "/v1/datasets/orders/history/validate", "/health/", ""]
)
def test_a_path_without_a_route_belongs_to_the_other_route(path):
    """Unknown paths need a key that may read, and have the limits of ordinary requests."""
    route, parameters = find(path)
    assert route is OTHER
    assert (route.scope, route.streamed, parameters) == (KeyScope.READ, False, {})


def test_below_another_application_the_path_begins_after_its_prefix():
    """An application that mounts the server gives its prefix as the root path."""
    assert find("/features/push", root_path="/features")[0].path == "/push"
    assert find("/featurespush", root_path="/features")[0] is OTHER
    assert find("/push", root_path="/features")[0].path == "/push"


def test_what_a_route_requires_stands_in_the_table():
    """Routes that write need their scope, and monitors are answered by a busy server."""
    assert {route.path: route.scope for route in ROUTES if route.scope is not KeyScope.READ} == {
        "/push": KeyScope.WRITE,
        "/write-to-online-store": KeyScope.WRITE,
        "/v1/datasets/{dataset}/validate": KeyScope.VALIDATE,
        "/metrics": Admission.ANY_KEY,
        "/": Admission.ANYONE,
        "/docs": Admission.ANY_KEY,
        "/openapi.json": Admission.ANY_KEY,
        "/health": Admission.ANYONE,
        "/ready": Admission.ANYONE,
    }
    assert {route.path for route in ROUTES if route.admitted_when_busy} == {"/health", "/ready", "/metrics"}


def test_a_server_with_an_undeclared_scope_does_not_start():
    """No route has a scope by default, and one that says None admits nobody by accident."""
    with pytest.raises(TypeError, match="scope"):
        Route("GET", "/new", not_found)
    for scope in (None, "read"):
        with pytest.raises(TypeError, match="/new: scope is"):
            RouteTable((Route("GET", "/new", not_found, scope=scope),), OTHER)
    asking = Route("POST", "/new", not_found, scope=KeyScope.READ, asks_browser=True)
    with pytest.raises(ValueError, match="only to a route of GET"):
        RouteTable((asking,), OTHER)
    new = Route("GET", "/new", not_found, scope=KeyScope.READ)
    with pytest.raises(ValueError, match="two routes have the path /new"):
        RouteTable((new, new), OTHER)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (UnknownNameError("feature service", "byuing", ["buying"]), "FeatureServiceNotFoundException"),
        (UnknownNameError("feature view", "lats", ["last"]), "FeatureViewNotFoundException"),
        (UnknownNameError("feature", "amuont", ["amount"]), "FeastError"),
        (ContractError("there is no feature service named 'x'"), "FeastError"),
        (StoreError("there is no feature view named 'x'", retry=True), "FeastError"),
    ],
)
def test_feasts_exception_follows_from_the_kind_of_the_unknown_name(error, name):
    """The words of a message decide nothing."""
    detail = json.loads(json.loads(feast_body(error)))
    assert (detail["class"], detail["message"]) == (name, str(error))


def test_another_message_of_an_unknown_name_changes_no_answer():
    """An error that is worded in another way has the same status and the same exception of Feast."""
    error = UnknownNameError("feature view", "lats", ["last"])
    error.args = ("such a view was never defined",)
    assert status_of(error) == 404
    assert json.loads(json.loads(feast_body(error)))["class"] == "FeatureViewNotFoundException"
