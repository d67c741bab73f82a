"""The point-in-time join: the replay of the online store's writes, in Polars.

The online store at time T is the fold of all rows with ``known_at <= T``: a row replaces the
current row of its key only if its version ``(event_timestamp, created_timestamp)`` is greater. At
any time, the row that answers is the one with the greatest version among the rows that are known by
then. Two things follow:

- Sort the rows of a key by version. A row begins to answer when it or a later row is known, and
  stops when a later row is known. It begins at the minimum ``known_at`` from its position onwards
  (`answering_rows`). One backward as-of join on that timestamp is the replay. It needs no sort if
  the rows are in order already.
- The rows can be split in any way. The answer with the greatest version among the parts is the
  answer of the whole (`greatest`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import Timing, is_expired, known_at
from featurestore.timing.version import in_version_order, version, version_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW: Final = "__row"
AS_OF: Final = "__as_of"
STATUS_SUFFIX: Final = "__status"
_DELETED_AT: Final = "__deleted_at"


class Status(IntEnum):
    """The status of a value that was read: the names and numbers of Feast's ``FieldStatus``."""

    PRESENT = 1
    NULL_VALUE = 2
    NOT_FOUND = 3
    OUTSIDE_MAX_AGE = 4


# The store has no row for the value, or none that is young enough.
WITHOUT_ROW: Final = (Status.NOT_FOUND.value, Status.OUTSIDE_MAX_AGE.value)


def status_column(feature: str) -> str:
    """Return the name of the column that holds the status of a feature."""
    return f"{feature}{STATUS_SUFFIX}"


def answering_rows(rows: pl.LazyFrame, keys: Sequence[str], timing: Timing) -> pl.LazyFrame:
    """Keep the rows that answer at some time, and add the time from which each answers.

    Parameters
    ----------
    rows
        Rows of one feature view `in_version_order`: keys, event timestamp, and created timestamp if
        ``timing.created``.
    keys
        Names of the key columns; empty: all rows have one key.
    timing
        Decides when the rows are known.

    Returns
    -------
    pl.LazyFrame
        The same columns and ``known_at``: the time from which the row answers. It rises within a
        key.
    """
    known = rows.with_columns(known_at(timing).alias(KNOWN_AT))
    if timing.in_order and timing.every is None:
        return known
    if not timing.in_order:
        begins = pl.col(KNOWN_AT).cum_min(reverse=True)
        known = known.with_columns(begins.over(keys) if keys else begins)
    # Of several rows that begin to answer at the same time, the last one answers.
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in (*keys, KNOWN_AT))
    return known.filter(~same.fill_null(value=False))


def answers(
    questions: pl.LazyFrame, rows: pl.LazyFrame, *, keys: Sequence[str], timing: Timing
) -> pl.LazyFrame:
    """Find the row that answers each question.

    Parameters
    ----------
    questions
        Keys, and the timestamp of the question in ``__as_of``, which rises within each key. Other
        columns pass.
    rows
        As for `answering_rows`. Other columns pass.

    Returns
    -------
    pl.LazyFrame
        One row for each question, in the same order. The columns from `rows` are null where no row
        was known.
    """
    return questions.join_asof(
        answering_rows(rows, keys, timing),
        left_on=AS_OF,
        right_on=KNOWN_AT,
        by=list(keys) or None,
        strategy="backward",
        check_sortedness=False,  # Polars cannot check that both are sorted within each key
    )


def greatest(candidates: pl.LazyFrame, timing: Timing) -> pl.LazyFrame:
    """Keep the answer with the greatest version for each question (``__row``)."""
    return candidates.sort([ROW, *version(timing)]).unique(ROW, keep="last", maintain_order=True)


def without_deleted(
    answered: pl.DataFrame, keys: pl.DataFrame, deletions: pl.DataFrame, *, names: Sequence[str]
) -> pl.DataFrame:
    """Remove the answers of deleted keys.

    From the time of a deletion on, no row of an event up to that time answers. Questions
    about the time before the deletion keep their answers.

    Parameters
    ----------
    answered
        The answers: the timestamp of each question in ``__as_of``, ``event_timestamp`` of the row
        that answers, and other columns.
    keys
        The key of each question, in the same order.
    deletions
        Deleted keys, in columns of the same names, and the time of each deletion as
        ``event_timestamp``.
    names
        The columns of the answer that become null.
    """
    columns = keys.columns
    questions = keys.with_columns(answered[AS_OF]).with_row_index(ROW)
    if columns:
        questions = questions.join(deletions, on=columns, how="semi")
    last = (
        questions.sort(AS_OF)
        .join_asof(
            deletions.rename({EVENT_TIMESTAMP: _DELETED_AT}).sort(_DELETED_AT),
            left_on=AS_OF,
            right_on=_DELETED_AT,
            by=columns or None,
            strategy="backward",
            check_sortedness=False,
        )
        .sort(ROW)
    )
    event = answered[EVENT_TIMESTAMP][last[ROW]]
    hidden = last[ROW].filter((event <= last[_DELETED_AT]).fill_null(value=False))
    is_hidden = pl.repeat(value=False, n=answered.height, eager=True).scatter(hidden, True)  # noqa: FBT003
    return answered.with_columns(pl.when(~is_hidden).then(pl.col(name)).alias(name) for name in names)


def point_in_time_join(
    entity_rows: pl.LazyFrame,
    rows: pl.LazyFrame,
    *,
    keys: Sequence[str],
    features: Sequence[str],
    timing: Timing,
) -> pl.LazyFrame:
    """Join to each entity row the features that serving would have returned at its timestamp.

    Parameters
    ----------
    entity_rows
        Keys and ``event_timestamp``: the time of the question, Datetime('us', 'UTC') without nulls.
        Other columns pass.
    rows
        Rows of one feature view in any order: keys, event timestamp, created timestamp if
        ``timing.created``, and features.
    keys, features, timing
        The keys of the view, the features to join, and the timing of the view.

    Returns
    -------
    pl.LazyFrame
        The features, and the status of each (`Status`, UInt8) in ``<feature>__status``. One row for
        each entity row, in the same order.
    """
    questions = entity_rows.select(*keys, pl.col(EVENT_TIMESTAMP).alias(AS_OF)).with_row_index(ROW)
    ordered = in_version_order(rows.select(*keys, *version_columns(timing), *features), keys, timing)
    answered = answers(questions.sort(AS_OF), ordered, keys=keys, timing=timing).sort(ROW)
    return read_at(answered, features=features, timing=timing, as_of=pl.col(AS_OF))


def read_at(rows: pl.LazyFrame, *, features: Sequence[str], timing: Timing, as_of: pl.Expr) -> pl.LazyFrame:
    """Read looked-up rows as of a timestamp: expire values, and add the status of each.

    Offline and online reads both use this function. A row that was not found has a null
    ``event_timestamp``.
    """
    is_found = pl.col(EVENT_TIMESTAMP).is_not_null()
    expired = is_found & is_expired(timing, as_of, pl.col(EVENT_TIMESTAMP))
    values = [
        pl.col(name) if timing.ttl is None else pl.when(~expired).then(pl.col(name)).alias(name)
        for name in features
    ]
    return rows.select(*values, *status_expressions(features, is_found=is_found, expired=expired))


def status_expressions(features: Sequence[str], *, is_found: pl.Expr, expired: pl.Expr) -> list[pl.Expr]:
    """Return the status of each feature of a read, from whether its row was found and whether that is expired."""
    return [
        pl.when(~is_found)
        .then(pl.lit(Status.NOT_FOUND.value, dtype=pl.UInt8))
        .when(expired)
        .then(pl.lit(Status.OUTSIDE_MAX_AGE.value, dtype=pl.UInt8))
        .when(pl.col(name).is_null())
        .then(pl.lit(Status.NULL_VALUE.value, dtype=pl.UInt8))
        .otherwise(pl.lit(Status.PRESENT.value, dtype=pl.UInt8))
        .alias(status_column(name))
        for name in features
    ]
