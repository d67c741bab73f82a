"""Explain the windows of a historical value: the events of its key, and why each is in a window or is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.storage.parquet import scan_files
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import is_expired
from featurestore.timing.version import version, version_columns
from featurestore.windows.intervals import UNTIL, with_intervals

if TYPE_CHECKING:
    from featurestore.ports import ViewRows
    from featurestore.windows.aggregation import Aggregation

WINDOW_SUFFIX: Final = "__window"
_COUNTS: Final = "__counts"
_DELETED: Final = "__deleted"


def explain_windows(
    of_key: pl.Expr, as_of: pl.Expr, deleted_at: pl.Expr, view: ViewRows, *, verdict: str
) -> pl.DataFrame:
    """Show the events of a key, and for each window whether it holds the event at a timestamp.

    Parameters
    ----------
    of_key
        Holds for the rows of the key.
    as_of
        The timestamp.
    deleted_at
        When the key was deleted for the last time by then; null: it was not deleted.
    verdict
        The name of the first column.

    Returns
    -------
    pl.DataFrame
        The events, lowest version first: the verdict, the columns of the event, ``known_at``, and ``<feature>__window``
        for each window. The verdict is ``counts``, ``expired`` (it counts, but the newest event that counts is older
        than the time-to-live), ``deleted``, ``replaced`` (a later row of the same identity is known), ``not yet known``
        or ``later`` (the event had not happened). Of an event that counts, a window says ``in the window``, ``left the
        window``, ``filtered``, ``no value`` (it is in the window, but the column is null) or ``not among the last``.
    """
    selection = view.selection
    definition = selection.view
    keys, timing = definition.keys, definition.timing
    events = scan_files(view.files).filter(of_key)
    columns = [name for name in definition.contract.schema if name not in keys]
    # A row that is not known at the timestamp replaces nothing yet: `__until` is after the timestamp then.
    held = with_intervals(events, keys, timing, identity=definition.identity)
    is_deleted = (pl.col(EVENT_TIMESTAMP) <= deleted_at).fill_null(value=False)
    is_known = pl.col(KNOWN_AT) <= as_of
    is_replaced = (pl.col(UNTIL) <= as_of).fill_null(value=False)
    ordered = held.sort([*version(timing), *columns], maintain_order=True).with_columns(
        is_deleted.alias(_DELETED), (is_known & ~is_replaced & ~is_deleted).alias(_COUNTS)
    )
    newest = pl.col(EVENT_TIMESTAMP).filter(pl.col(_COUNTS)).max()
    why = (
        pl.when(pl.col(EVENT_TIMESTAMP) > as_of)
        .then(pl.lit("later"))
        .when(~is_known)
        .then(pl.lit("not yet known"))
        .when(is_replaced)
        .then(pl.lit("replaced"))
        .when(pl.col(_DELETED))
        .then(pl.lit("deleted"))
        .when(is_expired(timing, as_of, newest))
        .then(pl.lit("expired"))
        .otherwise(pl.lit("counts"))
    )
    windows = [
        _window(definition.windows[name], as_of).alias(f"{name}{WINDOW_SUFFIX}")
        for name in selection.features
    ]
    others = [name for name in columns if name not in version_columns(timing)]
    return ordered.select(why.alias(verdict), *version_columns(timing), KNOWN_AT, *others, *windows).collect()


def _window(aggregation: Aggregation, as_of: pl.Expr) -> pl.Expr:
    inside = pl.col(_COUNTS)
    where = pl.lit(value=True)
    if aggregation.where is not None:
        where = aggregation.where.fill_null(value=False)
        inside &= where
    left = pl.lit(value=False)
    if aggregation.duration is not None:
        left = pl.col(EVENT_TIMESTAMP) <= as_of - aggregation.duration
        inside &= ~left
    too_old = pl.lit(value=False)
    if aggregation.events is not None:
        too_old = inside.cast(pl.Int64).cum_sum(reverse=True) > aggregation.events
    missing = pl.lit(value=False)
    if aggregation.column is not None:
        missing = pl.col(aggregation.column).is_null()
    return (
        pl.when(~pl.col(_COUNTS))
        .then(None)
        .when(~where)
        .then(pl.lit("filtered"))
        .when(left)
        .then(pl.lit("left the window"))
        .when(too_old)
        .then(pl.lit("not among the last"))
        .when(missing)
        .then(pl.lit("no value"))
        .otherwise(pl.lit("in the window"))
    )
