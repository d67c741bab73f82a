"""Malformed bodies are answered as errors of the caller, by all routes that read a body."""

import msgspec
import pytest
import requests

DEEP = b"[" * 100_000 + b"]" * 100_000
ROUTES = {
    "/v1/vectors/buying": b'{"rows":%b}',
    "/get-online-features": b'{"features":["last_order:amount"],"entities":{"customer":%b}}',
    "/push": b'{"push_source_name":"last_order","df":{"customer":%b}}',
    "/write-to-online-store": b'{"feature_view_name":"last_order","df":{"customer":%b}}',
}
SECONDS = [10**12, -(10**12), 10**18, 10**30, -(10**30)]


@pytest.fixture
def send(client):
    """Send a body, and return the status and the text of the answer."""

    def post(path, body):
        answer = requests.post(client.url + path, data=body, timeout=30)
        return answer.status_code, answer.text

    return post


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_that_is_nested_too_deep_is_refused(send, path):
    """The error says so, unless the type of the request refuses the body first."""
    status, text = send(path, ROUTES[path] % DEEP)
    assert status == (422 if path.startswith("/v1") else 400)
    assert "nested too deep" in text or "Expected" in text


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_that_is_not_utf_8_is_refused(send, path):
    """The error is the caller's, and not an internal one."""
    status, text = send(path, ROUTES[path] % b'["\xff"]')
    assert status in (400, 422)
    assert "InternalError" not in text
    assert "the server failed" not in text


@pytest.mark.parametrize("seconds", SECONDS)
def test_seconds_beyond_the_calendar_are_refused(send, seconds):
    """Feast sends seconds since 1970; years before 1 or after 9999 do not exist."""
    columns = {
        "customer": [7],
        "amount": [1.0],
        "coupon": [None],
        "ordered_at": [seconds],
        "event_timestamp": [seconds],
    }
    status, text = send("/push", msgspec.json.encode({"push_source_name": "last_order", "df": columns}))
    assert status == 422
    assert "row 0: " in text
    assert "outside the years 1 to 9999" in text


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_timestamps_beyond_the_calendar_in_utc_are_refused(send, timestamp):
    """An offset can lead beyond the calendar."""
    columns = {
        "customer": [7],
        "amount": [1.0],
        "coupon": [None],
        "ordered_at": [1704841200],
        "event_timestamp": [timestamp],
    }
    status, text = send("/push", msgspec.json.encode({"push_source_name": "last_order", "df": columns}))
    assert status == 422
    assert "outside the years 1 to 9999" in text


@pytest.mark.parametrize("path", [path for path in ROUTES if not path.startswith("/v1")])
def test_a_number_that_no_float_holds_is_named(send, path):
    """One value among many: the error has its column and its place."""
    status, text = send(path, ROUTES[path] % b"[1,1e999,2]")
    assert status == 422
    assert "'customer': Number out of range - at `$[1]`" in text


REPEATED = [
    ("/v1/vectors/buying", b'{"rows":[{"customer":1,"basket":1,"customer":2}]}'),
    ("/v1/vectors/buying", b'{"rows":[{"customer":1,"basket":1}],"rows":[{"customer":2,"basket":1}]}'),
    (
        "/get-online-features",
        b'{"features":["last_order:amount"],"entities":{"customer":[1],"customer":[2]}}',
    ),
    (
        "/get-online-features",
        b'{"features":["last_order:amount"],"entities":{"customer" :[1],"customer" :[2]}}',
    ),
    ("/push", b'{"push_source_name":"last_order","df":{"customer":[1],"customer":[2]}}'),
    ("/write-to-online-store", b'{"feature_view_name":"last_order","df":{"amount":[1],"amount":[2]}}'),
    ("/v1/datasets/orders/validate", b'{"order":1,"customer":1}\n{"order":2,"order":3}\n'),
]


def test_an_object_that_names_a_key_twice_is_refused(client):
    """One of the two values would be lost; the same rule at every door that reads JSON."""
    for path, body in REPEATED:
        headers = {"content-type": "application/x-ndjson"} if "datasets" in path else {}
        answer = requests.post(client.url + path, data=body, headers=headers, timeout=30)
        assert (answer.status_code, "more than once" in answer.text) == (422, True), (path, answer.text)


LARGE = [
    ("/get-online-features", b'{"features":["last_order:amount"],"entities":{"customer":[%b]}}', b"[]"),
    ("/push", b'{"push_source_name":"last_order","df":{"customer":[%b]}}', b"[]"),
    ("/write-to-online-store", b'{"feature_view_name":"last_order","df":{"customer":[%b]}}', b"{}"),
    ("/v1/vectors/buying", b'{"rows":[%b]}', b'{"customer":1,"basket":1}'),
]


def test_a_body_of_too_many_lists_or_digits_is_refused_before_it_is_decoded(send):
    """The answer says the bound and what to do; the same at every door that reads JSON."""
    for path, body, value in LARGE:
        status, text = send(path, body % b",".join([value] * 40_000))
        bound = "length <= 1000" if path.startswith("/v1") else "lists and objects; expected at most 32,000"
        assert (status, bound in text) == (422, True), (path, text)
        status, text = send(path, body % (b"1" * 500_000))
        assert (status, "more than 400 digits" in text) == (422, True), (path, text)


def test_a_push_of_too_many_rows_is_refused_before_its_values_are_read(send):
    """Values that are not timestamps would be named first if they were read."""
    columns = {"customer": [0] * 1_001, "event_timestamp": ["never"] * 1_001}
    status, text = send("/push", msgspec.json.encode({"push_source_name": "last_order", "df": columns}))
    assert (status, "1,001 rows; the limit is 1,000" in text) == (422, True), text


def test_a_request_for_too_many_features_is_refused(send):
    """A name may be repeated, and each takes microseconds to find."""
    body = {"features": ["last_order:amount"] * 5_001, "entities": {"customer": [1]}}
    status, text = send("/get-online-features", msgspec.json.encode(body))
    assert (status, "length <= 5000" in text) == (422, True), text


def test_an_unknown_name_of_a_megabyte_is_refused(send):
    """The message is bounded, and so is the search for similar names."""
    body = {"feature_service": "x" * 900_000, "entities": {"customer": [1]}}
    status, text = send("/get-online-features", msgspec.json.encode(body))
    assert (status, len(text) < 5_000) == (404, True)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "body", [b'{"customer":[1,2]}', b"[1]", b'{"rows":[{"customer":1,"x":2}]}', b"no JSON"]
)
def test_a_body_of_another_form_gets_the_right_form(send, path, body):
    """The hint shows the form of the body, with the columns of the service."""
    forms = {
        "/v1/vectors/buying": '{"rows": [{"customer": ..., "basket": ...}]}',
        "/get-online-features": '{"features": ["view:feature"], "entities": {"key": [...]}}',
        "/push": '{"push_source_name": "view", "df": {"column": [...]}}',
        "/write-to-online-store": '{"feature_view_name": "view", "df": {"column": [...]}}',
    }
    status, text = send(path, body)
    assert status == (400 if body == b"no JSON" else 422)
    assert f"send {forms[path]}" in text.replace("\\", "")
