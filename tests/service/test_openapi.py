"""The OpenAPI document is true: the server answers each request as the document says."""

import io

import polars as pl
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from laws import examples
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from serving import running

from featurestore.adapters.bodies import ARROW_FILE, ARROW_STREAM, CSV, JSON_LINES, PARQUET


@pytest.fixture(scope="module")
def server(shared_shop):
    shared_shop.materialize()
    with running(shared_shop.settings.root, max_bytes=200_000) as client:
        yield client


OPERATIONS = [
    "POST /v1/vectors/buying",
    "POST /get-online-features",
    "POST /push",
    "POST /write-to-online-store",
    "POST /v1/datasets/orders/validate",
    "POST /v1/datasets/last_order/validate",
    "GET /v1/datasets/orders/history",
    "GET /v1/datasets/last_order/history",
    "GET /v1/datasets",
    "GET /v1/services",
    "GET /health",
    "GET /ready",
    "GET /metrics",
]


WRITERS = {
    CSV: "write_csv",
    JSON_LINES: "write_ndjson",
    PARQUET: "write_parquet",
    ARROW_STREAM: "write_ipc_stream",
    ARROW_FILE: "write_ipc",
}
NUMBERS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=3)


@st.composite
def bodies(draw, media):
    """A few orders in a format; some bodies are cut off, or have a wrong byte."""
    frame = pl.DataFrame({"order": draw(NUMBERS)}, schema={"order": pl.Int64}).with_columns(
        customer=1,
        ordered_at=pl.lit("2024-01-01T00:00:00Z"),
        loaded_at=None,
        amount=pl.lit(1.5),
        coupon=pl.lit("a"),
    )
    out = io.BytesIO()
    getattr(frame, WRITERS[media])(out)
    complete = out.getvalue()
    damaged = bytearray(
        complete[: draw(st.sampled_from([len(complete)] * 3) | st.integers(0, len(complete)))]
    )
    for place, byte in draw(st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=2)):
        if place < len(damaged):
            damaged[place] = byte
    return bytes(damaged)


for media_type in WRITERS:
    schemathesis.openapi.media_type(media_type, bodies(media_type))


# A request without a body cannot be wrong.
MODES = [(o, mode) for o in OPERATIONS for mode in GenerationMode if o.startswith("POST") or mode.is_positive]


@pytest.mark.parametrize(("operation", "mode"), MODES)
def test_the_document_is_true(server, operation, mode):
    """Statuses, bodies and headers match, for valid and invalid requests, and no request makes the server fail."""
    document = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    method, path = operation.split()
    described = document[path][method]
    # Feast's requests may have any names of views, features and columns: the schema does not list them.
    free = path in ("/get-online-features", "/push", "/write-to-online-store")
    # Nor does it say which bytes are a Parquet file of orders.
    free = free or path.endswith("/validate")
    excluded = [positive_data_acceptance] if free else []

    @given(case=described.as_strategy(generation_mode=mode))
    @settings(
        examples(8 if path.endswith("/validate") else 20),
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def matches_the_document(case):
        # JSON Schema takes 3.0 for an integer; the server does not.
        if mode is GenerationMode.POSITIVE and path.startswith("/v1/vectors/"):
            assume(not any(isinstance(row["customer"], float) for row in case.body["rows"]))
        response = case.call()
        # A body that is too large is refused before anything else is looked at.
        too_large = [negative_data_rejection] if response.status_code == 413 else []
        case.validate_response(response, excluded_checks=excluded + too_large)

    matches_the_document()


def test_every_operation_is_tried(server):
    """The list of operations above is complete."""
    document = server.get("/openapi.json").json()
    described = [
        f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
    ]
    assert described == OPERATIONS
