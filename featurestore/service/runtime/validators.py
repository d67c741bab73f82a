"""Processes that validate uploaded bodies: a body that needs too much memory or time ends one of them, and no lookup.

A process is started for the first upload, and validates one body at a time. It is replaced when it dies, when its time
is over, or when a body made it large.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from typing import Final

from featurestore.errors import FeatureStoreError

PROGRAM: Final = "featurestore.service.api.validator"
# Each message is its length, and whether the process ends after it.
HEAD: Final = struct.Struct(">I?")
# What a process exits with if it has no memory left.
NO_MEMORY: Final = 75
# The memory of a process ends in one of these: a Rust or C++ library aborts, the kernel kills.
NO_MEMORY_ENDS: Final = (NO_MEMORY, -signal.SIGABRT, -signal.SIGKILL)


class ValidatorEndedError(FeatureStoreError):
    """A process ended while it validated a body.

    Attributes
    ----------
    returncode
        Its exit code; negative: the signal that ended it.
    """

    def __init__(self, returncode: int) -> None:
        super().__init__(f"the process that validated the body ended with {returncode}")
        self.returncode = returncode


class Validators:
    """The processes of one server.

    Parameters
    ----------
    memory
        Bytes that each of them may use.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._idle: list[_Validator] = []
        self._all: set[_Validator] = set()

    async def run(self, job: bytes) -> bytes:
        """Let a process do a job. If the caller is cancelled, the process is killed at once.

        Raises
        ------
        ValidatorEndedError
            If the process ends before it answers.
        """
        validator = self._take()
        try:
            answer, ends = await validator.ask(job)
        except BaseException:
            self._remove(validator)
            raise
        if ends:
            self._remove(validator)
        else:
            self._idle.append(validator)
        return answer

    def close(self) -> None:
        """End all processes."""
        for validator in list(self._all):
            self._remove(validator)
        self._idle.clear()

    def _take(self) -> _Validator:
        while self._idle:
            validator = self._idle.pop()
            if validator.lives():
                return validator
            self._remove(validator)
        validator = _Validator(self._memory)
        self._all.add(validator)
        return validator

    def _remove(self, validator: _Validator) -> None:
        self._all.discard(validator)
        validator.end()


class _Validator:
    """One process, and the socket to it."""

    def __init__(self, memory: int) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)  # noqa: FBT003 - it takes no keywords
        # Not forked: the server has threads, and Polars does not survive a fork.
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", PROGRAM, str(theirs.fileno()), str(memory)],
                stdin=subprocess.DEVNULL,
                # What the checks of a project print goes to the log.
                stdout=2,
                pass_fds=(theirs.fileno(),),
                # Ctrl-C in a terminal is for the server, which ends its processes.
                start_new_session=True,
            )

    def lives(self) -> bool:
        return self._process.poll() is None

    async def ask(self, job: bytes) -> tuple[bytes, bool]:
        """Send a job, and return the answer and whether the process ends after it."""
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(self._socket, HEAD.pack(len(job), False) + job)  # noqa: FBT003 - as above
            length, ends = HEAD.unpack(await self._read(HEAD.size))
            return await self._read(length), ends
        except (EOFError, ConnectionError) as error:
            raise ValidatorEndedError(await asyncio.to_thread(self._process.wait)) from error

    def end(self) -> None:
        """Kill the process, which holds nothing that could be lost."""
        self._socket.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    async def _read(self, length: int) -> bytes:
        loop = asyncio.get_running_loop()
        parts = bytearray()
        while len(parts) < length:
            part = await loop.sock_recv(self._socket, length - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)
