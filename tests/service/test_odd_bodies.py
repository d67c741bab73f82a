"""Bodies that no honest caller sends: refused as the caller's fault, by all routes that read one."""

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
MOMENTS = [10**12, -(10**12), 10**18, 10**30, -(10**30)]


@pytest.fixture
def send(client):
    """Send a body; gives the status and the text of the answer."""

    def sent(path, body):
        answer = requests.post(client.url + path, data=body, timeout=30)
        return answer.status_code, answer.text

    return sent


@pytest.mark.parametrize("path", ROUTES)
def test_what_is_nested_too_deep(send, path):
    """Where the type does not refuse it before."""
    status, text = send(path, ROUTES[path] % DEEP)
    assert status == (422 if path.startswith("/v1") else 400)
    assert "nested too deep" in text or "Expected" in text


@pytest.mark.parametrize("path", ROUTES)
def test_what_is_no_utf_8(send, path):
    """Named as what it is."""
    status, text = send(path, ROUTES[path] % b'["\xff"]')
    assert status in (400, 422)
    assert "InternalError" not in text
    assert "the server failed" not in text


@pytest.mark.parametrize("seconds", MOMENTS)
def test_moments_that_no_calendar_has(send, seconds):
    """Seconds since 1970, as Feast sends them, of years before 1 or after 9999."""
    columns = {
        "customer": [7],
        "amount": [1.0],
        "coupon": [None],
        "ordered_at": [seconds],
        "event_timestamp": [seconds],
    }
    status, text = send("/push", msgspec.json.encode({"push_source_name": "last_order", "df": columns}))
    assert status == 422
    assert "outside the years 1 to 9999" in text


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_moments_that_are_none_in_utc(send, moment):
    """Written with an offset that leads beyond the calendar."""
    columns = {
        "customer": [7],
        "amount": [1.0],
        "coupon": [None],
        "ordered_at": [1704841200],
        "event_timestamp": [moment],
    }
    status, text = send("/push", msgspec.json.encode({"push_source_name": "last_order", "df": columns}))
    assert status == 422
    assert "outside the years 1 to 9999" in text
