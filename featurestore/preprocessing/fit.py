"""Fit steps to rows, and apply what they learned to any rows: pure functions from frames to frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.errors import ContractError, DefinitionError
from featurestore.preprocessing.selectors import Selector, selected
from featurestore.preprocessing.stack import Stack
from featurestore.preprocessing.state import FittedStep, require_readable
from featurestore.preprocessing.step import Observed
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from featurestore.preprocessing.step import ColumnFunction, Outputs, Step, TableRows

# Whether a step has no value for a row, in rows that steps were applied to with this column.
REFUSED: Final = "__refused"


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


def fit(
    steps: Sequence[Step | Stack],
    features: pl.DataFrame,
    label: pl.Series | None,
    *,
    where: str,
    tables: Mapping[Step, TableRows] | None = None,
) -> Fitted:
    """Fit each step to what the steps before it computed from the rows.

    Parameters
    ----------
    features
        The features of the rows, and no other columns.
    label
        The labels of the rows, for steps that read them.
    where
        What the steps belong to, for messages.
    tables
        The rows of the table of each step that reads one.

    Raises
    ------
    ContractError
        If there are no rows, values cannot be fitted to, or a step refuses a row.
    DefinitionError
        If a step names a column that is missing or of another dtype, or makes a column that exists.
    """
    if features.is_empty():
        raise ContractError(
            f"{where}: there are no rows to fit to", hint="check the split of the training set"
        )
    rows = features
    fitted: list[FittedStep] = []
    for number, step in enumerate(steps, 1):
        place = f"{where}, step {number} ({step})"
        if isinstance(step, Stack):
            blocks = step.arranged(origins(features.columns, fitted), features.schema, place)
            fitted.append(FittedStep(step=str(step), columns={}, blocks=blocks))
            rows = applied(rows, fitted[-1:])
            continue
        columns = {}
        trained: dict[str, pl.Series] = {}
        for name in _selected(step, rows.schema, place):
            table = (tables or {}).get(step)
            observed = Observed(rows[name], label, f"{place}: {name!r}", rows, table)
            state = step.fit(observed)
            require_readable(state, observed.place)
            columns[name] = state
            for values in step.training_values(observed, state) or ():
                trained[values.name] = values
        done = FittedStep(step=str(step), columns=columns)  # type: ignore[arg-type]
        rows = applied(rows, [done], place).with_columns(trained.values())
        fitted.append(done)
    return Fitted(tuple(fitted), rows)


def apply(features: pl.LazyFrame, steps: Iterable[FittedStep], *, with_refused: bool = False) -> pl.LazyFrame:
    """Apply fitted steps to features, and no other columns: put what a step computes of a column in its place.

    Parameters
    ----------
    with_refused
        Add the column `REFUSED` at the end, if a step may refuse a row.

    Raises
    ------
    DefinitionError
        If two columns get the same name.
    """
    # The names of later steps follow from these: a schema of a plan is kept in it, and a plan that has one is not compiled.
    names: Iterable[str] = features.collect_schema()
    flags: list[pl.Expr] = []
    for step in steps:
        outputs = _outputs(names, step)
        flags = [*flags, *_refused(step)] if with_refused else []
        if functions := functions_of([step]):
            computed = {name: function.expression() for name, function in functions.items()}
            features = features.with_columns(**computed)
        features = features.select(**outputs, **({REFUSED: reduce(or_, flags)} if flags else {}))
        flags = [pl.col(REFUSED)] if flags else []
        names = outputs
    return features


def applied(rows: pl.DataFrame, steps: Sequence[FittedStep], place: str | None = None) -> pl.DataFrame:
    """Apply fitted steps to rows of features.

    Parameters
    ----------
    place
        What a refusal names in place of the step: the service and the number of the step.

    Raises
    ------
    DefinitionError
        As `apply`.
    ContractError
        If a step has no value for a row, and its rule is to refuse such a row.
    """
    result = apply(rows.lazy(), steps, with_refused=True).collect()
    if REFUSED not in result.columns:
        return result
    if result[REFUSED].any():
        _raise_refusal(rows, steps, place)
    return result.drop(REFUSED)


def may_refuse(steps: Iterable[FittedStep]) -> bool:
    """Return whether a step has no value for some rows, and refuses them."""
    return any(map(_refused, steps))


def refused_rows(rows: pl.DataFrame, steps: Sequence[FittedStep]) -> pl.Series:
    """Return for each row whether a step refuses it, of steps that may."""
    return apply(rows.lazy(), steps, with_refused=True).select(REFUSED).collect().to_series()


def _refused(step: FittedStep) -> list[pl.Expr]:
    flags = (state.refused(name) for name, state in step.columns.items())
    return [flag for flag in flags if flag is not None]


def _raise_refusal(rows: pl.DataFrame, steps: Sequence[FittedStep], place: str | None) -> None:
    """Name the first step and column that refuse a row. Values are not shown: a column may be personal."""
    for number, step in enumerate(steps):
        before = apply(rows.lazy(), steps[:number])
        for name, state in step.columns.items():
            flag = state.refused(name)
            count = 0 if flag is None else before.select(flag.sum()).collect().item()
            if count:
                raise ContractError(
                    f"{place or f'step {step.step}'}: {count:,} of {counted(rows.height, 'row')} refused, because {name!r} has no value that "
                    "the step knows",
                    hint="add the missing keys to the table and fit again, or give the step a rule for unknown values",
                )


def functions_of(steps: Iterable[FittedStep]) -> dict[str, ColumnFunction]:
    """Return the Python functions that fitted steps need, by the name of the column that each computes."""
    return {
        computed: function
        for step in steps
        for name, state in step.columns.items()
        for computed, function in state.functions(name).items()
    }


def _outputs(names: Iterable[str], step: FittedStep) -> Outputs:
    if step.blocks:
        return {name: pl.col(name) for block in step.blocks for name in block.columns}
    outputs: Outputs = {}
    for name in names:
        replacement = step.columns[name].expressions(name) if name in step.columns else {name: pl.col(name)}
        _refuse_repeated(outputs, replacement, step.step)
        outputs |= replacement
    return outputs


def check_steps(steps: Sequence[Step | Stack], schema: Mapping[str, pl.DataType], *, where: str) -> None:
    """Check steps against the features of a service, before there are rows.

    Columns that only a fitted state knows, such as those of categories, are not checked before it is fitted.

    Raises
    ------
    UnknownNameError
        If a step names a feature that does not exist.
    DefinitionError
        If a feature has a dtype that a step does not take, two columns get the same name, or blocks are not the last step.
    """
    for number, step in enumerate(steps, 1):
        if isinstance(step, Stack):
            step.features(schema, f"{where}, step {number} ({step})")
            if number < len(steps):
                raise DefinitionError(
                    f"{where}: step {number} of {len(steps)} is {step}; expected it as the last step",
                    hint="move it to the end: a later step would change the widths of the blocks",
                )
    known = dict(schema)
    for number, step in enumerate(steps, 1):
        if isinstance(step, Stack):
            return
        place = f"{where}, step {number} ({step})"
        names = _selected(step, known, place)
        after: dict[str, pl.DataType] = {}
        for name in names:
            step.check(name, known, place)
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


def sources(names: Iterable[str], steps: Iterable[FittedStep]) -> dict[str, frozenset[str]]:
    """Return for each column of the fitted vector all features that its value depends on."""
    known = {name: frozenset((name,)) for name in names}
    for step in steps:
        after: dict[str, frozenset[str]] = {}
        for name, features in known.items():
            state = step.columns.get(name)
            read = features.union(*(known[column] for column in state.beside)) if state else features
            after |= dict.fromkeys((name,) if state is None else state.expressions(name), read)
        known = after
    return known


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
