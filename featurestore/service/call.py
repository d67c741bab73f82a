"""One request in progress, and the type of the functions that answer it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec
from starlette.responses import Response

from featurestore.service.runtime.refused import RefusedError
from featurestore.values.json_bounds import require_bounded
from featurestore.values.json_rows import column_fault
from featurestore.values.names import without_field_names

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

    from featurestore.service.lookup.active_release import ActiveRelease
    from featurestore.service.runtime.keys import ApiKey
    from featurestore.service.state import ServerState
    from featurestore.service.telemetry.journal import Entry

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """One request in progress.

    Attributes
    ----------
    release
        The release that answers. It stays the same while a new release is loaded.
    entry
        Record of the request for the journal.
    body
        The complete body. Empty for streamed routes, whose handlers receive it themselves.
    """

    state: ServerState
    release: ActiveRelease
    entry: Entry
    scope: Scope
    receive: Receive
    body: bytes

    @property
    def caller(self) -> ApiKey | None:
        """The API key of the request, or None."""
        key: ApiKey | None = self.scope["caller"]
        return key

    def parameter(self, name: str) -> str:
        """Return a parameter of the path."""
        value: str = self.scope["path_params"][name]
        return value

    def decode(
        self, decode: Callable[[bytes], T], form: str, *, typed: bool = False, columns: str | None = None
    ) -> T:
        """Decode the body.

        Parameters
        ----------
        form
            What the body looks like, for the hint of an error.
        typed
            True: the type that the body is decoded as bounds its lists and objects.
        columns
            The field that has the columns by name, so that an error names the column. None: the body has no columns.

        Raises
        ------
        RefusedError
            If the body is not the JSON that `decode` expects, or is nested too deep.
        ContractError
            If the body has too many lists and objects, or a number of too many digits.
        """
        max_rows = None if typed else self.state.options.max_rows
        try:
            require_bounded(self.body, max_rows=max_rows, where="the body")
            return decode(self.body)
        except msgspec.DecodeError as error:
            status = 422 if isinstance(error, msgspec.ValidationError) else 400
            fault = None if columns is None else column_fault(self.body, columns)
            raise RefusedError(
                status,
                "InvalidRequest",
                fault or without_field_names(str(error)),
                hint=f"send {form}; see GET /docs",
            ) from None  # the error of the decoder repeats what was sent
        except RecursionError as error:
            raise RefusedError(
                400, "InvalidRequest", "the body is nested too deep", hint="send a flat body; see GET /docs"
            ) from error


# A handler returns JSON as bytes, or a response of another type.
Handler: TypeAlias = Callable[[Call], Coroutine[Any, Any, bytes | Response]]
