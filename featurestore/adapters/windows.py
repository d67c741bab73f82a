"""The windows of a view whose rows are events, joined to entity rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import AS_OF, ROW, Status, status_column
from featurestore.timing.known_at import is_expired
from featurestore.windows.aggregation import Aggregation
from featurestore.windows.join import windows_at

if TYPE_CHECKING:
    from featurestore.ports import ViewRows

_LAST_EVENT: Final = "__last_event"


def answer_windows(questions: pl.DataFrame, rows: ViewRows) -> pl.DataFrame:
    """Aggregate the events of a view at the moment of each question.

    Parameters
    ----------
    questions
        The number of the entity row (``__row``), the view's keys, and the moment (``__as_of``), sorted by key and
        moment, without missing keys.
    rows
        The selected features, and where the events are.

    Returns
    -------
    pl.DataFrame
        The number of the entity row, the features, their statuses, and the ``event_timestamp`` of the newest event that
        was known.
    """
    selection = rows.selection
    view = selection.view
    asked = questions.select(view.keys).unique()
    events = pl.scan_parquet(list(rows.files)).join(asked.lazy(), on=list(view.keys), how="semi").collect()
    deletions = pl.read_parquet(list(rows.deleted)) if rows.deleted else None
    windows = {name: view.windows[name] for name in selection.features}
    computed = windows_at(
        questions,
        events,
        {**windows, _LAST_EVENT: Aggregation("max", EVENT_TIMESTAMP)},
        keys=view.keys,
        timing=view.timing,
        identity=view.identity,
        deletions=deletions,
    )
    declared = view.feature_contract.schema
    return questions.select(ROW, AS_OF).hstack(
        computed.select(
            *(pl.col(name).cast(declared[name]) for name in selection.features),
            pl.col(_LAST_EVENT).alias(EVENT_TIMESTAMP),
        )
    )


def read_windows(answered: pl.DataFrame, rows: ViewRows, questions: int) -> pl.DataFrame:
    """Put the windows in the order of the entity rows, expire them, and add the status of each.

    A value is `Status.NOT_FOUND` only where the key is missing: an empty window has a value. Where the view has a ttl,
    the newest event decides whether the values of a key are expired.

    Parameters
    ----------
    answered
        The result of `answer_windows`.
    rows
        The view that was asked.
    questions
        The number of entity rows.

    Returns
    -------
    pl.DataFrame
        The features, their statuses, and ``event_timestamp``: the newest event that was known.
    """
    view, features = rows.selection.view, rows.selection.features
    expired = is_expired(view.timing, pl.col(AS_OF), pl.col(EVENT_TIMESTAMP)).fill_null(value=False)
    every = pl.DataFrame({ROW: pl.Series(range(questions), dtype=answered.schema[ROW])})
    placed = every.join(answered, on=ROW, how="left", maintain_order="left")
    values = [pl.when(~expired).then(pl.col(name)).alias(name) for name in features]
    statuses = [
        pl.when(pl.col(AS_OF).is_null())
        .then(pl.lit(Status.NOT_FOUND.value, dtype=pl.UInt8))
        .when(expired)
        .then(pl.lit(Status.OUTSIDE_MAX_AGE.value, dtype=pl.UInt8))
        .when(pl.col(name).is_null())
        .then(pl.lit(Status.NULL_VALUE.value, dtype=pl.UInt8))
        .otherwise(pl.lit(Status.PRESENT.value, dtype=pl.UInt8))
        .alias(status_column(name))
        for name in features
    ]
    return placed.select(*values, *statuses, EVENT_TIMESTAMP)
