"""Why a cell of Feast differs from ours: the rows with which Feast may answer, and the reasons."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl

from featurestore.operations.quarantine import quarantine
from featurestore.storage.datasets import dataset_path
from featurestore.storage.parquet import scan_files
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import is_expired, known_at
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.workspace import Workspace

Reason = Literal[
    "known_later", "expired", "rounded", "json_form", "quarantined", "older_version", "unexplained"
]
_ROW, EVENT, _QUARANTINED = "__row", "__event", "__quarantined"


@dataclass(frozen=True)
class ViewVersions:
    """The rows of a view.

    Attributes
    ----------
    latest
        The last version of each key and event, those in quarantine included.
    versions
        All versions, as far as the view can be computed.
    """

    latest: pl.DataFrame
    versions: pl.DataFrame


def view_versions(workspace: Workspace, view: FeatureView, latest_by: str = "") -> ViewVersions:
    """Read the rows of a view; `latest_by` is the column of the source by which it keeps one version."""
    order = [CREATED_TIMESTAMP] if view.timing.created else []
    built = scan_files(workspace.layout.features(view.name)).with_columns(
        known_at(view.timing).alias(KNOWN_AT)
    )
    bad = quarantine(workspace, view.name).lazy().select(*view.keys, EVENT_TIMESTAMP, *order)
    marked = [
        rows.with_columns(pl.lit(value).alias(_QUARANTINED)) for rows, value in ((built, False), (bad, True))
    ]
    latest = (
        pl.concat(marked, how="diagonal")
        .sort([*order, _QUARANTINED])
        .unique([*view.keys, EVENT_TIMESTAMP], keep="last", maintain_order=True)
        .sort([EVENT_TIMESTAMP, *view.keys])
    )
    versions = built
    if latest_by:
        # With one time for all rows, the function of the view keeps each version of a row.
        [source] = workspace.catalog.inputs(workspace.catalog.view(view.name))
        raw = scan_files(dataset_path(source, workspace.layout))
        every = view.function(raw.with_columns(pl.lit(None, dtype=UTC_MICROSECONDS).alias(latest_by)))
        dtypes = view.contract.schema.items()
        versions = every.select(pl.col(name).cast(dtype) for name, dtype in dtypes).with_columns(
            known_at(view.timing).alias(KNOWN_AT)
        )
    return ViewVersions(latest.collect(), versions.collect())


def answering(questions: pl.DataFrame, rows: pl.DataFrame, view: FeatureView) -> pl.DataFrame:
    """Find for each question the row with which Feast answers: the latest event, known or not."""
    return (
        questions.with_row_index(_ROW)
        .sort(EVENT_TIMESTAMP)
        .join_asof(
            rows.with_columns(pl.col(EVENT_TIMESTAMP).alias(EVENT)),
            on=EVENT_TIMESTAMP,
            by=list(view.keys) or None,
            strategy="backward",
            check_sortedness=False,
        )
        .sort(_ROW)
    )


def differing_cells(
    feature: str,
    feast: pl.Series,
    ours: pl.Series,
    *,
    answering: pl.DataFrame,
    versions: pl.DataFrame,
    view: FeatureView,
) -> pl.DataFrame:
    """Return the cells that differ, each with its reason.

    Parameters
    ----------
    answering
        The questions, each with the last version of the latest event, known or not.
    versions
        All versions: of two versions of one event, Feast may answer with either.
    """
    dtype = ours.dtype
    exact = comparable(feast, dtype)
    cast = exact.cast(dtype, strict=False)
    cells = answering.with_columns(
        exact.alias("feast"),
        ours.alias("ours"),
        _canonical(cast).alias("value"),
        same=cast.eq_missing(ours),
        same_json=_canonical(cast).eq_missing(_canonical(ours)),
        rounded=pl.lit(value=False),
    )
    if dtype == pl.Float32 and exact.dtype == pl.Float64:
        cells = cells.with_columns(rounded=exact.ne_missing(ours.cast(pl.Float64)))
    cells = cells.filter(~pl.col("same") | pl.col("rounded"))
    timestamp = pl.col(EVENT_TIMESTAMP)
    known = versions.select(
        *view.keys,
        pl.col(EVENT_TIMESTAMP).alias(EVENT),
        pl.col(KNOWN_AT).alias("version_known_at"),
        _canonical(versions[feature]).alias("version_value"),
    )
    matching = (
        cells.join(known, on=[*view.keys, EVENT], how="left")
        .filter(
            pl.col("value").eq_missing(pl.col("version_value")) & pl.col("version_known_at").is_not_null()
        )
        .group_by(_ROW)
        .agg(is_later=(pl.col("version_known_at") > timestamp).any())
    )
    cells = cells.join(matching, on=_ROW, how="left", maintain_order="left")
    is_version = pl.col("is_later").is_not_null()
    reasons: dict[Reason, pl.Expr] = {
        "json_form": pl.col("same_json"),
        "quarantined": pl.col(_QUARANTINED).fill_null(value=False),
        "known_later": pl.col("is_later").fill_null(value=False),
        "expired": is_version & is_expired(view.timing, timestamp, pl.col(EVENT)),
        "older_version": is_version & pl.col("ours").is_not_null(),
    }
    reason = pl.lit("unexplained")
    for name, condition in reversed(reasons.items()):
        reason = pl.when(condition).then(pl.lit(name)).otherwise(reason)
    return cells.with_columns(reason=pl.when("same").then(pl.lit("rounded")).otherwise(reason))


def _canonical(values: pl.Series) -> pl.Series:
    """Return JSON texts in one form, and all other values as they are."""
    if values.dtype != pl.String:
        return values
    return values.map_elements(_canonical_text, return_dtype=pl.String)


def _canonical_text(text: str) -> str:
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text  # it only looks like JSON


def comparable(feast: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return Feast's values as they are, with the differences of form removed."""
    if isinstance(feast.dtype, pl.Struct) and dtype == pl.String:
        frame = feast.to_frame("value")
        return frame.select(
            pl.when(pl.col("value").is_not_null()).then(pl.col("value").struct.json_encode())
        ).to_series()
    if feast.dtype.is_float():
        return feast.fill_nan(None)
    if isinstance(feast.dtype, pl.Datetime) and isinstance(dtype, pl.Datetime):
        naive = (
            feast.dt.convert_time_zone("UTC") if feast.dtype.time_zone else feast.dt.replace_time_zone("UTC")
        )
        return naive.cast(dtype)
    return feast
