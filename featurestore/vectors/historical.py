"""Historical vectors: features as they were known at the timestamp of each entity row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.errors import ContractError
from featurestore.storage.parquet import scan_files
from featurestore.timing.columns import AGE_SUFFIX, EVENT_SUFFIX, EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.fold import known_rows
from featurestore.timing.join import STATUS_SUFFIX, status_column
from featurestore.timing.version import version_columns
from featurestore.vectors.complete import complete
from featurestore.vectors.request import entity_rows_of
from featurestore.windows.intervals import UNTIL, with_intervals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import ComputeEngine, ViewRows

_FIRST: Final = "__first"


def historical(
    entity_rows: pl.DataFrame,
    service: FeatureService,
    views: Sequence[ViewRows],
    engine: ComputeEngine,
    *,
    check: Callable[[pl.DataFrame], None] | None = None,
    statuses: bool = False,
    times: bool = False,
    full_names: bool = False,
) -> pl.DataFrame:
    """Join the features of a service to entity rows, each as of its own ``event_timestamp``.

    Parameters
    ----------
    entity_rows
        Entity keys, ``event_timestamp`` (with a time zone) and the request values of on-demand
        views.
    views
        The stored rows of each of ``service.reads``.
    engine
        Runs the joins.
    check
        Called with the entity rows in their declared dtypes. It raises if a value breaks the
        request's contract.
    statuses
        Add ``<feature>__status`` (`Status`, UInt8) for each feature.
    times
        Add for each stored feature ``<feature>__event_timestamp`` (of the row that answers) and
        ``<feature>__age`` (the entity row's timestamp minus the former, Duration in microseconds).
        Both are null where no row was known.
    full_names
        Name the features ``<view>__<feature>``.

    Returns
    -------
    pl.DataFrame
        One row for each entity row, in the same order: its columns, then the features in the
        service's order.

    Raises
    ------
    ContractError
        If the entity rows cannot be used.
    """
    rows = entity_rows_of(entity_rows, service, with_timestamp=True)
    if check is not None:
        check(rows)
    joined = engine.historical(rows, views) if views else rows
    read = joined.select(joined.columns[rows.width :])
    vector = complete(rows, read, service)
    names = service.feature_names
    columns = [vector.select(names)]
    if statuses:
        columns.append(vector.select(map(status_column, names)))
    if times:
        view_of = {name: s.label for s in service.selections for name in s.names}
        columns += [
            joined.select(
                pl.col(f"{view}{EVENT_SUFFIX}").alias(f"{name}{EVENT_SUFFIX}"),
                (pl.col(EVENT_TIMESTAMP) - pl.col(f"{view}{EVENT_SUFFIX}")).alias(f"{name}{AGE_SUFFIX}"),
            )
            for name, view in view_of.items()
        ]
    result = pl.concat(columns, how="horizontal")
    if full_names:
        suffixes = ("", STATUS_SUFFIX, EVENT_SUFFIX, AGE_SUFFIX)
        full = {
            name + suffix: f"{full}{suffix}"
            # Times are those of the features as they are joined.
            for name, full in {**service.joined.full_names, **service.full_names}.items()
            for suffix in suffixes
        }
        result = result.rename({column: full[column] for column in result.columns})
    return pl.concat([rows, result], how="horizontal")


def changes(
    service: FeatureService,
    views: Sequence[ViewRows],
    *,
    start: datetime | None,
    end: datetime,
    keys: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """List each key of a service with the timestamps at which a new row of it became known.

    For windows these are the timestamps at which an event became known, left a window, was replaced or was deleted.

    Parameters
    ----------
    start, end
        The interval: after `start` (None: from the first row) and up to and including `end`.
    keys
        List these keys only, under the names that the views store. None: all.

    Returns
    -------
    pl.DataFrame
        Keys and ``event_timestamp``, distinct and sorted: entity rows for `historical`.

    Raises
    ------
    ContractError
        If the views have different keys, or on-demand features need request values, which only the
        caller knows.
    """
    hint = "give entity rows: keys, event_timestamp and request values"
    if service.request_schema:
        raise ContractError(
            f"{service.title} needs request values: {', '.join(service.request_schema)}", hint=hint
        )
    names_of_keys = {view.selection.keys for view in views}
    if len(names_of_keys) != 1:
        raise ContractError(
            f"{service.title}: the views have different keys: {sorted(names_of_keys)}", hint=hint
        )
    [names] = names_of_keys
    known = []
    for view in views:
        timing = view.selection.view.timing
        if view.selection.view.windows:
            known.append(_window_changes(view, names, start=start, end=end, keys=keys))
            continue
        rows = _scan(view, keys).select(
            *(pl.col(key).alias(name) for key, name in zip(view.selection.view.keys, names, strict=True)),
            *version_columns(timing),
        )
        known.append(known_rows(rows, timing, until=end, after=start).select(*names, KNOWN_AT))
    changed = pl.concat(known).rename({KNOWN_AT: EVENT_TIMESTAMP})
    return changed.unique().sort(*names, EVENT_TIMESTAMP).collect()


def _scan(rows: ViewRows, keys: pl.DataFrame | None) -> pl.LazyFrame:
    scan = scan_files(rows.files)
    names = rows.selection.view.keys
    return scan.join(keys.lazy(), on=names, how="semi") if keys is not None and names else scan


def _window_changes(
    rows: ViewRows, names: Sequence[str], *, start: datetime | None, end: datetime, keys: pl.DataFrame | None
) -> pl.LazyFrame:
    view = rows.selection.view
    deletions = scan_files(rows.deleted) if rows.deleted else None
    events = with_intervals(
        _scan(rows, keys), view.keys, view.timing, identity=view.identity, deletions=deletions
    )
    durations = {view.windows[name].duration for name in rows.selection.features}
    left = [pl.col(EVENT_TIMESTAMP) + duration for duration in durations if duration is not None]
    timestamps = pl.concat_list(KNOWN_AT, UNTIL, *(pl.min_horizontal(timestamp, UNTIL) for timestamp in left))
    # An event that left the window, or was replaced, before it was known changed nothing then.
    changed = pl.col(_FIRST) <= pl.col(KNOWN_AT)
    if start is not None:
        changed &= pl.col(KNOWN_AT) > start
    return (
        events.select(
            *(pl.col(key).alias(name) for key, name in zip(view.keys, names, strict=True)),
            pl.col(KNOWN_AT).alias(_FIRST),
            timestamps.alias(KNOWN_AT),
        )
        .explode(KNOWN_AT, empty_as_null=True)
        .filter(pl.col(KNOWN_AT).is_not_null(), changed, pl.col(KNOWN_AT) <= end)
        .select(*names, KNOWN_AT)
    )
