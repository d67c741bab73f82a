"""The route table: every path of the server, in the order of the OpenAPI document.

The application makes its router from it, the guard reads from it what a request needs, and the OpenAPI document is made
from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from featurestore.service.api import datasets
from featurestore.service.api.description import description_routes
from featurestore.service.api.examples import online_features_request, push_request, write_request
from featurestore.service.api.online_features import get_online_features
from featurestore.service.api.push import push, write_to_online_store
from featurestore.service.api.services import services
from featurestore.service.api.status import health, metrics, ready
from featurestore.service.api.vectors import vectors
from featurestore.service.lookup.endpoint import Answer
from featurestore.service.lookup.feast_wire import OnlineRequest, OnlineResponse, PushRequest, WriteRequest
from featurestore.service.route import COMMON_ERRORS, Admission, Documentation, Route, is_plain
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.refused import RefusedError
from featurestore.service.state import PUSH_TIMEOUT_HINT

if TYPE_CHECKING:
    from featurestore.service.call import Call


async def not_found(call: Call) -> NoReturn:
    """Answer a request for an unknown path.

    Raises
    ------
    RefusedError
        Always.
    """
    if not is_plain(call.scope):
        raise RefusedError(
            400,
            "InvalidRequest",
            "the path has a control character or an encoded slash",
            hint="GET /docs lists all paths",
        )
    raise RefusedError(404, "NotFound", "the path does not exist", hint="GET /docs lists all paths")


DOCUMENTED = (
    Route(
        "POST",
        "/v1/vectors/{service}",
        vectors,
        Documentation(
            operation="vectors",
            group="Features",
            summary="Vectors of {name}",
            each="service",
            response=Answer,
            errors=("400", "409", "413", "422", *COMMON_ERRORS),
        ),
        scope=KeyScope.READ,
        at_once=True,
    ),
    Route(
        "POST",
        "/get-online-features",
        get_online_features,
        Documentation(
            operation="get_online_features",
            group="Features",
            summary="Look up features, as Feast's feature server does",
            request=OnlineRequest,
            response=OnlineResponse,
            example=online_features_request,
            errors=("400", "404", "413", "422", *COMMON_ERRORS),
        ),
        scope=KeyScope.READ,
        feast_errors=True,
        at_once=True,
    ),
    Route(
        "POST",
        "/push",
        push,
        Documentation(
            operation="push",
            group="Writes",
            summary="Push rows to a feature view",
            request=PushRequest,
            example=push_request,
            errors=("400", "404", "413", "422", *COMMON_ERRORS),
        ),
        scope=KeyScope.WRITE,
        feast_errors=True,
        timeout_hint=PUSH_TIMEOUT_HINT,
    ),
    Route(
        "POST",
        "/write-to-online-store",
        write_to_online_store,
        Documentation(
            operation="write_to_online_store",
            group="Writes",
            summary="Push rows, as Feast's remote online store does",
            request=WriteRequest,
            example=write_request,
            errors=("400", "404", "413", "422", *COMMON_ERRORS),
        ),
        scope=KeyScope.WRITE,
        feast_errors=True,
        timeout_hint=PUSH_TIMEOUT_HINT,
    ),
    Route(
        "POST",
        "/v1/datasets/{dataset}/validate",
        datasets.validate,
        Documentation(
            operation="validate",
            group="Datasets",
            summary="Validate rows against the contract of {name}",
            description="The answer has the decision: passed, quarantined or refused. The project's data do not change.",
            each="dataset",
            query=datasets.ValidateQuery,
            response=datasets.ValidationResult,
            errors=("404", "413", "415", "422", *COMMON_ERRORS),
        ),
        scope=KeyScope.VALIDATE,
        streamed=True,
    ),
    Route(
        "GET",
        "/v1/datasets/{dataset}/history",
        datasets.history,
        Documentation(
            operation="history",
            group="Datasets",
            summary="The runs of {name}, newest last",
            each="dataset",
            query=datasets.HistoryQuery,
            response=datasets.History,
            errors=("404", "422", *COMMON_ERRORS),
        ),
        scope=KeyScope.READ,
    ),
    Route(
        "GET",
        "/v1/datasets",
        datasets.listing,
        Documentation(
            operation="datasets",
            group="Datasets",
            summary="All datasets, each with its last verdict",
            response=datasets.DatasetListing,
        ),
        scope=KeyScope.READ,
    ),
    Route(
        "GET",
        "/v1/services",
        services,
        Documentation(operation="services", group="Server", summary="The feature services of this server"),
        scope=KeyScope.READ,
    ),
    Route(
        "GET",
        "/health",
        health,
        Documentation(operation="health", group="Server", summary="Whether the process is alive"),
        scope=Admission.ANYONE,
        admitted_when_busy=True,
    ),
    Route(
        "GET",
        "/ready",
        ready,
        Documentation(
            operation="ready",
            group="Server",
            summary="Whether the store answers for every view",
            errors=(),
            statuses={"503": "Not ready."},
        ),
        scope=Admission.ANYONE,
        admitted_when_busy=True,
    ),
    Route(
        "GET",
        "/metrics",
        metrics,
        Documentation(operation="metrics", group="Server", summary="Prometheus metrics"),
        scope=Admission.ANY_KEY,
        admitted_when_busy=True,
    ),
)
ROUTES = (*DOCUMENTED, *description_routes(DOCUMENTED))
# The route of unknown paths.
OTHER = Route("*", "other", not_found, scope=KeyScope.READ)
