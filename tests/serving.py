"""Servers for the tests: in a thread of the test's process, or as a process of its own; each on a free port."""

import atexit
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

import requests
import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from servers import free_port

from featurestore.service.app import create_app
from featurestore.service.run import settings
from featurestore.service.runtime.options import Options
from featurestore.service.runtime.validators import Validators

ROW = {"customer": 3, "basket": 16.0}
SECONDS = 30


@dataclass
class Client:
    """A client of one server."""

    url: str
    port: int
    state: object
    key: str | None = None

    def post(self, path, body):
        return requests.post(self.url + path, json=body, headers=self.headers, timeout=SECONDS)

    def get(self, path):
        return requests.get(self.url + path, headers=self.headers, timeout=SECONDS)

    def vectors(self, *rows, service="buying", request_id=None, **others):
        url = f"{self.url}/v1/vectors/{service}"
        headers = self.headers | ({} if request_id is None else {"x-request-id": request_id})
        return requests.post(url, json={"rows": list(rows), **others}, headers=headers, timeout=SECONDS)

    def metrics(self):
        """Return the value of each metric, by its name and the sorted values of its labels."""
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(self.get("/metrics").text)
            for sample in family.samples
        }

    @property
    def headers(self):
        return {} if self.key is None else {"authorization": f"Bearer {self.key}"}


def eventually(condition, reason="the condition never held", *, seconds=SECONDS):
    """Wait until a condition holds, and return its value; fail with a reason after some seconds."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{reason} within {seconds} seconds"
        time.sleep(0.005)
    return value


@contextmanager
def in_thread(app, port, **config):
    """Run an ASGI application in a thread; at the end, it has answered and written everything."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, **config))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive(), "the server did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(2 * SECONDS)
        assert not thread.is_alive(), "the server did not end"


class SharedValidators(Validators):
    """The processes that validate for all servers of a test process: each takes a second to start."""

    def close(self):
        """Keep the processes for the next server."""

    def end(self):
        """End the processes."""
        super().close()


VALIDATORS = SharedValidators(Options(root="").upload_memory)
atexit.register(VALIDATORS.end)


@contextmanager
def running(root, **options):
    """Run a server of the project in `root` in a thread, without a request log unless asked for."""
    port = free_port()
    chosen = Options(root=str(root), port=port, **{"log_requests": False, **options})
    app = create_app(chosen)
    if chosen.upload_memory == Options(root="").upload_memory:
        app.state.validators = VALIDATORS
    with in_thread(app, port, **settings(chosen)) as url:
        yield Client(url, port, app.state)


@dataclass
class ServeProcess:
    """`featurestore serve` as a process: its lines on standard error, and a session of requests."""

    process: subprocess.Popen
    session: requests.Session
    url: str
    lines: list[str]


def serve_command(root, *options, python=(sys.executable,)):
    """Return the command that serves the project in `root`."""
    return [*python, "-m", "featurestore.cli", "serve", "--project", str(root), *map(str, options)]


@contextmanager
def serve_process(root, *options, scheme="http", verify=None, python=(sys.executable,), env=None):
    """Run `featurestore serve` until it answers, and stop it at the end."""
    port = free_port()
    command = serve_command(root, "--port", port, *options, python=python)
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process,
        requests.Session() as session,
    ):
        # A machine may have a CA bundle of its own, which would take precedence over `verify`.
        session.verify = verify
        session.trust_env = False
        url = f"{scheme}://localhost:{port}"
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(process.stderr))
        reader.start()

        def answers():
            assert process.poll() is None, f"the server ended with {process.returncode}: {lines}"
            try:
                return session.get(f"{url}/health", timeout=10)
            except requests.exceptions.SSLError:
                raise
            except (requests.ConnectionError, requests.Timeout):
                return None

        try:
            eventually(answers, "the server did not answer", seconds=120)
            yield ServeProcess(process, session, url, lines)
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            finally:
                process.kill()
                reader.join(SECONDS)
