"""`featurestore serve` as a process of its own: workers, TLS, signals."""

import json
import signal
import socket
import subprocess

import msgspec
import pytest
import requests
from serving import ROW, eventually, serve_command, serve_process

from featurestore.service.run import create_worker
from featurestore.service.runtime.options import VARIABLE, Options

PATH = "/v1/vectors/buying"


@pytest.fixture(scope="module")
def stored(shared_shop):
    """The root of the materialized shop."""
    shared_shop.materialize()
    return shared_shop.settings.root


def test_the_first_line_says_where_it_serves_and_sigterm_ends_it(stored):
    """The log has every request once the process has run_until_end."""
    with serve_process(stored) as server:
        answer = server.session.post(server.url + PATH, json={"rows": [ROW]}, timeout=10)
        assert answer.status_code == 200
        eventually(lambda: server.lines, "the server wrote no line")
        assert json.loads(server.lines[0]) == {
            "event": "serving",
            "release": "working",
            "services": ["buying"],
            "url": f"{server.url.replace('localhost', '127.0.0.1')}/docs",
        }
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
    requests_ = [json.loads(line) for line in server.lines[1:]]
    assert [line["route"] for line in requests_ if line["event"] == "request"][-1] == "/v1/vectors/{service}"


def test_workers_count_together(stored):
    """Each worker answers /metrics with the counts of all."""
    with serve_process(stored, "--workers", 2) as server:
        for _ in range(40):
            assert requests.post(server.url + PATH, json={"rows": [ROW]}, timeout=10).status_code == 200
        expected = 'featurestore_requests_total{route="/v1/vectors/{service}",status="200"} 40.0'
        eventually(
            lambda: expected in requests.get(f"{server.url}/metrics", timeout=10).text,
            "no worker answered with the counts of both",
        )


def test_tls(stored, tmp_path):
    """The server answers HTTPS with its certificate."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files],
        check=True,
        capture_output=True,
    )
    options = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with serve_process(stored, *options, scheme="https", verify=str(certificate)) as server:
        answer = server.session.post(server.url + PATH, json={"rows": [ROW]}, timeout=10)
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{server.url}/health", timeout=10)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Two certificates with their keys, one encrypted key, and a file that is not a certificate."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, options in {
        "first": ["-nodes"],
        "second": ["-nodes"],
        "locked": ["-passout", "pass:secret"],
    }.items():
        files = ("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-subj",
            "/CN=localhost",
            *options,
            *files,
        ]
        subprocess.run(command, check=True, capture_output=True)
    (folder / "none.pem").write_text("nonsense")
    return folder


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        ("none.pem", "first.key", "these files are not a certificate and its key"),
        ("first.pem", "second.key", "these files are not a certificate and its key"),
        ("locked.pem", "locked.key", "the key is encrypted"),
    ],
)
def test_an_unusable_certificate_is_an_error_at_the_start(stored, certificates, certificate, key, message):
    """The process ends before it serves, with the exit code of wrong settings."""
    options = ("--tls-certificate", certificates / certificate, "--tls-key", certificates / key)
    done = run_until_end(stored, *options)
    assert (done.returncode, message in done.stderr, "serving" in done.stderr) == (7, True, False)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_an_error_at_the_start(stored, workers):
    """The process does not say that it serves."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_until_end(stored, "--port", port, "--workers", workers)
    assert done.returncode == 7
    assert f"the server cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "serving" not in done.stderr


def run_until_end(root, *options):
    """Run the command until it ends on its own."""
    return subprocess.run(
        serve_command(root, *options),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def test_a_project_that_cannot_be_served_is_an_error_at_the_start(shop):
    """The exit code is that of the error, which names the command to run first."""
    done = run_until_end(shop.settings.root)
    assert done.returncode == 6
    assert "run: featurestore materialize" in done.stderr


def test_a_worker_that_cannot_start_logs_one_line(shop, monkeypatch, capfd):
    """The line is JSON, and the exit code is one at which uvicorn starts the worker again."""
    options = Options(root=str(shop.settings.root))
    monkeypatch.setenv(VARIABLE, msgspec.json.encode(options).decode())
    with pytest.raises(SystemExit) as caught:
        create_worker()
    assert caught.value.code == 1
    [line] = map(json.loads, capfd.readouterr().err.splitlines())
    assert line["event"] == "worker_failed"
    assert "featurestore materialize" in line["error"]
