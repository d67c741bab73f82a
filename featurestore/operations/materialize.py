"""Materialize: bring the online store to a moment, by knowledge time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from featurestore.storage.files import read_records
from featurestore.storage.online import advance_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout


Progress: TypeAlias = "Callable[[str, int, int], None]"


class Materialized(msgspec.Struct, frozen=True, kw_only=True):
    """What a materialization did for one view.

    Attributes
    ----------
    until
        Every row known by this moment is applied.
    full
        True where the view was written anew: its definition or rows changed, or the moment lies before the last.
    rows_read
        Built rows that became known since the last time (all, if full); and all that was pushed and deleted.
    rows_applied
        Rows written: the newest of each key, where newer than the stored one.
    rows_older
        Rows passed over: as new a row of their key was read as well, or stored already.
    """

    view: str
    until: datetime
    full: bool
    rows_read: int
    rows_applied: int
    rows_older: int


class MaterializeRun(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history of materializations.

    Attributes
    ----------
    at
        When it ended, by the clock.
    since
        Where each view stood before; None: nowhere.
    """

    at: datetime
    since: dict[str, datetime | None]
    views: tuple[Materialized, ...]


class MaterializeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the last materialization did."""

    until: datetime
    views: tuple[Materialized, ...]


def materialize(
    view: FeatureView,
    until: datetime,
    layout: Layout,
    store: OnlineStore,
    *,
    full: bool = False,
    progress: Progress = lambda *_: None,
) -> Materialized:
    """Apply to the online store every row of a view that is known at `until`, and no other.

    See `featurestore.storage.online.bring_to`: the view is written in one transaction, and readers see the state before or after.
    A run that is killed at any moment leaves a store that answers, and the next run makes good.

    Parameters
    ----------
    progress
        Called now and then with the view's name, how many rows are written, and of how many.

    Raises
    ------
    MissingDataError
        If the view is not built yet.
    StoreError
        If the store fails; it then holds what it held before.
    """
    done = advance_to(
        until, view, layout, store, full=full, progress=lambda done, of: progress(view.name, done, of)
    )
    return Materialized(
        view=view.name,
        until=until,
        full=done.full,
        rows_read=done.read,
        rows_applied=done.applied,
        rows_older=done.read - done.applied,
    )


def history(layout: Layout) -> list[MaterializeRun]:
    """List all runs so far, the oldest first."""
    return read_records(layout.materializations, MaterializeRun)
