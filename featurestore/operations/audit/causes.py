"""Why two sides of a proof disagree on a cell: the causes, and how an audit shows one on the rows of the view."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from featurestore.definitions.feature_service import FeatureService
from featurestore.ports import ViewRows
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import Status, status_column
from featurestore.values.bits import bits
from featurestore.values.rounding import is_rounded
from featurestore.vectors.explain import VERDICT, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from featurestore.definitions.feature_view import Selection
    from featurestore.ports import ComputeEngine, ViewState

EXPIRED = Status.OUTSIDE_MAX_AGE.value


class Cause(StrEnum):
    """Why the value of a cell on one side is not the value on the other side.

    Attributes
    ----------
    OTHER_CODE
        Another definition made one side.
    OTHER_DATA
        The rows of the view were built again, with other values.
    LATE_DATA
        A row became known after the store had answered, with a timestamp before the answer.
    EXPIRED
        One side took the value as expired.
    ROUNDED
        The values differ only by rounding.
    REQUEST_VALUE
        An on-demand feature was computed from another request value.
    STALE_ANSWER
        The answer came from the cache of last known values.
    LOST_ROW
        The store does not hold a row that it should hold.
    PUSHED
        The store answered without a pushed row that was known, or with one that was not known yet.
    PUSHED_LATER
        A row was pushed after one side was made.
    DELETED
        A deleted key is on one side only.
    STORE
        The store holds another value than the rows that it was filled from.
    SERVING_PATH
        The store holds the right row, and the way that reads it returns something else.
    EDITED
        The file was changed after it was made.
    UNKNOWN
        None of these could be shown.
    """

    OTHER_CODE = "other code"
    OTHER_DATA = "other data"
    LATE_DATA = "late data"
    EXPIRED = "expired"
    ROUNDED = "rounded"
    REQUEST_VALUE = "request value"
    STALE_ANSWER = "stale answer"
    LOST_ROW = "row lost by the store"
    PUSHED = "pushed before it could be served"
    PUSHED_LATER = "pushed later"
    DELETED = "deleted"
    STORE = "store"
    SERVING_PATH = "serving path"
    EDITED = "file edited"
    UNKNOWN = "unknown"


CauseOf: TypeAlias = "Callable[[str, int], Cause]"


def store_cause(
    engine: ComputeEngine, rows: ViewRows, state: ViewState, offline: pl.DataFrame, served: pl.DataFrame
) -> CauseOf:
    """Return the function that names why the store differs from the rows of a view.

    Parameters
    ----------
    rows
        The rows of the view.
    state
        The state of the view in the store.
    offline, served
        Frames of the same keys: what the historical join gives, and what the store holds.
    """
    is_rewritten = file_fingerprint(rows.files[0]) != state.source

    def cause(feature: str, row: int) -> Cause:
        if is_rewritten:
            return Cause.OTHER_DATA
        only = slice(row, row + 1)
        history = cause_in_history(engine, rows, offline[only], feature, served[feature][only])
        if history is Cause.LATE_DATA or served[status_column(feature)][row] == Status.NOT_FOUND.value:
            # The store was filled from these rows, so it held the row that answers now.
            return Cause.LOST_ROW if history is not Cause.PUSHED_LATER else history
        return history or Cause.STORE

    return cause


def path_cause(
    service: FeatureService, broken: Mapping[str, Cause], offline: pl.DataFrame, served: pl.DataFrame
) -> CauseOf:
    """Return the function that names why a serving path differs from the historical join.

    Parameters
    ----------
    broken
        The views whose rows in the store differ from the historical join, with the cause.
    """

    def cause(feature: str, row: int) -> Cause:
        for selection in service.sources_of(feature):
            if selection.view.name in broken:
                return broken[selection.view.name]
        expected = offline[status_column(feature)][row]
        actual = served[status_column(feature)][row]
        if (expected == EXPIRED) != (actual == EXPIRED):
            return Cause.EXPIRED
        if expected == actual and is_rounded(offline[feature][row], served[feature][row]):
            return Cause.ROUNDED
        return Cause.SERVING_PATH

    return cause


def cause_in_history(
    engine: ComputeEngine,
    rows: ViewRows,
    entity_row: pl.DataFrame,
    feature: str,
    served: pl.Series,
) -> Cause | None:
    """Return which rows of a view make the difference, or None if the rows do not show it.

    Parameters
    ----------
    entity_row
        The row that differs, with its timestamp.
    feature
        Name of the feature in the request.
    served
        The value of the other side, as a column of one value.

    Returns
    -------
    Cause or None
        `Cause.PUSHED_LATER`: without pushed rows, the join gives the other value. `Cause.LATE_DATA`: without the row
        that answers, it does.
    """
    selection = rows.selection
    entity_row = entity_row.select(*selection.keys, EVENT_TIMESTAMP)
    if len(rows.files) > 1:
        built = engine.historical(entity_row, [ViewRows(selection, rows.files[:1])])
        if _same(built[feature], served):
            return Cause.PUSHED_LATER
    history = explain(entity_row, _only(selection), [rows])[selection.label]
    earlier = history.filter(pl.col(VERDICT) == "older").tail(1)
    answers = history.filter(pl.col(VERDICT).is_in(["answer", "expired"])).height
    name = selection.features[selection.names.index(feature)]
    if answers and (_same(earlier[name], served) if earlier.height else served.null_count()):
        return Cause.LATE_DATA
    return None


def _same(left: pl.Series, right: pl.Series) -> bool:
    return bool(bits(left).eq_missing(bits(right).alias(left.name)).all())


def _only(selection: Selection) -> FeatureService:
    return FeatureService("audit", (selection,), (), "", "audit")
