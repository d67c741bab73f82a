"""Fit: learn the steps of a service from the rows of train of a training set, and apply them to all of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.vector import fitting_set
from featurestore.errors import DefinitionError
from featurestore.preprocessing.fit import applied, fit
from featurestore.preprocessing.stack import Stack
from featurestore.preprocessing.state import FORMAT, Certificate, FittedState
from featurestore.preprocessing.step import TableRows
from featurestore.splits.declare import SPLIT, TRAIN
from featurestore.splits.sample import IS_REPEATED
from featurestore.storage.datasets import scan_dataset
from featurestore.storage.files import scan_required
from featurestore.storage.fingerprint import fingerprint as digest_of
from featurestore.storage.made_by import require_made_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.dataset import Dataset
    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.definitions.source import Source
    from featurestore.preprocessing.step import Step
    from featurestore.workspace import Workspace

_ROW: Final = "__row"


class FittedRows(NamedTuple):
    """A training set after the steps of its service.

    Attributes
    ----------
    state
        What the steps learned.
    rows
        The rows with the fitted vector in place of the features as they were joined. The vector of a row is what serving
        answers for it; where a step is cross-fitted, the rows that it was fitted to have the values of the other folds.
    """

    state: FittedState
    rows: pl.DataFrame


def is_fitting_set(catalog: Catalog, training: TrainingSet) -> bool:
    """Return whether the steps of a service are fitted to the rows of a training set."""
    return bool(training.service.steps) and fitting_set(catalog, training.service) is training


def fitted_rows(workspace: Workspace, training: TrainingSet, rows: pl.DataFrame) -> FittedRows | None:
    """Apply the steps of a service to the rows of a training set, and fit them first if they are fitted to it.

    Parameters
    ----------
    rows
        The rows with the features as they were joined.

    Returns
    -------
    FittedRows or None
        None: the service has no steps.

    Raises
    ------
    ContractError
        As `fit_to`.
    MissingDataError
        If the steps are fitted to another training set, which is not built yet.
    SkewError
        If that one was built for another definition of the service.
    """
    if is_fitting_set(workspace.catalog, training):
        return fit_to(training, rows, table_rows(workspace, training.service))
    state = workspace.fitted(training.service).fitted if training.service.steps else None
    return None if state is None else FittedRows(state, _applied(training, rows, state))


def fitted_tables(catalog: Catalog, training: TrainingSet) -> tuple[Source | Dataset, ...]:
    """Return the sources and datasets that a build of a training set reads to fit the steps of its service."""
    return catalog.tables(training.service) if is_fitting_set(catalog, training) else ()


def table_rows(workspace: Workspace, service: FeatureService) -> dict[Step, TableRows]:
    """Read for each step of a service the columns of its table, with a digest that the order of the rows does not change.

    Raises
    ------
    MissingDataError
        If a table is not built yet.
    SkewError
        If another definition of it made the rows.
    """
    nodes = {node.name: node for node in workspace.catalog.tables(service)}
    result = {}
    for step in service.steps:
        if isinstance(step, Stack) or step.reads is None:
            continue
        table, names = step.reads
        node = nodes[table.name]
        # By the key, which a fit requires to be unique.
        rows = scan_dataset(node, workspace.layout).select(names).sort(names[0]).collect()
        result[step] = TableRows(rows, digest_of(rows))
    return result


def fit_to(
    training: TrainingSet, rows: pl.DataFrame, tables: Mapping[Step, TableRows] | None = None
) -> FittedRows:
    """Fit the steps of a service to the rows of a training set: to those of ``train``, if it is split, each once.

    Parameters
    ----------
    rows
        The rows with the features as they were joined.
    tables
        The rows of the table of each step that reads one.

    Raises
    ------
    ContractError
        If there are no such rows, or a step cannot be fitted to them.
    DefinitionError
        If a column of the fitted vector has the name of a column of the training set.
    """
    service = training.service
    mask = train_mask(rows)
    trained = rows.filter(mask)
    fitted = fit(
        service.steps,
        trained.select(service.feature_names),
        trained[training.label],
        where=f"feature service {service.name!r}",
        tables=tables,
    )
    _refuse_clashes(training, fitted.rows.columns)
    state = FittedState(
        format=FORMAT,
        service=service.name,
        definition=fingerprint(service).digest,
        certificate=Certificate(
            training_set=training.name,
            split=TRAIN if SPLIT in rows.columns else None,
            rows=trained.height,
            digest=digest_of(trained),
        ),
        steps=fitted.steps,
        features={name: f"{dtype}" for name, dtype in fitted.rows.schema.items()},
    )
    numbered = rows.with_row_index(_ROW)
    own = pl.concat([numbered.filter(mask).drop(service.feature_names), fitted.rows], how="horizontal")
    copies = _is_repeated(rows)
    others = _applied(training, numbered.filter(~(mask | copies)), state)
    parts = [own, others, _as_originals(training, numbered.filter(copies), own, fitted.rows.columns)]
    return FittedRows(state, pl.concat(parts).sort(_ROW).drop(_ROW))


def fitted_training_set(workspace: Workspace, name: str) -> pl.DataFrame:
    """Read a training set with the fitted vector in place of the features as they were joined.

    Raises
    ------
    MissingDataError
        If the training set is not built, or its service has no steps.
    SkewError
        If another definition of it made the rows.
    """
    training = workspace.catalog.training_set(name)
    path = workspace.layout.fitted_training(name)
    rows = scan_required(path, made_by=f"featurestore training-set {name}")
    require_made_by(training, path)
    return rows.collect()


def train_mask(rows: pl.DataFrame) -> pl.Series:
    """Return for each row of a training set whether steps are fitted to it: a row of ``train``, and not a copy."""
    copies = _is_repeated(rows)
    return ~copies & (rows[SPLIT] == TRAIN).fill_null(value=False) if SPLIT in rows.columns else ~copies


def _is_repeated(rows: pl.DataFrame) -> pl.Series:
    if IS_REPEATED in rows.columns:
        return rows[IS_REPEATED]
    return pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)


def _as_originals(
    training: TrainingSet, copies: pl.DataFrame, own: pl.DataFrame, names: Sequence[str]
) -> pl.DataFrame:
    """Give copies of rows the vectors of their originals: a cross-fitted value does not know the label of a copy either."""
    keys = [column.name for column in training.entity_rows.columns if column.name in own.columns]
    originals = own.unique(keys, keep="first", maintain_order=True).select(*keys, *names)
    rows = copies.drop(training.service.feature_names)
    joined = rows.join(originals, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return joined.select(own.columns)


def _refuse_clashes(training: TrainingSet, names: Iterable[str]) -> None:
    for name in names:
        if name in training.entity_rows:
            raise DefinitionError(
                f"training set {training.name!r}: {name!r} is a column of the fitted vector of service "
                f"{training.service.name!r} and a column of schema {training.contract.name}",
                hint=f"rename {name!r} in the schema",
            )


def _applied(training: TrainingSet, rows: pl.DataFrame, state: FittedState) -> pl.DataFrame:
    names = training.service.feature_names
    vectors = applied(rows.select(names), state.steps)
    return pl.concat([rows.drop(names), vectors], how="horizontal")
