"""The processes of a server: how they end, and how a worker knows what its parent knew."""

from __future__ import annotations

import os
import signal
from multiprocessing import parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import TYPE_CHECKING

from uvicorn import Server
from uvicorn.supervisors import Multiprocess

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from uvicorn import Config


class Parent(Multiprocess):
    """The parent of the worker processes: it starts a worker again that ended, and ends all of them at a signal.

    Parameters
    ----------
    before_workers
        Is called about twice a second, before a worker is started again.
    """

    def __init__(self, config: Config, sockets: list[socket], before_workers: Callable[[], None]) -> None:
        ignored = hangup_is_ignored()
        super().__init__(config, sockets)
        if ignored:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._before_workers = before_workers

    def keep_subprocess_alive(self) -> None:
        """Start the workers again that ended."""
        self._before_workers()
        super().keep_subprocess_alive()

    def handle_hup(self) -> None:
        """End as at SIGTERM: the workers answer the requests in progress first."""
        self.handle_term()


def run_alone(config: Config, sockets: list[socket]) -> None:
    """Run a server in this process until SIGINT, SIGTERM or SIGHUP. Requests in progress are answered first."""
    server = Server(config)

    def end(*_: object) -> None:
        server.should_exit = True

    if not hangup_is_ignored():
        signal.signal(signal.SIGHUP, end)
    server.run(sockets)


def hangup_is_ignored() -> bool:
    """Return whether SIGHUP is ignored, as under ``nohup``: then the server ignores it too."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def end_with_parent() -> None:
    """End this worker as at SIGTERM once its parent process has ended in any way, also if it was killed.

    SIGHUP is left to the parent: a terminal that closes sends it to both.
    """
    parent = parent_process()
    if parent is None:
        return
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, name="parent", daemon=True).start()
