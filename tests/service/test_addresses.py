"""Where the server listens is what it prints, and what a browser opens."""

import json
import socket
import subprocess

import forks
import pytest
import requests
from runner import run
from servers import free_port
from serving import eventually, serve_command

from featurestore.errors import ConfigError
from featurestore.service.runtime.addresses import REFUSED_BY_BROWSERS, listen, port_of, url_of
from featurestore.service.runtime.options import Options


@pytest.fixture(scope="module")
def stored(shared_shop):
    """The root of the materialized shop."""
    shared_shop.materialize()
    return shared_shop.settings.root


def first_line(stored, *options):
    """Start a server; return what its first line says, and the status of its /docs at the printed URL."""
    command = serve_command(stored, *options, python=(forks.python(),))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        line = json.loads(process.stderr.readline())

        def answers():
            try:
                return requests.get(line["url"], timeout=10).status_code
            except requests.ConnectionError:
                return None

        status = eventually(answers, "the server does not answer at its URL")
        process.terminate()
        process.communicate(timeout=30)
    return line, status


def test_browsers_open_the_default_port():
    """The printed URL of a server without options can be opened."""
    assert Options(root=".").port not in REFUSED_BY_BROWSERS


@pytest.mark.parametrize("port", [99_999, 65_536, -1])
def test_a_port_that_does_not_exist_is_refused(port):
    """The system would listen on another port, without a word."""
    with pytest.raises(ConfigError, match=f"--port is {port}; expected a number from 0 to 65535"):
        listen("127.0.0.1", port)


def test_a_port_that_does_not_exist_is_wrong_usage(stored):
    """The command line exits with 2 and names the option."""
    done = run("serve", "--port", "99999", cwd=stored)
    assert done.returncode == 2
    assert "--port" in done.stderr


def test_a_free_port_is_printed_and_answers(stored):
    """With port 0, the printed URL has the port that the system chose."""
    line, status = first_line(stored, "--port", 0)
    assert (status, line["url"].endswith(":0/docs")) == (200, False)
    assert "warning" not in line


def test_all_addresses_of_a_host_have_one_port():
    """With port 0, the addresses of localhost do not get a port each."""
    sockets = listen("localhost", 0)
    try:
        assert {bound.getsockname()[1] for bound in sockets} == {port_of(sockets)}
    finally:
        for bound in sockets:
            bound.close()


def test_the_port_of_feast_is_served_with_a_warning(stored, monkeypatch):
    """The first line says that browsers refuse it. Another port of this test stands for Feast's, which may be in use."""
    lines = []
    port = free_port()
    monkeypatch.setattr("featurestore.service.run.REFUSED_BY_BROWSERS", {port})
    monkeypatch.setattr("featurestore.service.run.log_line", lines.append)
    monkeypatch.setattr("featurestore.service.run.uvicorn.Server.run", lambda _, sockets: sockets[0].close())
    assert run("serve", "--port", str(port), cwd=stored).returncode == 0
    assert lines[0]["warning"] == f"browsers refuse port {port}; to open /docs, choose another --port"
    assert 6566 in REFUSED_BY_BROWSERS


def test_an_ipv6_address_stands_in_brackets():
    """Otherwise its colons would be read as a port."""
    assert url_of("::1", 8566, tls=False) == "http://[::1]:8566/docs"
    assert url_of("localhost", 443, tls=True) == "https://localhost:443/docs"


def test_a_port_in_use_is_named():
    """The error names the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
            listen("127.0.0.1", port)
