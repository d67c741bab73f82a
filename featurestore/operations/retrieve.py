"""Offline retrieval: these entities, at these moments, these features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.definitions.digest import service_digest
from featurestore.operations.build import path_of, transform
from featurestore.quality.gate import admit, inspect
from featurestore.storage.files import write_parquet, write_record
from featurestore.storage.fingerprint import file_fingerprint, fingerprint
from featurestore.storage.views import rows_of
from featurestore.timing.join import STATUS_SUFFIX, Status, status_column
from featurestore.vectors.complete import complete
from featurestore.vectors.request import entity_rows_of

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.ports import ComputeEngine
    from featurestore.storage.layout import Layout


class TrainingManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a training set is and what it was made from.

    Attributes
    ----------
    digest
        Of the content (`featurestore.storage.fingerprint`).
    definition
        Of the service that was joined.
    features
        Digests of the feature files that were read, by view.
    labels
        Rows by value of the label.
    statuses
        For each feature, how many values had each status.
    """

    name: str
    service: str
    rows: int
    columns: tuple[str, ...]
    digest: str
    definition: str
    features: dict[str, str]
    label: str
    labels: dict[str, int]
    statuses: dict[str, dict[str, int]]


def historical(
    entity_rows: pl.DataFrame,
    service: FeatureService,
    layout: Layout,
    engine: ComputeEngine,
    *,
    statuses: bool = False,
) -> pl.DataFrame:
    """Join a service's features to entity rows, each at its own moment.

    Parameters
    ----------
    entity_rows
        Entity keys, ``event_timestamp`` (with a time zone) and the request values of on-demand views.
    statuses
        True: add ``<feature>__status`` (`Status`, UInt8) for each feature.

    Returns
    -------
    pl.DataFrame
        One row for each entity row, in the order given: its columns, then the features in the service's order.

    Raises
    ------
    ContractError
        If the entity rows cannot be used.
    MissingDataError
        If a feature view is not built yet.
    """
    rows = entity_rows_of(entity_rows, service, with_moment=True)
    views = [rows_of(selection, layout) for selection in service.reads]
    joined = engine.historical(rows, views) if views else rows
    vector = complete(rows, joined.select(joined.columns[rows.width :]), service)
    result = pl.concat([rows, vector], how="horizontal")
    return result if statuses else result.select(pl.exclude(f"^.*{STATUS_SUFFIX}$"))


def build_training_set(
    training: TrainingSet, catalog: Catalog, layout: Layout, engine: ComputeEngine
) -> TrainingManifest:
    """Build a training set and keep it as Parquet, with a manifest beside it.

    Raises
    ------
    ContractError
        If the entity rows break their contract; the last good training set stays as it was.
    MissingDataError
        If a dataset is not built yet.
    """
    rows = admit(inspect(transform(training, catalog, layout), training.contract, dataset=training.name))
    joined = historical(rows, training.service, layout, engine, statuses=True)
    result = joined.select(pl.exclude(f"^.*{STATUS_SUFFIX}$"))
    manifest = TrainingManifest(
        name=training.name,
        service=training.service.name,
        rows=result.height,
        columns=tuple(result.columns),
        digest=fingerprint(result),
        definition=service_digest(training.service),
        features={s.view.name: file_fingerprint(path_of(s.view, layout)) for s in training.service.reads},
        label=training.label,
        labels=_counts(result.get_column(training.label)),
        statuses={
            name: {
                Status(int(value)).name: count
                for value, count in _counts(joined[status_column(name)]).items()
            }
            for name in training.service.feature_names
        },
    )
    write_parquet(result, layout.training(training.name))
    write_record(manifest, layout.training_manifest(training.name))
    return manifest


def _counts(values: pl.Series) -> dict[str, int]:
    counted = values.value_counts(name="rows").sort(values.name, nulls_last=True)
    return {str(value): count for value, count in counted.rows()}
