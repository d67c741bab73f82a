"""Connections without a request, and without a TLS handshake, cannot hold all places."""

import select
import socket
import ssl
import subprocess
from contextlib import ExitStack

import pytest
from serving import eventually, running


def is_closed(connection):
    """Return whether the other side has closed a connection."""
    if not select.select([connection], [], [], 0)[0]:
        return False
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def tls(tmp_path):
    """Options of a server with a certificate, and the context of a client that trusts it."""
    files = [str(tmp_path / name) for name in ("certificate.pem", "key.pem")]
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    command += f" -addext subjectAltName=DNS:localhost -out {files[0]} -keyout {files[1]}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return dict(zip(("tls_certificate", "tls_key"), files, strict=True)), ssl.create_default_context(
        cafile=files[0]
    )


HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def connect():
    """Make connections that are closed at the end, each with the first bytes that it sends."""
    with ExitStack() as stack:

        def connected(client, first=b""):
            connection = socket.create_connection(("127.0.0.1", client.port), timeout=20)
            connection.sendall(first)
            return stack.enter_context(connection)

        yield connected


@pytest.mark.parametrize("first", [b"", b"POST /push HTTP/1.1\r\nHost: loc"], ids=["silent", "slow head"])
def test_connections_without_a_request_make_room_for_new_ones(stored, connect, first):
    """The oldest is closed; one that has asked before is kept longer than those that never did."""
    with running(stored.settings.root, concurrency=1) as client:
        kept = connect(client, HEALTH)
        assert kept.recv(4096).startswith(b"HTTP/1.1 200")
        waiting = [connect(client, first) for _ in range(7)]
        for oldest in waiting[:2]:
            assert not is_closed(oldest)
            newcomer = connect(client, HEALTH)
            assert newcomer.recv(4096).startswith(b"HTTP/1.1 200")
            eventually(lambda oldest=oldest: is_closed(oldest), "the oldest connection was not closed")
        assert not any(map(is_closed, (kept, newcomer, *waiting[2:])))


def test_connections_without_a_tls_handshake_make_room_for_new_ones(stored, connect, tls):
    """They count from the beginning, whether they are silent, speak no TLS, or stop in the middle."""
    options, context = tls
    with running(stored.settings.root, concurrency=1, **options) as client:
        waiting = [connect(client, (b"", b"\x16\x03\x01\x02\x00\x01")[place % 2]) for place in range(8)]
        with context.wrap_socket(connect(client), server_hostname="localhost") as encrypted:
            eventually(lambda: is_closed(waiting[0]), "the oldest connection was not closed")
            assert not any(map(is_closed, waiting[2:]))
            encrypted.sendall(HEALTH)
            assert encrypted.recv(4096).startswith(b"HTTP/1.1 200")
        for connection in waiting:
            connection.close()
        assert not connect(client, HEALTH).recv(4096).startswith(b"HTTP")
