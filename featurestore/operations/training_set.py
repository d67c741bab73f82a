"""Training sets: rows and labels, and the features that serving would have given at their moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.definitions.digest import service_digest
from featurestore.operations.build import path_of, scan
from featurestore.operations.validate import profiled
from featurestore.quality.gate.inspection import admit, inspect
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.storage.files import write_parquet, write_record
from featurestore.storage.fingerprint import file_fingerprint, fingerprint
from featurestore.storage.views import rows_of
from featurestore.timing.join import STATUS_SUFFIX, Status, status_column
from featurestore.vectors.historical import historical

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_service import TrainingSet
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


def training_set(
    training: TrainingSet, catalog: Catalog, layout: Layout, engine: ComputeEngine
) -> TrainingManifest:
    """Build a training set and keep it as Parquet, with a manifest beside it.

    Raises
    ------
    ContractError
        If the entity rows break their contract, or that of requests; the last good training set stays as it was.
    MissingDataError
        If a dataset is not built yet.
    """
    inputs = [scan(node, layout) for node in catalog.inputs(training)]
    asked = engine.transform(training, inputs)
    rows = admit(inspect(asked, training.contract, dataset=training.name))
    views = [rows_of(selection, layout) for selection in training.service.reads]
    check = RequestGate(training.service).check_frame
    joined = historical(rows, training.service, views, engine, check=check, statuses=True)
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
    profiled(
        layout.training(training.name),
        training.joined,
        layout.training_profile(training.name),
        dataset=training.name,
    )
    return manifest


def _counts(values: pl.Series) -> dict[str, int]:
    counted = values.value_counts(name="rows").sort(values.name, nulls_last=True)
    return {str(value): count for value, count in counted.rows()}
