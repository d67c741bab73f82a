"""``POST /push`` and ``POST /write-to-online-store``: rows of a feature view for training and serving."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from featurestore.errors import ContractError
from featurestore.service.api.permissions import require_view
from featurestore.service.lookup.feast_wire import PUSHED, PushRequest, WriteRequest
from featurestore.storage.lock import patience
from featurestore.values.json_keys import require_unique_keys
from featurestore.values.wording import counted
from featurestore.vectors.pushed_rows import pushed_rows

if TYPE_CHECKING:
    import polars as pl

    from featurestore.project import Project
    from featurestore.service.call import Call

_push_request = msgspec.json.Decoder(PushRequest)
_write_request = msgspec.json.Decoder(WriteRequest)


async def push(call: Call) -> Response:
    """Answer ``POST /push``.

    Raises
    ------
    RefusedError
        If the key may not push to the view.
    UnknownNameError
        If the view does not exist.
    ContractError
        If the rows break the contract of the view or are for training only, or an object names a key twice.
    StoreError
        If another process writes the view for too long, or the store does not answer.
    """
    request = call.decode(_push_request.decode, _form("push_source_name"), columns="df")
    if request.to not in PUSHED:
        raise ContractError(
            f"to is {request.to!r}: training would learn rows that serving never knew",
            hint=f"push to {' or '.join(PUSHED)}; both reach training and serving",
        )
    await _push(call, request.push_source_name, request.df)
    return Response()


async def write_to_online_store(call: Call) -> bytes:
    """Answer ``POST /write-to-online-store`` as a push; raises as `push` does."""
    request = call.decode(_write_request.decode, _form("feature_view_name"), columns="df")
    await _push(call, request.feature_view_name, request.df)
    return b"null"


def _form(view: str) -> str:
    return f'{{"{view}": "view", "df": {{"column": [...]}}}}'


async def _push(call: Call, view: str, columns: dict[str, list[Any]]) -> None:
    options = call.state.options
    project = call.release.project
    require_view(call, view)
    require_unique_keys(call.body, 2 + len(columns), f"rows pushed to {view!r}")
    definition = project.catalog.view(view)
    # Counted before the values are read, which takes a microsecond for each.
    if (height := max(map(len, columns.values()), default=0)) > options.max_rows:
        raise ContractError(
            f"{counted(height, 'row')}; the limit is {options.max_rows:,}",
            hint="push several smaller batches",
        )
    rows = pushed_rows(definition, columns)
    # A push that does not get the lock in the first half of its time gives up, so a push that is answered with 503
    # for this reason is never applied later.
    elapsed = time.time() - call.entry.at
    until = time.monotonic() + options.timeout / 2 - elapsed
    await call.state.pushes.run(lambda: _push_before(project, view, rows, until))


def _push_before(project: Project, view: str, rows: pl.DataFrame, until: float) -> None:
    with patience(until):
        project.push(view, rows)
