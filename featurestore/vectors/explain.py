"""Why a historical value is what it is: the rows of its key, and what each was at the moment asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.join import in_version_order, version_columns
from featurestore.timing.known_at import is_expired, known_at
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.request import entity_rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.ports import ViewRows

VERDICT = "verdict"


def explain(
    entity_row: pl.DataFrame, service: FeatureService, views: Sequence[ViewRows]
) -> dict[str, pl.DataFrame]:
    """Show, for one entity row, which stored row answers each view, and why the others do not.

    Parameters
    ----------
    entity_row
        One row as for `featurestore.vectors.historical.historical`.
    views
        The rows of each of ``service.reads``.

    Returns
    -------
    dict
        For each view the rows of the key, oldest version first: ``verdict``, the row's times, ``known_at`` and the
        features. A verdict is ``answer``, ``expired`` (it would answer, but is older than the time-to-live),
        ``older`` (a greater version is known), ``not yet known`` (it had happened, and nobody could know) or
        ``later`` (it had not happened).

    Raises
    ------
    ContractError
        If there is not exactly one entity row, or it cannot be used.
    """
    if entity_row.height != 1:
        raise ContractError(f"explain takes one entity row, not {entity_row.height:,}")
    [row] = entity_rows_of(entity_row, service, with_moment=True).to_dicts()
    return {view.selection.label: _explain(row, view) for view in views}


def _explain(row: dict[str, object], view: ViewRows) -> pl.DataFrame:
    keys, timing = view.selection.view.keys, view.selection.view.timing
    moment = pl.lit(row[EVENT_TIMESTAMP], dtype=UTC_MICROSECONDS)
    given = zip(keys, view.selection.keys, strict=True)
    ours = pl.all_horizontal(pl.col(key) == pl.lit(row[column]) for key, column in given)
    rows = pl.scan_parquet(list(view.files)).filter(ours).with_columns(known_at(timing).alias(KNOWN_AT))
    known = pl.col(KNOWN_AT) <= moment
    place = pl.int_range(pl.len())
    verdict = (
        pl.when(pl.col(EVENT_TIMESTAMP) > moment)
        .then(pl.lit("later"))
        .when(~known)
        .then(pl.lit("not yet known"))
        .when(place < place.filter(known).max())
        .then(pl.lit("older"))
        .when(is_expired(timing, moment, pl.col(EVENT_TIMESTAMP)))
        .then(pl.lit("expired"))
        .otherwise(pl.lit("answer"))
    )
    return (
        in_version_order(rows, keys, timing)
        .select(verdict.alias(VERDICT), *version_columns(timing), KNOWN_AT, *view.selection.features)
        .collect()
    )
