"""Real servers for the tests: each on a free port of loopback, in a folder of its own, gone when the tests end.

A machine without one skips its tests with the reason; where FEATURESTORE_REQUIRE_SERVERS is set, as in CI, they fail.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name: str, *folders: str) -> str:
    """Find a server's program."""
    candidates = [
        shutil.which(name),
        *(str(p) for folder in folders for p in Path("/").glob(f"{folder}/{name}")),
    ]
    found = next((path for path in candidates if path), None)
    if found is None:
        message = f"{name} is not installed (Debian: apt-get install redis-server postgresql)"
        if os.environ.get("FEATURESTORE_REQUIRE_SERVERS"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextmanager
def redis_server():
    """Run Redis; gives its URL."""
    port, folder = free_port(), tempfile.mkdtemp()
    command = [
        program("redis-server"),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        folder,
        "--save",
        "",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        for line in server.stdout:
            if "Ready to accept connections" in line:
                break
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
    shutil.rmtree(folder)


@contextmanager
def postgres_server():
    """Run PostgreSQL; gives its URL. It refuses to run as root, so root runs it as the user that Debian makes for it."""
    initdb, control = (program(name, "usr/lib/postgresql/*/bin") for name in ("initdb", "pg_ctl"))
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    port, folder = free_port(), Path(tempfile.mkdtemp())
    data = folder / "data"
    if user:
        shutil.chown(folder, "postgres")

    def run(*command):
        subprocess.run([*user, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")

    run(initdb, "-D", str(data), "-U", "features", "--auth=trust", "--no-sync")
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    run(control, "-D", str(data), "-o", options, "-l", str(folder / "log"), "--wait", "start")
    try:
        yield f"postgresql://features@127.0.0.1:{port}/postgres"
    finally:
        run(control, "-D", str(data), "--mode=immediate", "--wait", "stop")
        shutil.rmtree(folder)
