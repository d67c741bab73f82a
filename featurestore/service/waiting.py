"""A usual request that waits for a store on a server: it takes neither a task nor the messages of ASGI."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeAlias

    # A handler that has run until it waits, and what it waits for.
    Started: TypeAlias = tuple[Coroutine[Any, Any, Any], asyncio.Future[Any]]
    # Gets the request, and the answer: its status; its headers and body.
    OnAnswer: TypeAlias = Callable[["WaitingRequest", int, bytes], None]


class WaitingRequest:
    """Runs the rest of a handler whenever what it waits for is done.

    The handler may only wait for futures. It runs without a task, so it sets no timeouts.

    Parameters
    ----------
    started
        The handler.
    on_end
        Called once with this object and the handler's answer, or with what the handler raised.

    Attributes
    ----------
    response_complete, keep_alive, disconnected, message_event
        As of uvicorn's cycle of a request, whose place this takes: later requests of the connection are answered after it.
    """

    # uvicorn sets the event when the caller leaves. Nobody waits for it.
    message_event: ClassVar[asyncio.Event] = asyncio.Event()

    def __init__(
        self,
        started: Started,
        on_end: Callable[[WaitingRequest, bytes | BaseException], None],
    ) -> None:
        self.response_complete = self.disconnected = False
        self.keep_alive = True
        self._handler, self._waits_for = started
        self._on_end = on_end
        self._is_cancelled = False
        self._waits_for.add_done_callback(self._resume)

    def cancel(self) -> None:
        """Raise CancelledError in the handler, unless it has ended."""
        self._is_cancelled = True
        self._waits_for.cancel()

    def _resume(self, _: asyncio.Future[Any]) -> None:
        result: bytes | BaseException
        try:
            if self._is_cancelled:
                self._waits_for = self._handler.throw(asyncio.CancelledError())
            else:
                self._waits_for = self._handler.send(None)
            self._waits_for.add_done_callback(self._resume)
        except StopIteration as end:
            result = end.value
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the caller gets an answer to every error
            result = error
        else:
            return
        self._on_end(self, result)
