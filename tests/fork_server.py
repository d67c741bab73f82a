"""Starts Python programs as forks of this process, which has imported the libraries: python fork_server.py FOLDER.

A client (tests/fork_client.py) sends what Python gets to start: words, variables, folder and standard streams. It gets
back the number of the process, and then how this ended.
"""

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import types
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# What a command, a server, DVC and the snippets of the pages import.
LIBRARIES = (
    "numpy",
    "pyarrow.parquet",
    "polars",
    "hypothesis",
    "pandera.polars",
    "pandera.backends.polars.container",
    "pandera.strategies.base_strategies",
    "typer.rich_utils",
    "multiprocessing.spawn",
    # DVC imports its parts where it needs them: these are what most of its commands import.
    "dvc.cachemgr",
    "dvc.cli.parser",
    "dvc.commands.repro",
    "dvc.daemon",
    "dvc.data_cloud",
    "dvc.lock",
    "dvc.repo.artifacts",
    "dvc.repo.datasets",
    "dvc.repo.graph",
    "dvc.repo.index",
    "dvc.repo.metrics",
    "dvc.repo.params",
    "dvc.repo.plots",
    "dvc.repo.stage",
    "dvc.rwlock",
    "dvc.scm",
    "dvc_data.hashfile.db.local",
    "dvc_data.hashfile.status",
    "dvc_data.index.checkout",
    "dulwich.worktree",
    "fsspec.implementations.memory",
    "networkx",
    "ruamel.yaml",
    "featurestore.adapters.dvc_stages",
    "featurestore.adapters.lmdb",
    "featurestore.cli.app",
    "featurestore.project",
    "featurestore.report.pages",
    "featurestore.service.app",
    "featurestore.service.paths",
    "featurestore.service.run",
    "featurestore.adapters.feast.library",
)
# What needs Feast as our adapter loads it.
ADAPTERS = (
    "featurestore.adapters.feast.applied",
    "featurestore.adapters.feast.objects",
    "featurestore.adapters.feast.offline",
    "featurestore.adapters.feast.online",
    "featurestore.adapters.feast.registry",
    "feast.infra.passthrough_provider",
    "feast.repo_operations",
)
# Names the Python of the processes that a program starts.
CHILDREN = "FORKED_CHILDREN"


class Request(NamedTuple):
    """What a client asks for."""

    words: list[str]
    variables: dict[str, str]
    folder: str
    streams: list[int]


def receive(client: socket.socket) -> Request:
    """Read a request and its three standard streams."""
    streams = array.array("i")
    message, ancillary, *_ = client.recvmsg(1 << 16, socket.CMSG_LEN(3 * streams.itemsize))
    for _, _, data in ancillary:
        streams.frombytes(data)
    while not message.endswith(b"\0"):
        message += client.recv(1 << 16)
    return Request(*json.loads(message[:-1]), list(streams))


class Forks:
    """The clients, each with the fork that runs its program."""

    def __init__(self, listener: socket.socket):
        self._listener = listener
        self._awake, self._waker = socket.socketpair()
        self._clients: dict[int, socket.socket] = {}
        self._ready = selectors.DefaultSelector()

    def serve(self) -> Request:
        """Fork for each client. Returns in the forks alone; this process ends with the one that started it."""
        self._waker.setblocking(False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno())
        for source in (self._listener, self._awake, sys.stdin):
            self._ready.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self._ready.select():
                if key.fileobj is self._listener:
                    request = self._accept()
                    if request is not None:
                        return request
                elif key.fileobj is self._awake:
                    self._answer()
                elif key.fileobj is sys.stdin:
                    self._end()
                else:
                    # The client was killed.
                    self._ready.unregister(key.fileobj)
                    os.kill(key.data, signal.SIGKILL)

    def _accept(self) -> Request | None:
        """Fork for a client. Returns its request in the fork."""
        client, _ = self._listener.accept()
        request = receive(client)
        pid = fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for held in (
                self._ready,
                self._listener,
                self._awake,
                self._waker,
                client,
                *self._clients.values(),
            ):
                held.close()
            return request
        for stream in request.streams:
            os.close(stream)
        self._clients[pid] = client
        self._ready.register(client, selectors.EVENT_READ, pid)
        tell(client, pid)
        return None

    def _answer(self) -> None:
        """Tell each client whose fork ended how it ended."""
        self._awake.recv(1 << 16)
        for pid, status in ended():
            client = self._clients.pop(pid)
            if client in self._ready.get_map():
                self._ready.unregister(client)
                tell(client, os.waitstatus_to_exitcode(status))
            client.close()

    def _end(self) -> None:
        for pid in self._clients:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)


def tell(client: socket.socket, number: int) -> None:
    """Send a number to a client, unless this was killed."""
    with suppress(BrokenPipeError, ConnectionResetError):
        client.send(f"{number}\n".encode())


def ended() -> list[tuple[int, int]]:
    """List the forks that ended, each with its status."""
    endings = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return endings
        if pid == 0:
            return endings
        endings.append((pid, status))


def fork() -> int:
    """Fork. The other threads are those of memory allocators, which begin again where they are needed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def run(request: Request) -> None:
    """Run a program as Python does."""
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.variables)
    sys.executable = request.variables.get(CHILDREN, sys.executable)
    kind, *words = request.words
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    if kind == "-c":
        text, *words = words
        sys.argv[:] = ["-c", *words]
        sys.path.insert(0, "")
        exec(compile(text, "<string>", "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - as Python does
    elif kind == "-m":
        sys.argv[:] = words
        sys.path.insert(0, request.folder)
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = request.words
        sys.path.insert(0, str(Path(kind).absolute().parent))
        runpy.run_path(kind, run_name="__main__")


def load() -> None:
    """Import the libraries, and compute nothing: threads of a pool would be missing in the forks."""
    for name in LIBRARIES:
        importlib.import_module(name)
    sys.modules["featurestore.adapters.feast.library"].load_feast()
    for name in ADAPTERS:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


class Ending:
    """Ends a fork as soon as everything that runs at an exit has run: Python would visit all objects once more."""

    status: int | None = None

    def __call__(self) -> None:
        """End the process, if its status is known."""
        if self.status is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.status)


if __name__ == "__main__":
    del sys.path[0]
    ending = Ending()
    # What is registered first is called last.
    atexit.register(ending)
    load()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(Path(sys.argv[1]) / "socket"))
        listening.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        wanted = Forks(listening).serve()
    try:
        run(wanted)
        ending.status = 0
    except SystemExit as error:
        ending.status = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise
    except Exception:
        ending.status = 1
        raise
