"""Fit: learn the steps of a service from the training rows of its training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.vector import fitting_set
from featurestore.preprocessing.fit import apply, fit
from featurestore.preprocessing.state import FORMAT, Certificate, FittedState
from featurestore.storage.files import scan_parquet
from featurestore.storage.fingerprint import fingerprint as digest_of

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.preprocessing.fit import Fitted
    from featurestore.workspace import Workspace

SPLIT: Final = "split"
TRAIN: Final = "train"
_ROW: Final = "__row"


def fits(catalog: Catalog, training: TrainingSet) -> bool:
    """Return whether the steps of a service are fitted to the rows of a training set."""
    return bool(training.service.steps) and fitting_set(catalog, training.service) is training


def fitted_state(training: TrainingSet, rows: pl.DataFrame) -> FittedState:
    """Fit the steps of a service to the training rows of a training set.

    Parameters
    ----------
    rows
        The rows with the features as they were joined. With a column ``split`` only those of ``train`` are fitted to.

    Raises
    ------
    ContractError
        If there are no such rows, or a step cannot be fitted to them.
    """
    fitted, certificate = _fit(training, rows)
    service = training.service
    features = apply(pl.LazyFrame(schema=service.feature_schema), fitted.steps).collect_schema()
    return FittedState(
        format=FORMAT,
        service=service.name,
        definition=fingerprint(service).digest,
        certificate=certificate,
        steps=fitted.steps,
        features={name: f"{dtype}" for name, dtype in features.items()},
    )


def fitted_training_set(workspace: Workspace, name: str) -> pl.DataFrame:
    """Read a training set with the fitted vector in place of the features as they were joined.

    The vector of each row is what serving answers for it. Where a step is cross-fitted, the rows that it was fitted to
    have the values of the other folds.

    Raises
    ------
    MissingDataError
        If the training set is not built, or the steps of its service are not fitted.
    SkewError
        If the state was fitted for another definition of the service.
    """
    training = workspace.catalog.training_set(name)
    path = workspace.layout.training(name)
    rows = scan_parquet(path, made_by=f"featurestore training-set {name}").collect()
    service = workspace.fitted(training.service)
    if service.fitted is None:
        return rows
    names = training.service.feature_names
    vectors = apply(rows.lazy().select(names), service.fitted.steps).collect()
    if fits(workspace.catalog, training):
        mask = is_fitted(rows)
        fitted, _ = _fit(training, rows)
        trained = fitted.rows.with_columns(rows.select(pl.int_range(pl.len()).filter(mask).alias(_ROW)))
        others = vectors.with_row_index(_ROW).cast({_ROW: pl.Int64}).filter(~mask)
        vectors = pl.concat([trained, others.select(trained.columns)]).sort(_ROW).drop(_ROW)
    return pl.concat([rows.drop(names), vectors], how="horizontal")


def _fit(training: TrainingSet, rows: pl.DataFrame) -> tuple[Fitted, Certificate]:
    is_split = SPLIT in rows.columns
    trained = rows.filter(is_fitted(rows))
    fitted = fit(
        training.service.steps,
        trained.select(training.service.feature_names),
        trained[training.label],
        where=f"feature service {training.service.name!r}",
    )
    certificate = Certificate(
        training_set=training.name,
        split=TRAIN if is_split else None,
        rows=trained.height,
        digest=digest_of(trained),
    )
    return fitted, certificate


def is_fitted(rows: pl.DataFrame) -> pl.Series:
    """Return for each row of a training set whether steps are fitted to it: whether it is in the split ``train``."""
    if SPLIT in rows.columns:
        return (rows[SPLIT] == TRAIN).fill_null(value=False)
    return pl.repeat(value=True, n=rows.height, dtype=pl.Boolean, eager=True)
