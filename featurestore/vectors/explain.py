"""Explain a historical value: the stored rows of its key, and why each answers or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.storage.parquet import scan_files
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import is_expired, known_at
from featurestore.timing.version import in_version_order, version_columns
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.explain_windows import explain_windows
from featurestore.vectors.request import entity_rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import ViewRows

VERDICT = "verdict"


def explain(
    entity_row: pl.DataFrame, service: FeatureService, views: Sequence[ViewRows]
) -> dict[str, pl.DataFrame]:
    """Show for one entity row which stored row of each view answers, and why the others do not.

    Parameters
    ----------
    entity_row
        One row, as for `featurestore.vectors.historical.historical`.
    views
        The stored rows of each of ``service.reads``.

    Returns
    -------
    dict
        For each view the rows of the key, lowest version first: ``verdict``, the timestamps of the
        row, ``known_at`` and the features. The verdict is ``answer``, ``expired`` (the row would
        answer, but it is older than the time-to-live), ``deleted`` (the key was deleted at the time
        of the event or after it), ``older`` (a row with a greater version is known), ``not yet
        known`` (the event had happened, but its row was not known) or ``later`` (the event had not
        happened). For a view with windows, see `featurestore.vectors.explain_windows.explain_windows`.

    Raises
    ------
    ContractError
        If there is not exactly one entity row, or the row cannot be used.
    """
    if entity_row.height != 1:
        raise ContractError(
            f"explain takes one entity row, not {entity_row.height:,}", hint="filter the entity rows to one"
        )
    [row] = entity_rows_of(entity_row, service, with_timestamp=True).to_dicts()
    return {view.selection.label: _explain(row, view) for view in views}


def _explain(row: dict[str, object], view: ViewRows) -> pl.DataFrame:
    keys, timing = view.selection.view.keys, view.selection.view.timing
    as_of = pl.lit(row[EVENT_TIMESTAMP], dtype=UTC_MICROSECONDS)
    columns = zip(keys, view.selection.keys, strict=True)
    matches = (pl.col(key) == pl.lit(row[column]) for key, column in columns)
    of_key = pl.all_horizontal(pl.lit(value=True), *matches)
    deleted_at = pl.lit(_deleted_at(of_key, as_of, view), dtype=UTC_MICROSECONDS)
    if view.selection.view.windows:
        return explain_windows(of_key, as_of, deleted_at, view, verdict=VERDICT)
    rows = scan_files(view.files).filter(of_key).with_columns(known_at(timing).alias(KNOWN_AT))
    known = pl.col(KNOWN_AT) <= as_of
    position = pl.int_range(pl.len())
    verdict = (
        pl.when(pl.col(EVENT_TIMESTAMP) > as_of)
        .then(pl.lit("later"))
        .when(~known)
        .then(pl.lit("not yet known"))
        .when(position < position.filter(known).max())
        .then(pl.lit("older"))
        .when(pl.col(EVENT_TIMESTAMP) <= deleted_at)
        .then(pl.lit("deleted"))
        .when(is_expired(timing, as_of, pl.col(EVENT_TIMESTAMP)))
        .then(pl.lit("expired"))
        .otherwise(pl.lit("answer"))
    )
    return (
        in_version_order(rows, keys, timing)
        .select(verdict.alias(VERDICT), *version_columns(timing), KNOWN_AT, *view.selection.features)
        .collect()
    )


def _deleted_at(of_key: pl.Expr, as_of: pl.Expr, view: ViewRows) -> datetime | None:
    """Return when the key was deleted for the last time, as of a timestamp; None: it was not deleted."""
    if not view.deleted:
        return None
    deletions = scan_files(view.deleted).filter(of_key, pl.col(EVENT_TIMESTAMP) <= as_of)
    last: datetime | None = deletions.select(pl.col(EVENT_TIMESTAMP).max()).collect().item()
    return last
