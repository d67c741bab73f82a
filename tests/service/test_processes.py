"""`featurestore serve` as a process of its own: workers, TLS, signals."""

import json
import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import forks
import msgspec
import pytest
import requests
from serving import ROW, eventually, serve_command, serve_process

from featurestore.errors import ConfigError
from featurestore.service.run import create_worker, serve
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key
from featurestore.service.runtime.options import VARIABLE, Options
from featurestore.storage.layout import Layout

PATH = "/v1/vectors/buying"


@pytest.fixture(autouse=True, scope="module")
def _hang_up_is_heard():
    """A server ignores SIGHUP if its parent does, as under nohup; these tests can be run so too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="module")
def stored(shared_shop):
    """The root of the materialized shop."""
    shared_shop.materialize()
    return shared_shop.settings.root


def test_the_first_line_says_where_it_serves_and_sigterm_ends_it(stored):
    """The log has every request once the process has run_until_end."""
    with serve_process(stored, python=(forks.python(),)) as server:
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
        server.process.wait(90)
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
        # A terminal that closes sends SIGHUP to every process.
        for process in (*workers_of(server.process.pid), server.process.pid):
            os.kill(process, signal.SIGHUP)
        assert server.process.wait(90) == 0


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
    https = {"scheme": "https", "verify": str(certificate), "python": (forks.python(),)}
    with serve_process(stored, *options, **https) as server:
        answer = server.session.post(server.url + PATH, json={"rows": [ROW]}, timeout=10)
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{server.url}/health", timeout=10)
        server.session.close()
        server.process.send_signal(signal.SIGHUP)
        assert server.process.wait(90) == 0
    assert "request" in [json.loads(line)["event"] for line in server.lines], server.lines


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


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use_is_an_error_before_anything_else_starts(shop_files, workers):
    """The error names the address. Not even the definitions are loaded: here they could not be."""
    (shop_files / "feature_repo/shop.py").write_text("raise RuntimeError('loaded')\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            serve(Options(root=str(shop_files), port=port, workers=workers))
    assert str(caught.value).startswith(
        f"the server cannot listen on 127.0.0.1:{port}: Address already in use"
    )
    assert "choose another --port" in caught.value.hint


def workers_of(process):
    """Return the ids of the worker processes that live; the resource tracker of Python is none of them."""
    workers = set()
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        # A child may end before its command line is read.
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                workers.add(int(child))
    return workers


def ended(process):
    """Return whether a process has ended, also if nobody has asked for its exit code yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_worker_begun_without_the_keys_answers_nobody_and_no_worker_outlives_its_parent(stored):
    """The parent knows that there were keys when it started. SIGKILL leaves it no time for a word to its workers."""
    keys = Layout(stored / "data").keys
    secret = add_key(keys, "reader", scopes=(KeyScope.READ,))
    content = keys.read_bytes()
    with serve_process(stored, "--workers", 2) as server:

        def status(key=None):
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            url = server.url + PATH
            return requests.post(url, json={"rows": [ROW]}, headers=headers, timeout=10).status_code

        try:
            assert [status(secret), status()] == [200, 401]
            before = workers_of(server.process.pid)
            keys.unlink()
            for worker in before:
                os.kill(worker, signal.SIGKILL)
            eventually(
                lambda: len(workers_of(server.process.pid) - before) == 2, "no worker was started again"
            )
            statuses = []
            eventually(lambda: statuses.append(status(secret)) or len(statuses) == 20, seconds=90)
            assert set(statuses) == {503}
            keys.write_bytes(content)
            eventually(lambda: [status(secret), status()] == [200, 401], "the keys did not work again")
        finally:
            keys.unlink(missing_ok=True)
        workers = workers_of(server.process.pid)
        server.process.kill()
        server.process.wait(90)
        eventually(lambda: all(map(ended, workers)), "a worker outlived its parent")


def run_until_end(root, *options):
    """Run the command until it ends on its own."""
    return subprocess.run(
        serve_command(root, *options, python=(forks.python(),)),
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
