"""`featurestore serve` as people run it: a process of its own, workers, TLS, signals."""

import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import msgspec
import pytest
import requests
from servers import free_port
from serving import ROW, eventually

from featurestore.service.run import create_worker
from featurestore.service.runtime.options import VARIABLE, Options

PATH = "/v1/vectors/buying"


@contextmanager
def serving(root, *options, scheme="http", verify=None):
    """Run the command until it answers; gives a session, its address, and the process."""
    port = free_port()
    command = [sys.executable, "-m", "featurestore.cli", "serve", "--project", str(root), "--port", str(port)]
    with (
        subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process,
        requests.Session() as session,
    ):
        # A machine may have a CA bundle of its own, which would go before this one.
        session.verify, session.trust_env = verify, False
        lines = []
        for line in process.stderr:
            lines.append(line)
            if '"event":"serving"' in line:
                break
        reader = threading.Thread(target=lambda: lines.extend(process.stderr))
        reader.start()
        url = f"{scheme}://localhost:{port}"
        try:
            while process.poll() is None:
                try:
                    session.get(f"{url}/health", timeout=10)
                    break
                except requests.exceptions.SSLError:
                    raise
                except requests.ConnectionError:
                    pass
            yield session, url, process, lines
        finally:
            process.terminate()
            process.wait()
            reader.join()


@pytest.fixture(scope="module")
def stored(shared_shop):
    shared_shop.materialize()
    return shared_shop.settings.root


def test_it_says_where_it_serves_and_ends_when_told_to(stored):
    """One line when it stands; what was asked is in the log when it is gone."""
    with serving(stored) as (session, url, process, lines):
        assert session.post(url + PATH, json={"rows": [ROW]}, timeout=10).status_code == 200
        assert json.loads(lines[0]) == {
            "event": "serving",
            "release": "working",
            "services": ["buying"],
            "url": f"{url.replace('localhost', '127.0.0.1')}/docs",
        }
        process.send_signal(signal.SIGTERM)
        process.wait()
    told = [json.loads(line) for line in lines[1:]]
    assert [line["route"] for line in told if line["event"] == "request"][-1] == "/v1/vectors/{service}"


def test_workers_count_together(stored):
    """Whichever of them is asked for metrics tells those of all."""
    with serving(stored, "--workers", "2") as (_, url, _, _):
        for _ in range(40):
            assert requests.post(url + PATH, json={"rows": [ROW]}, timeout=10).status_code == 200
        wanted = 'featurestore_requests_total{route="/v1/vectors/{service}",status="200"} 40.0'
        eventually(lambda: wanted in requests.get(f"{url}/metrics", timeout=10).text)


def test_tls(stored, tmp_path):
    """With a certificate of its own."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files],
        check=True,
        capture_output=True,
    )
    options = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with serving(stored, *options, scheme="https", verify=str(certificate)) as (session, url, _, _):
        assert session.post(url + PATH, json={"rows": [ROW]}, timeout=10).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{url}/health", timeout=10)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Two certificates with their keys, one key encrypted, and a file that is none."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, options in {
        "one": ["-nodes"],
        "two": ["-nodes"],
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
        ("none.pem", "one.key", "these files are not a certificate and its key"),
        ("one.pem", "two.key", "these files are not a certificate and its key"),
        ("locked.pem", "locked.key", "the key is encrypted"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_said_at_once(stored, certificates, certificate, key, message):
    """Before anything is served."""
    options = ("--tls-certificate", certificates / certificate, "--tls-key", certificates / key)
    done = ended(stored, *map(str, options))
    assert (done.returncode, message in done.stderr, "serving" in done.stderr) == (7, True, False)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_is_said_at_once(stored, workers):
    """And not that it serves there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = ended(stored, "--port", str(port), "--workers", workers)
    assert done.returncode == 7
    assert f"the server cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "serving" not in done.stderr


def ended(root, *options):
    """Run the command, which ends by itself."""
    command = [sys.executable, "-m", "featurestore.cli", "serve", "--project", str(root), *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )


def test_what_cannot_be_served_ends_at_once(shop):
    """With the exit code of its error, and the command to run first."""
    command = [sys.executable, "-m", "featurestore.cli", "serve", "--project", str(shop.settings.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 6
    assert "run: featurestore materialize" in done.stderr


def test_a_worker_that_cannot_begin_says_so_in_one_line(shop, monkeypatch, capfd):
    """In JSON as all else; with an exit code at which uvicorn begins it anew."""
    options = Options(root=str(shop.settings.root))
    monkeypatch.setenv(VARIABLE, msgspec.json.encode(options).decode())
    with pytest.raises(SystemExit) as ended:
        create_worker()
    assert ended.value.code == 1
    [line] = map(json.loads, capfd.readouterr().err.splitlines())
    assert line["event"] == "worker_failed"
    assert "featurestore materialize" in line["error"]
