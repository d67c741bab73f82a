"""Real servers for the tests: each has a free port of the loopback interface and a folder of its own.

Tests of a server that is not installed are skipped with the reason. If FEATURESTORE_REQUIRE_SERVERS is set, as in CI,
they fail.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name: str, *folders: str, needs: str = "redis-server postgresql") -> str:
    """Find a program of one of Debian's packages."""
    candidates = [
        shutil.which(name),
        *(str(p) for folder in folders for p in Path("/").glob(f"{folder}/{name}")),
    ]
    path = next((candidate for candidate in candidates if candidate), None)
    if path is None:
        skip_or_fail(f"{name} is not installed (Debian: apt-get install {needs})")
    return path


def skip_or_fail(message: str) -> None:
    if os.environ.get("FEATURESTORE_REQUIRE_SERVERS"):
        pytest.fail(message)
    pytest.skip(message)


class RedisServer:
    """A Redis server, which can stop and start again with its data."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = {"port": self.port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "yes"}
        self._command = [
            program("redis-server"),
            *(word for k, v in options.items() for word in (f"--{k}", str(v))),
        ]

    def start(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                break

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    def pause(self):
        """Hang: connections stay open, and no request is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)


class PostgresServer:
    """A PostgreSQL server, which can stop and start again with its data.

    PostgreSQL refuses to run as root, so root runs it as the user that Debian creates for it.
    """

    def __init__(self, folder):
        initdb, self._control = (program(name, "usr/lib/postgresql/*/bin") for name in ("initdb", "pg_ctl"))
        self._user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.port, self._folder = free_port(), Path(folder)
        self.url = f"postgresql://features@127.0.0.1:{self.port}/postgres"
        self._data = str(self._folder / "data")
        if self._user:
            shutil.chown(folder, "postgres")
        self._run(initdb, "-D", self._data, "-U", "features", "--auth=trust", "--no-sync")

    def start(self):
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder} -c fsync=off"
        log = str(self._folder / "log")
        self._run(self._control, "-D", self._data, "-o", options, "-l", log, "--wait", "start")

    def stop(self):
        self._run(self._control, "-D", self._data, "--mode=immediate", "--wait", "stop")

    def pause(self):
        """Hang: connections stay open, and no request is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self):
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        parent = Path(self._data, "postmaster.pid").read_text().splitlines()[0]
        os.kill(int(parent), number)
        # A parent that has not stopped yet may begin another child, for a connection that is being opened.
        state = Path(f"/proc/{parent}/stat")
        while number == signal.SIGSTOP and state.read_text().rpartition(") ")[2][0] != "T":
            os.sched_yield()
        for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            os.kill(int(child), number)

    def _run(self, *command):
        subprocess.run([*self._user, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")


class S3Server:
    """A server of the S3 protocol with one empty bucket. It keeps its objects in memory, and ends with the test."""

    PACKAGES = ("dvc_s3", "flask", "flask_cors", "moto")
    BUCKET = "features"
    # Port 0 is a free one, which the server tells; when its input ends, so does the process.
    CODE = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""

    def __init__(self, _):
        if missing := [name for name in self.PACKAGES if find_spec(name) is None]:
            skip_or_fail(f"packages are not installed: {', '.join(missing)} (run: make s3)")

    def start(self):
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{port}"
        with closing(HTTPConnection("127.0.0.1", port)) as connection:
            connection.request("PUT", f"/{self.BUCKET}")
            assert connection.getresponse().status == 200

    def stop(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Proxy:
    """A proxy of a server that can lose its connections silently: no data pass, and no connection closes."""

    def __init__(self, port):
        self._target, self._lost = port, set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self):
        """Lose all current connections. New connections work."""
        self._lost.update(end for pair in self._pairs for end in pair)

    def close(self):
        self._listener.close()
        for end in [end for pair in self._pairs for end in pair]:
            # Wakes the threads that wait in recv.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                pair = self._listener.accept()[0], socket.create_connection(("127.0.0.1", self._target))
                self._pairs.append(pair)
                for source, target in (pair, pair[::-1]):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source, target):
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._lost:
                    target.sendall(data)
            if source not in self._lost:
                target.shutdown(socket.SHUT_WR)


@contextmanager
def run_server(kind):
    """Run a server in a temporary folder."""
    folder = tempfile.mkdtemp()
    server = kind(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def redis_server():
    """Run Redis, and yield its URL."""
    with run_server(RedisServer) as server:
        yield server.url


@contextmanager
def postgres_server():
    """Run PostgreSQL, and yield its URL."""
    with run_server(PostgresServer) as server:
        yield server.url


@contextmanager
def s3_server():
    """Run a server of the S3 protocol, and yield the lines of DVC's configuration that name a remote on it."""
    with run_server(S3Server) as server:
        yield (
            f"    url = s3://{server.BUCKET}/store\n    endpointurl = {server.url}\n"
            "    access_key_id = test\n    secret_access_key = test\n"
        )
