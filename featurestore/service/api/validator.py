"""The process that validates uploaded bodies for a server: ``python -m featurestore.service.api.validator FD BYTES``.

It takes jobs from a socket, one after the other, with a limit on its memory. It ends with its server.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final

import msgspec

from featurestore.adapters.bodies import body_columns, legible, scan_body
from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import FeatureStoreError, SkewError
from featurestore.project import Project
from featurestore.project import open as open_project
from featurestore.service.api.problems import INTERNAL_ERROR, kind_of, status_of
from featurestore.service.api.validation import Failed, Job, Validated
from featurestore.service.runtime.validators import HEAD, NO_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.definitions.catalog import Node
    from featurestore.quality.gate.verdict import Verdict

# Lookups of the server come first.
NICENESS: Final = 5
# A process that has used more than this share of its memory is replaced: allocators do not give all of it back.
LARGE: Final = 0.5
MAX_TRACEBACK: Final = 8_000  # characters


class Validator:
    """Validates bodies, one after the other. It keeps the last project open."""

    def __init__(self) -> None:
        self._root = ""
        self._project: Project | None = None

    def answer(self, job: Job) -> Validated | Failed:
        """Validate a body. Only an error of memory is raised.

        Raises
        ------
        MemoryError
            If the body needs more memory than this process may use.
        """
        try:
            return Validated(self._validate(job))
        except MemoryError:
            raise
        except FeatureStoreError as error:
            return Failed(
                status=status_of(error), kind=kind_of(error), message=error.message, hint=error.hint
            )
        except Exception:  # noqa: BLE001 - the server logs it, and answers
            text = traceback.format_exc()[-MAX_TRACEBACK:]
            return Failed(status=INTERNAL_ERROR, kind="InternalError", message=text)

    def _validate(self, job: Job) -> Verdict:
        project, node = self._open(job)
        body = Path(job.body)
        # The columns first: nothing is unpacked for a body whose columns are wrong.
        columns = body_columns(body, job.media, node, job.limits)
        if columns is not None:
            project.quality.validate_rows(node.name, columns.lazy(), environment=job.environment)
        rows = scan_body(body, job.media, node, job.limits)
        with legible(node, job.media):
            return project.quality.validate_rows(
                node.name, rows, environment=job.environment, folder=Path(job.results)
            ).record()

    def _open(self, job: Job) -> tuple[Project, Node]:
        """Return the project with the definitions of the server.

        Raises
        ------
        SkewError
            If the files have other definitions by now.
        """
        for _ in range(2):
            if self._project is None or self._root != job.root:
                self._root, self._project = job.root, open_project(job.root)
            project = self._project.with_data(Path(job.data))
            node = project.catalog.nodes.get(job.dataset)
            if node is not None and fingerprint(node).digest == job.definition:
                return project, node
            self._project = None
        raise SkewError(
            f"{job.dataset}: its definition was changed after the server was started",
            hint="start the server again",
        )


def main(descriptor: int, memory: int) -> None:
    """Take jobs from a socket until the server closes it."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    # A core dump would hold rows that callers sent.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=descriptor) as server:
        jobs: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=_receive, args=(server, jobs), daemon=True).start()
        validator = Validator()
        while True:
            job = msgspec.json.decode(jobs.get(), type=Job)
            try:
                answer = msgspec.json.encode(validator.answer(job))
            except MemoryError:
                # Not by an exception, which would need memory.
                os._exit(NO_MEMORY)
            server.sendall(HEAD.pack(len(answer), _peak() > LARGE * memory) + answer)


def _peak() -> int:
    """Return the bytes that this process had in memory at most.

    Linux adds the memory of the process that started this one to what `getrusage` says, also where that is a large server.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _receive(server: socket.socket, jobs: SimpleQueue[bytes]) -> None:
    """Receive jobs. The end of the server ends this process at once, also while it validates."""
    try:
        for job in _messages(server):
            jobs.put(job)
    finally:
        os._exit(0)


def _messages(server: socket.socket) -> Iterator[bytes]:
    def read(length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length and (part := server.recv(length - len(parts))):
            parts += part
        return bytes(parts)

    while head := read(HEAD.size):
        length, _ = HEAD.unpack(head)
        yield read(length)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
