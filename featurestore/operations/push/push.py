"""Push: write rows of a feature view between two builds, to training and serving at once."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the types of fields
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import polars as pl

from featurestore.adapters.row_files import read_rows
from featurestore.config import FixedClock
from featurestore.errors import DefinitionError, FeatureStoreError, StoreError
from featurestore.operations.materialize import Materialized, materialize_view
from featurestore.operations.push.logged import LoggedError, logged
from featurestore.operations.release.active_release import (
    active_release_with,
    materialize_release,
    next_timestamp,
    other_active_release,
)
from featurestore.quality.gate.ahead import require_not_ahead
from featurestore.quality.gate.casting import cast_plan
from featurestore.quality.gate.refused_rows import RefusedRowsError, admit_rows, refused_text
from featurestore.splits.sample import IS_REPEATED
from featurestore.storage.commits import keep_commit
from featurestore.storage.files import write_record
from featurestore.storage.lock import locked, locked_together
from featurestore.storage.pushes import UnwrittenRows, settle_versions, unwritten_events, unwritten_rows
from featurestore.storage.views import compact_log, deleted_keys, files_of, log_rows
from featurestore.timing.columns import CREATED_TIMESTAMP
from featurestore.timing.version import in_version_order
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.workspace import Workspace


# Rows of a push that is written with others. A larger push is written alone, so that small ones are not slowed down.
MAX_ROWS_TOGETHER: Final = 1_000


class Pushed(Materialized, frozen=True, kw_only=True):
    """What a push did. What it read and applied includes pushes that were written together with it.

    Attributes
    ----------
    rows
        Rows that were pushed.
    repeated, pending, deleted, older
        Rows that wrote nothing: the same row was pushed at the same time before; the row is known later; its key was
        deleted at the time of its event or after it; the store holds a newer row of its key.
    pending_until
        When all pending rows are known, in UTC; None: there are none.
    release
        The active release, which has the rows too; None: there is none, or it is the project itself.
    not_reached
        The active release, if it does not take the rows: it does not have the view, or has another schema of it.
    """

    rows: int
    repeated: int = 0
    pending: int = 0
    pending_until: datetime | None = None
    deleted: int = 0
    older: int = 0
    release: str | None = None
    not_reached: str | None = None

    @property
    def written(self) -> int:
        """How many of the rows count in what is served from now on."""
        return self.rows - self.repeated - self.pending - self.deleted - self.older


def push(workspace: Workspace, view: str, rows: pl.DataFrame | pl.LazyFrame | Path) -> Pushed:
    """Let rows through the gate of a view, log them offline, and bring the online store to the current time.

    The active release is brought to the current time too, also if the workspace is a former release: what is served has
    the rows.

    A pushed row is known from now on and never before: training on the past does not see it. A row that corrects
    another one of the same event and ``created_timestamp`` is created one microsecond after it, so that no two rows of
    the log are equal in version: under a fixed ``as_of``, the time advances with them.

    Parameters
    ----------
    rows
        Rows of the view, or the path of a Parquet, CSV or JSON lines file. ``created_timestamp`` may be absent or null:
        it becomes the current time. A row whose event is in the future waits until then.

    Raises
    ------
    AheadError
        If a row was created more than a minute after the current time, or its event is more than a year after it.
    RefusedRowsError
        If a row breaks the view's contract, or is a copy that a sample made; nothing is written then.
    ContractError
        If the file cannot be read, or the rows as a whole break the contract.
    DefinitionError
        If the view's schema has no ``created_timestamp``: training would take the row as known since its event.
    MissingDataError
        If the view is not built yet.
    SkewError
        If another definition of the view built its rows.
    LoggedError
        If a store or the file system fails after the rows were logged: the next write applies them.
    """
    definition = workspace.catalog.view(view)
    frame = read_rows(rows, definition) if isinstance(rows, Path) else rows.lazy().collect()
    if not definition.timing.created:
        raise DefinitionError(
            f"feature view {view!r} cannot be pushed to: its schema has no {CREATED_TIMESTAMP!r}, so training "
            "would take a pushed row as known since its event",
            hint=f"declare {CREATED_TIMESTAMP!r} in schema {definition.contract.name}",
        )
    own = _Push(workspace, frame, first=1 if isinstance(rows, Path) else 0)
    _refuse_repeated(definition, own)
    outcome = locked_together(
        workspace.layout.pushing(view),
        own,
        own.fits,
        lambda take: _push_together(workspace, definition, take),
    )
    if isinstance(outcome, FeatureStoreError):
        raise outcome
    return outcome


class _Push(NamedTuple):
    """The rows of one push, which waits for its turn; messages count them from `first`."""

    workspace: Workspace
    rows: pl.DataFrame
    first: int

    def fits(self, push: _Push) -> bool:
        """Return whether another push can be written with this one."""
        return (
            self.workspace is push.workspace and max(self.rows.height, push.rows.height) <= MAX_ROWS_TOGETHER
        )


class _Written(NamedTuple):
    """What the log and the online store of the workspace have of pushes."""

    rows: list[pl.DataFrame]
    until: datetime
    file: Path | None
    done: Materialized
    unwritten: list[UnwrittenRows]


def _push_together(
    workspace: Workspace, view: FeatureView, take: Callable[[], Sequence[_Push]]
) -> list[Pushed | FeatureStoreError]:
    """Write pushes in one transaction, one after the other in version; return the result or the error of each."""
    store = workspace.store(create=True)
    release = active_release_with(workspace, view.name)
    checked: list[pl.DataFrame | FeatureStoreError] = []
    try:
        with locked(workspace.layout.lock(view.name)):
            if release is not None:
                files_of(release.catalog.view(view.name), release.layout)  # raises before anything is logged
            known = next_timestamp(workspace, view.name, release)
            pushes = take()
            checked = [_checked(view, push, known) for push in pushes]
            admitted = [rows for rows in checked if isinstance(rows, pl.DataFrame)]
            if not admitted:
                return [refused for refused in checked if isinstance(refused, FeatureStoreError)]
            written = _write(workspace, view, admitted, known, store)
        reached = _reach(release, workspace, view, written)
    except FeatureStoreError as error:
        if not checked:
            raise
        return [
            rows if isinstance(rows, FeatureStoreError) else _error_of_one(error, rows.height)
            for rows in checked
        ]
    active = other_active_release(workspace)
    pushed = (
        Pushed(
            rows=rows.height,
            repeated=rows.height - logged_rows.height,
            release=active if reached else None,
            not_reached=None if reached else active,
            **msgspec.structs.asdict(unwritten),
            **msgspec.structs.asdict(written.done),
        )
        for rows, logged_rows, unwritten in zip(admitted, written.rows, written.unwritten, strict=True)
    )
    return [outcome if isinstance(outcome, FeatureStoreError) else next(pushed) for outcome in checked]


def _checked(view: FeatureView, push: _Push, known: datetime) -> pl.DataFrame | FeatureStoreError:
    """Return the rows that the gate admits, or why it refuses them."""
    try:
        return admit_rows(view, _stamped(view, push, known), first=push.first)
    except FeatureStoreError as error:
        return error


def _write(
    workspace: Workspace,
    view: FeatureView,
    admitted: Sequence[pl.DataFrame],
    known: datetime,
    store: OnlineStore,
) -> _Written:
    """Log rows of pushes, and bring the online store of the workspace to the time from which they are known."""
    layout = workspace.layout
    rows, until = settle_versions(view, admitted, known, files_of(view, layout))
    _advance_fixed_clock(workspace, until)
    rows_to_log = in_version_order(pl.concat(rows).lazy(), view.keys, view.timing).collect()
    file = log_rows(view, rows_to_log, layout) if rows_to_log.height else None
    with logged(view.name, rows_to_log.height):
        done = materialize_view(workspace, view, until, store)
        deletions = deleted_keys(view, layout) if view.windows else None
        unwritten = [
            unwritten_rows(view, of_push, until, store)
            if deletions is None
            else unwritten_events(view, of_push, until, deletions)
            for of_push in rows
        ]
    return _Written(rows, until, file, done, unwritten)


def _reach(release: Workspace | None, workspace: Workspace, view: FeatureView, written: _Written) -> bool:
    """Bring the active release to what was written, and end the write; returns whether the release reads the rows."""
    file = written.file
    reached = False
    with logged(view.name, sum(rows.height for rows in written.rows)):
        if release is not None:
            materialize_release(release, view.name, written.until)
            reached = file is None or _reads(release, view.name, file)
        if file is not None:
            keep_commit(view.name, file, written.until, workspace.layout)
            compact_log(view, workspace.layout)
    return reached


def _error_of_one(error: FeatureStoreError, rows: int) -> FeatureStoreError:
    """Return the error of one push, from the error of pushes that were written together."""
    if isinstance(error, LoggedError) and isinstance(error.__cause__, StoreError):
        return LoggedError(error.view, rows, error.__cause__)
    return error


def _refuse_repeated(view: FeatureView, push: _Push) -> None:
    rows = push.rows
    if IS_REPEATED not in rows.columns or IS_REPEATED in view.contract:
        return
    # In a file of text it is text.
    is_repeated = rows[IS_REPEATED].cast(pl.String).str.to_lowercase() == "true"
    refused = is_repeated.arg_true().to_list()
    if refused:
        named = refused_text(((row, f"a copy, by {IS_REPEATED!r}") for row in refused), first=push.first)
        raise RefusedRowsError(
            f"rows for view {view.name!r}: {counted(len(refused), 'row')} of a sample are marked {IS_REPEATED!r}; copies are for "
            f"training alone{named}",
            hint=f"leave out the rows where {IS_REPEATED!r} is true",
            refused_rows=refused,
        )


def _reads(release: Workspace, view: str, file: Path) -> bool:
    """Return whether a release reads a file of pushed rows: its schema of the view is that of the rows."""
    return file.name in {path.name for path in files_of(release.catalog.view(view), release.layout)}


def _advance_fixed_clock(workspace: Workspace, until: datetime) -> None:
    settings = workspace.settings
    if settings.as_of is None or until <= settings.now():
        return
    with locked(settings.fixed_clock.with_suffix(".lock")):
        now = max(until, settings.now())
        write_record(FixedClock(as_of=settings.as_of, now=now), settings.fixed_clock)


def _stamped(view: FeatureView, push: _Push, known: datetime) -> pl.DataFrame:
    """Let rows be created at a timestamp, also those that say that they were created before it, or a little after it."""
    rows = push.rows
    if CREATED_TIMESTAMP not in rows.columns:
        rows = rows.with_columns(pl.lit(None, dtype=UTC_MICROSECONDS).alias(CREATED_TIMESTAMP))
    plan = cast_plan(rows.schema, view.contract, dataset=view.name)
    failed = plan[CREATED_TIMESTAMP].failed
    if failed is not None and rows.select(failed.any()).item():
        # A value that is not a timestamp must not become the current time: the gate names it.
        admit_rows(view, rows, first=push.first)
    values = {name: column.value for name, column in plan.items()}
    require_not_ahead(view, rows, values, known, first=push.first)
    return rows.with_columns(pl.lit(known, dtype=UTC_MICROSECONDS).alias(CREATED_TIMESTAMP))
