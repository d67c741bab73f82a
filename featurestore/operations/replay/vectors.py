"""Vectors of a replay: the historical join of logged requests, as it is and as it would be under other rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from featurestore.storage import served_columns as columns
from featurestore.storage.commits import DELETED, commits_of
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.log import last_number, without_writes
from featurestore.storage.views import deleted_keys
from featurestore.timing.columns import EVENT_SUFFIX, EVENT_TIMESTAMP
from featurestore.timing.join import Status, status_column
from featurestore.values.key_columns import join_by_key
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.alias import view_keys
from featurestore.vectors.complete import complete
from featurestore.vectors.request import entity_rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import ViewRows
    from featurestore.storage.layout import Layout
    from featurestore.workspace import Workspace

END = pl.datetime(9999, 12, 31, time_unit="us", time_zone="UTC")


def vectors_at(
    workspace: Workspace,
    service: FeatureService,
    served: pl.DataFrame,
    *,
    change: Callable[[ViewRows], ViewRows] = lambda view: view,
) -> pl.DataFrame:
    """Join a service to logged requests, each as of the timestamp of its answer.

    Parameters
    ----------
    change
        Chooses among the rows of a view.

    Returns
    -------
    pl.DataFrame
        Keys, request values and timestamp; features, their statuses, and ``<view>__event_timestamp``.
    """
    rows = _entity_rows(service, served)
    views = [change(view) for view in workspace.rows_of(service)]
    joined = workspace.engine.historical(rows, views) if views else rows
    return _complete(rows, joined.select(joined.columns[rows.width :]), service)


def vectors_without(
    workspace: Workspace, service: FeatureService, served: pl.DataFrame, files: frozenset[tuple[str, str]]
) -> pl.DataFrame:
    """Join as `vectors_at`, without some pushes and deletions: pairs of view and the name of the file when it was written."""
    with TemporaryDirectory() as folder:

        def change(view: ViewRows) -> ViewRows:
            name = view.selection.view.name
            names = {file for of_view, file in files if of_view == name}
            return replace(
                view,
                files=_without(
                    view.files, {file for file in names if not file.startswith(DELETED)}, Path(folder, name)
                ),
                deleted=_without(
                    view.deleted, {file.removeprefix(DELETED) for file in names}, Path(folder, name, DELETED)
                ),
            )

        return vectors_at(workspace, service, served, change=change)


def _without(paths: Sequence[Path], names: set[str], target: Path) -> tuple[Path, ...]:
    """Leave out the writes that had files of some names, also where they are merged by now."""
    numbers = [number for name in names if (number := last_number(name)) is not None]
    return tuple(without_writes(path, numbers, target) for path in paths if path.name not in names)


def vectors_at_watermarks(
    workspace: Workspace, service: FeatureService, served: pl.DataFrame, *, known_later: bool = False
) -> pl.DataFrame:
    """Join the rows of each view that were known at the watermark of the store; expiry is that of the answer.

    Parameters
    ----------
    known_later
        True: join all rows, also those that became known after the answer.
    """
    rows = _entity_rows(service, served)
    parts = []
    for view in workspace.rows_of(service):
        name = columns.watermark(view.selection.label)
        seen = pl.coalesce(name, EVENT_TIMESTAMP) if name in served.columns else pl.col(EVENT_TIMESTAMP)
        timestamps = served.with_columns((END if known_later else seen).alias(EVENT_TIMESTAMP))
        at = rows.with_columns(timestamps.get_column(EVENT_TIMESTAMP))
        joined = workspace.engine.historical(at, [_without_expiry(view)])
        parts.append(_expired(joined.select(joined.columns[rows.width :]), view, rows[EVENT_TIMESTAMP]))
    read = pl.concat(parts, how="horizontal") if parts else pl.DataFrame()
    return _complete(rows, read, service)


def _without_expiry(view: ViewRows) -> ViewRows:
    selection = view.selection
    timing = replace(selection.view.timing, ttl=None)
    return replace(view, selection=replace(selection, view=replace(selection.view, timing=timing)))


def _expired(read: pl.DataFrame, view: ViewRows, as_of: pl.Series) -> pl.DataFrame:
    """Decide the expiry of joined features as of the timestamps of the answers."""
    ttl = view.selection.view.timing.ttl
    if ttl is None:
        return read
    is_expired = (as_of - read[f"{view.selection.label}{EVENT_SUFFIX}"] > ttl).fill_null(value=False)
    status = pl.lit(Status.OUTSIDE_MAX_AGE.value, dtype=pl.UInt8)
    return read.with_columns(
        expression
        for name in view.selection.names
        for expression in (
            pl.when(~is_expired).then(pl.col(name)).alias(name),
            pl.when(is_expired)
            .then(status)
            .otherwise(pl.col(status_column(name)))
            .alias(status_column(name)),
        )
    )


def _entity_rows(service: FeatureService, served: pl.DataFrame) -> pl.DataFrame:
    rows = served.select(*service.key_schema, *service.request_schema, EVENT_TIMESTAMP)
    return entity_rows_of(rows, service, with_timestamp=True)


def _complete(rows: pl.DataFrame, read: pl.DataFrame, service: FeatureService) -> pl.DataFrame:
    events = [name for name in read.columns if name.endswith(EVENT_SUFFIX)]
    return pl.concat([rows, complete(rows, read, service), read.select(events)], how="horizontal")


def uncommitted(
    layout: Layout, service: FeatureService, served: pl.DataFrame, *, same_timestamp: bool
) -> dict[frozenset[tuple[str, str]], list[int]]:
    """Group requests by the pushes and deletions that were being written when they arrived.

    A push or a deletion counts if it was known by the timestamp of the answer, the store did not have it when it
    answered, and its writing ended after the request had arrived.

    Parameters
    ----------
    same_timestamp
        True: a store whose watermark is the time of a push may be one before the push.

    Returns
    -------
    dict
        Numbers of requests by pairs of view and name of a file.
    """
    if columns.ARRIVED not in served.columns:
        return {}
    writes: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
    numbered = served.with_row_index("__row")
    for selection in service.reads:
        view = selection.view.name
        watermark = pl.col(columns.watermark(selection.label))
        for commit in commits_of(view, layout):
            known = pl.lit(commit.known_at, dtype=UTC_MICROSECONDS)
            committed = pl.lit(commit.committed_at, dtype=UTC_MICROSECONDS)
            rows = numbered.filter(
                pl.col(EVENT_TIMESTAMP) >= known,
                pl.col(columns.ARRIVED) <= committed,
                watermark <= known if same_timestamp else watermark < known,
            )
            for row in rows["__row"]:
                writes[row].add((view, commit.file))
    groups: defaultdict[frozenset[tuple[str, str]], list[int]] = defaultdict(list)
    for row, files in writes.items():
        groups[frozenset(files)].append(row)
    return dict(groups)


def deleted_after(workspace: Workspace, service: FeatureService, served: pl.DataFrame) -> pl.Series:
    """Return for each request whether a key of it was deleted after the timestamp of the answer."""
    result = pl.Series([False] * served.height)
    for selection in service.reads:
        keys = served.select(*view_keys(selection), pl.col(EVENT_TIMESTAMP).alias("__as_of"))
        deletions = deleted_keys(selection.view, workspace.layout)
        matches = join_by_key(keys.with_row_index("__row"), deletions, selection.view.keys, "inner")
        later = matches.filter(pl.col(EVENT_TIMESTAMP) > pl.col("__as_of"))["__row"]
        result |= pl.int_range(served.height, eager=True).is_in(later.implode())
    return result


def sources_of(workspace: Workspace, service: FeatureService) -> dict[str, str]:
    """Return the digest of the built rows of each view of a service, by label."""
    return {view.selection.label: file_fingerprint(view.files[0]) for view in workspace.rows_of(service)}
