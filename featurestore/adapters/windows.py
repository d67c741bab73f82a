"""The windows of a view whose rows are events, joined to entity rows in parts of complete keys.

The events of a key can be in any row group of any file, and an event can replace one of another file. A part therefore
has all events of its keys. It has about as many rows as fit into a span; a key with more events is a part of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.storage.parquet import scan_files
from featurestore.storage.row_groups import row_bytes
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import AS_OF, ROW, status_expressions
from featurestore.timing.known_at import is_expired
from featurestore.windows.features import features_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from featurestore.ports import ViewRows
    from featurestore.timing.known_at import Timing
    from featurestore.windows.aggregation import Aggregation

_ROWS: Final = "__rows"
_MIN_PART: Final = 16 << 20  # bytes of events that are worth a part of their own
_WINDOW_GROWTH: Final = 8  # prefix sums and orders take a multiple of the bytes of the events


@dataclass(frozen=True)
class WindowJoin:
    """The join of some keys of the entity rows to their events.

    Plain values, so that it can be sent to a worker.

    Attributes
    ----------
    view
        The name of the view.
    start, rows
        The entity rows, among those sorted by key and time: all rows of some keys.
    columns
        The columns of the events.
    dtypes
        The declared dtype of each window.
    """

    view: str
    start: int
    rows: int
    files: tuple[Path, ...]
    deleted: tuple[Path, ...]
    keys: tuple[str, ...]
    timing: Timing
    identity: tuple[str, ...]
    columns: tuple[str, ...]
    windows: Mapping[str, Aggregation]
    dtypes: Mapping[str, pl.DataType]


def window_joins(questions: pl.DataFrame, rows: ViewRows, span_bytes: int, at_once: int) -> list[WindowJoin]:
    """Split entity rows into parts of complete keys, whose events are about as large as a span.

    Parameters
    ----------
    questions
        The view's keys and other columns, sorted by key, without missing keys.
    rows
        The selected features, and where the events are.
    span_bytes
        Bytes of a span, uncompressed.
    at_once
        The number of joins that run at once: there are at least as many parts, unless they are small.
    """
    selection = rows.selection
    view = selection.view
    columns = tuple(view.contract.schema)
    size, number = row_bytes(rows.files, columns)
    limit = max(min(span_bytes // _WINDOW_GROWTH, max(size // at_once, _MIN_PART)), 1)
    parts = [questions.height] if size <= limit else _parts(questions, rows, limit * number // size)
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + part)
    return [
        WindowJoin(
            view.name,
            start,
            part,
            rows.files,
            rows.deleted,
            view.keys,
            view.timing,
            view.identity,
            columns,
            {name: view.windows[name] for name in selection.features},
            {name: view.feature_contract[name].dtype for name in selection.features},
        )
        for start, part in zip(starts[:-1], parts, strict=True)
    ]


def _parts(questions: pl.DataFrame, rows: ViewRows, limit: int) -> list[int]:
    """Return the number of entity rows of each part of about `limit` entity rows and events."""
    keys = list(rows.selection.view.keys)
    requested = questions.group_by(keys, maintain_order=True).len(_ROWS)
    events = (
        scan_files(rows.files)
        .select(keys)
        .join(requested.lazy(), on=keys, how="semi")
        .group_by(keys)
        .len()
        .collect(engine="streaming")
    )
    counts = requested.join(events, on=keys, how="left", maintain_order="left").select(
        _ROWS, pl.col("len").fill_null(0)
    )
    size = pl.col(_ROWS).cast(pl.Int64) + pl.col("len")
    part = (size.cum_sum() - size) // max(limit, 1)
    return counts.group_by(part.alias("part"), maintain_order=True).agg(pl.col(_ROWS).sum())[
        _ROWS
    ].to_list() or [0]


def answer_windows(questions: pl.DataFrame, join: WindowJoin) -> pl.DataFrame:
    """Aggregate the events of a view at the timestamp of each question of a part.

    Parameters
    ----------
    questions
        The number of the entity row (``__row``), the view's keys, and the timestamp (``__as_of``), sorted by key and
        timestamp, without missing keys.
    join
        Which of them are asked, and where the events are.

    Returns
    -------
    pl.DataFrame
        The number of the entity row, the timestamp, the features, and the ``event_timestamp`` of the newest event that was
        known.

    Raises
    ------
    ContractError
        If a value does not fit into the dtype of its feature.
    """
    part = questions.slice(join.start, join.rows)
    keys = list(join.keys)
    requested = part.select(keys).unique()
    bounds = part[keys[0]]
    in_range = pl.col(keys[0]).is_between(pl.lit(bounds.first()), pl.lit(bounds.last()))
    of_keys = scan_files(join.files).select(join.columns).filter(in_range)
    events = of_keys.join(requested.lazy(), on=keys, how="semi").collect()
    deletions = None
    if join.deleted:
        deletions = scan_files(join.deleted).join(requested.lazy(), on=keys, how="semi").collect()
    features = features_at(
        part,
        events,
        join.windows,
        join.dtypes,
        view=join.view,
        keys=keys,
        timing=join.timing,
        identity=join.identity,
        deletions=deletions,
    )
    return part.select(ROW, AS_OF).hstack(features)


def read_windows(answered: pl.DataFrame, rows: ViewRows) -> pl.DataFrame:
    """Expire the windows of entity rows, and add the status of each.

    A value is `Status.NOT_FOUND` only where the key is missing: an empty window has a value. Where the view has a ttl,
    the newest event decides whether the values of a key are expired.

    Parameters
    ----------
    answered
        The results of `answer_windows`, in the order of the entity rows.
    rows
        The view that was requested.

    Returns
    -------
    pl.DataFrame
        The features, their statuses, and ``event_timestamp``: the newest event that was known.
    """
    view, features = rows.selection.view, rows.selection.features
    expired = is_expired(view.timing, pl.col(AS_OF), pl.col(EVENT_TIMESTAMP)).fill_null(value=False)
    values = [pl.when(~expired).then(pl.col(name)).alias(name) for name in features]
    statuses = status_expressions(features, is_found=pl.col(AS_OF).is_not_null(), expired=expired)
    return answered.select(*values, *statuses, EVENT_TIMESTAMP)
