"""POST /v1/vectors/{service} answers with the values of a lookup in process, as JSON."""

import json
from datetime import UTC, datetime

import pytest
import requests
from serving import ROW, running

from featurestore.timing.join import status_column

NOW = datetime(2024, 1, 10, tzinfo=UTC)


def test_a_vector_with_statuses_and_ages(client):
    """Values are in the service's order, with on-demand features; an age is that of the row that answered."""
    answer = client.vectors(ROW, {"customer": 9, "basket": 16.0}, {"customer": 1, "basket": 16.0})
    assert answer.status_code == 200
    assert answer.json() == {
        "service": "buying",
        "release": "working",
        "as_of": "2024-01-10T00:00:00Z",
        "stale": False,
        "features": ["amount", "coupon", "ordered_at", "ratio"],
        "values": [
            [8.0, None, "2024-01-08T00:00:00Z", 2.0],
            [None, None, None, None],
            [None, None, "2024-01-05T00:00:00Z", None],
        ],
        "statuses": [[1, 2, 1, 1], [3, 3, 3, 2], [2, 2, 1, 2]],
        "ages": {"last_order": [172800.0, None, 432000.0]},
    }


def test_the_values_are_those_of_a_lookup_in_process(client, shop):
    """Every value is equal bit for bit: floats are the shortest text that reads back as the same float."""
    rows = [{"customer": number, "basket": 0.1 * number} for number in range(5)]
    answer = client.vectors(*rows).json()
    frame = shop.get_online(rows, "buying", statuses=True)
    values = frame.select(answer["features"])
    expected = [
        [v.isoformat().replace("+00:00", "Z") if isinstance(v, datetime) else v for v in row]
        for row in values.rows()
    ]
    assert json.dumps(answer["values"]) == json.dumps(expected)
    assert answer["statuses"] == [
        list(r) for r in frame.select(map(status_column, answer["features"])).rows()
    ]


def test_as_of_decides_the_instant(client):
    """`as_of` decides what is expired; an instant before the newest row of the store is refused."""
    late = client.vectors(ROW, as_of="2024-01-14T00:00:00+00:00").json()
    assert (late["as_of"], late["statuses"]) == ("2024-01-14T00:00:00Z", [[4, 4, 4, 2]])
    early = client.vectors(ROW, as_of="2024-01-09T00:00:00Z")
    assert early.status_code == 409
    assert "the store holds rows that were not known then" in early.json()["error"]["message"]
    assert client.vectors(ROW, as_of="0001-01-01T00:00:00+01:00").status_code == 409
    assert client.vectors(ROW, as_of="9999-12-31T23:59:59-01:00").json()["statuses"] == [[4, 4, 4, 2]]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "truncated"),
        (b"\xff", 400, "malformed"),
        (b"", 400, "truncated"),
        (b"[]", 422, "Expected `object`, got `array`"),
        (b'{"rows":[{"customer":' + b"[" * 100_000, 422, "Expected `int | null`, got `array`"),
        (b"{}", 422, "missing required field `rows`"),
        (b'{"rows":[{"basket":1.0}]}', 422, "missing required field `customer` - at `$.rows[0]`"),
        (b'{"rows":[{"customer":"3","basket":1.0}]}', 422, "Expected `int | null`, got `str`"),
        (b'{"rows":[{"customer":3.5,"basket":1.0}]}', 422, "Expected `int | null`, got `float`"),
        (b'{"rows":[{"customer":9223372036854775808,"basket":1.0}]}', 422, "at `$.rows[0].customer`"),
        (
            b'{"rows":[{"customer":3,"basket":1},{"customer":3,"basket":9007199254740993}]}',
            422,
            "row 1: request value 'basket' is 9007199254740993",
        ),
        (b'{"rows":[{"customer":3,"basket":"dear"}]}', 422, "at `$.rows[0].basket`"),
        (b'{"rows":[{"customer":3,"basket":1.0,"x":1}]}', 422, "contains an unknown field - at `$.rows[0]`"),
        (b'{"rows":[],"as_of":"2024-01-10T00:00:00"}', 422, "at `$.as_of`"),
        (b'{"rows":[],"as-of":null}', 422, "unknown field"),
    ],
)
def test_a_wrong_request_says_what_is_wrong_and_where(client, body, status, message):
    """The answer is a 4xx with the request id of the log."""
    answer = requests.post(client.url + "/v1/vectors/buying", data=body, timeout=30)
    problem = answer.json()["error"]
    assert answer.status_code == status
    assert message in problem["message"]
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_unknown_names_are_not_found(client):
    """The answer is 404 and suggests the nearest name."""
    answer = client.vectors(ROW, service="buyin")
    assert answer.status_code == 404
    assert "did you mean 'buying'?" in answer.json()["error"]["hint"]
    assert client.get("/v1/vector").status_code == 404
    assert client.get("/v1/vectors/buying").status_code == 405


def test_a_request_without_rows_gets_an_answer_without_rows(client):
    """One row in gives one row out."""
    answer = client.vectors().json()
    assert (answer["values"], answer["statuses"], answer["ages"]) == ([], [], {"last_order": []})


def test_a_request_id_is_passed_on(client):
    """The caller's id comes back if it is usable; otherwise the server makes one."""
    url = client.url + "/health"
    kept = requests.get(url, headers={"x-request-id": "checkout-7"}, timeout=30)
    replaced = requests.get(url, headers={"x-request-id": "x" * 200}, timeout=30)
    assert kept.headers["x-request-id"] == "checkout-7"
    assert len(replaced.headers["x-request-id"]) < 40


def test_the_server_describes_its_services(client):
    """The examples of the OpenAPI document work, and its page needs no network."""
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json() == {"status": "ready", "release": "working"}
    [service] = client.get("/v1/services").json()["services"]
    assert service["keys"] == {"customer": "Int64"}
    document = client.get("/openapi.json").json()
    body = document["paths"]["/v1/vectors/buying"]["post"]["requestBody"]["content"]["application/json"]
    assert client.post("/v1/vectors/buying", body["example"]).status_code == 200
    feast = document["paths"]["/get-online-features"]["post"]["requestBody"]["content"]["application/json"]
    assert client.post("/get-online-features", feast["example"]).status_code == 200
    page = client.get("/docs").text
    assert "/v1/vectors/buying" in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_server_serves_only_the_named_services(shop):
    """A project may have more services than a server."""
    shop.materialize()
    with running(shop.settings.root, services=("buying",)) as client:
        assert [s["name"] for s in client.get("/v1/services").json()["services"]] == ["buying"]
