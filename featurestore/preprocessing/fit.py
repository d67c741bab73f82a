"""Fit steps to rows, and apply what they learned to any rows: pure functions from frames to frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError, DefinitionError
from featurestore.preprocessing.selectors import Selector, selected
from featurestore.preprocessing.state import FittedStep, require_readable
from featurestore.preprocessing.step import Observed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from featurestore.preprocessing.step import ColumnFunction, Outputs, Step


@dataclass(frozen=True)
class Fitted:
    """Steps that were fitted.

    Attributes
    ----------
    rows
        The fitted rows after all steps, as a model is trained on them: where a step is cross-fitted, not what serving
        computes for them.
    """

    steps: tuple[FittedStep, ...]
    rows: pl.DataFrame


def fit(steps: Sequence[Step], features: pl.DataFrame, label: pl.Series | None, *, where: str) -> Fitted:
    """Fit each step to what the steps before it computed from the rows.

    Parameters
    ----------
    features
        The features of the rows, and no other columns.
    label
        The labels of the rows, for steps that read them.
    where
        What the steps belong to, for messages.

    Raises
    ------
    ContractError
        If there are no rows, or values cannot be fitted to.
    DefinitionError
        If a step names a column that is missing or of another dtype, or makes a column that exists.
    """
    if features.is_empty():
        raise ContractError(
            f"{where}: there are no rows to fit to", hint="check the split of the training set"
        )
    rows = features
    fitted = []
    for number, step in enumerate(steps, 1):
        place = f"{where}, step {number} ({step})"
        columns = {}
        trained: dict[str, pl.Series] = {}
        for name in _selected(step, rows.schema, place):
            observed = Observed(rows[name], label, f"{place}: {name!r}")
            state = step.fit(observed)
            require_readable(state, observed.place)
            columns[name] = state
            for values in step.training_values(observed, state) or ():
                trained[values.name] = values
        done = FittedStep(step=str(step), columns=columns)  # type: ignore[arg-type]
        rows = apply(rows.lazy(), [done]).collect().with_columns(trained.values())
        fitted.append(done)
    return Fitted(tuple(fitted), rows)


def apply(features: pl.LazyFrame, steps: Iterable[FittedStep]) -> pl.LazyFrame:
    """Apply fitted steps to features, and no other columns: put what a step computes of a column in its place.

    Raises
    ------
    DefinitionError
        If two columns get the same name.
    """
    # The names of later steps follow from these: a schema of a plan is kept in it, and a plan that has one is not compiled.
    names: Iterable[str] = features.collect_schema()
    for step in steps:
        outputs = _outputs(names, step)
        if functions := functions_of([step]):
            features = features.with_columns(
                **{name: function.expression() for name, function in functions.items()}
            )
        features = features.select(**outputs)
        names = outputs
    return features


def functions_of(steps: Iterable[FittedStep]) -> dict[str, ColumnFunction]:
    """Return the Python functions that fitted steps need, by the name of the column that each computes."""
    return {
        computed: function
        for step in steps
        for name, state in step.columns.items()
        for computed, function in state.functions(name).items()
    }


def _outputs(names: Iterable[str], step: FittedStep) -> Outputs:
    outputs: Outputs = {}
    for name in names:
        replacement = step.columns[name].expressions(name) if name in step.columns else {name: pl.col(name)}
        _refuse_repeated(outputs, replacement, step.step)
        outputs |= replacement
    return outputs


def check_steps(steps: Sequence[Step], schema: Mapping[str, pl.DataType], *, where: str) -> None:
    """Check steps against the features of a service, before there are rows.

    Columns that only a fitted state knows, such as those of categories, are not checked before it is fitted.

    Raises
    ------
    UnknownNameError
        If a step names a feature that does not exist.
    DefinitionError
        If a feature has a dtype that a step does not take, or two columns get the same name.
    """
    known = dict(schema)
    for number, step in enumerate(steps, 1):
        place = f"{where}, step {number} ({step})"
        names = _selected(step, known, place)
        after: dict[str, pl.DataType] = {}
        for name, dtype in known.items():
            replacement = step.outputs(name, dtype) if name in names else {name: dtype}
            if replacement is None:
                return  # what follows may name columns of the categories
            _refuse_repeated(after, replacement, place)
            after |= replacement
        known = after


def origins(names: Iterable[str], steps: Iterable[FittedStep]) -> dict[str, str]:
    """Return for each column of the fitted vector the feature that it is computed from."""
    origin = {name: name for name in names}
    for step in steps:
        origin = {
            column: feature
            for name, feature in origin.items()
            for column in (step.columns[name].expressions(name) if name in step.columns else (name,))
        }
    return origin


def _selected(step: Step, schema: Mapping[str, pl.DataType], place: str) -> tuple[str, ...]:
    names = selected(step.columns, schema, place)
    if isinstance(step.columns, Selector):
        names = tuple(name for name in names if step.accepts(schema[name]))
    for name in names:
        if not step.accepts(schema[name]):
            raise DefinitionError(
                f"{place}: {name!r} is {schema[name]}; expected {step.takes}",
                hint="name other columns, or add a step before it that makes them of this dtype",
            )
        if text := step.mismatch(schema[name]):
            raise DefinitionError(
                f"{place}: {name!r} is {schema[name]}, but {text}",
                hint="give values of the dtype of the column, or name other columns",
            )
    return names


def _refuse_repeated(known: Mapping[str, object], replacement: Iterable[str], place: str) -> None:
    for name in replacement:
        if name in known:
            raise DefinitionError(
                f"{place}: two columns get the name {name!r}",
                hint="rename a feature, or leave one of them out",
            )
