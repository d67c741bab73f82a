"""Whether a split and a sample fit the rows that they are declared for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from featurestore.errors import DefinitionError, UnknownNameError
from featurestore.labels.classes import is_multi_label, may_have_classes
from featurestore.splits.declare import RandomSplit, SplitStrategy, TimeSplit
from featurestore.splits.sample import ClassSample, RandomSample, SampleStrategy, SystematicSample
from featurestore.values.stable_hash import is_hashed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

STRATEGIES: Final = ("random_split", "time_split")
SAMPLES: Final = ("random_sample", "systematic_sample", "undersample", "oversample")
Split = SplitStrategy | tuple[SplitStrategy, ...]


def strategies_of(
    where: str,
    split: object,
    *,
    schema: Mapping[str, pl.DataType],
    identity: Sequence[str],
    label: str,
) -> tuple[SplitStrategy, ...]:
    """Read the split of a training set: none, one strategy, or several that must agree on a row.

    Parameters
    ----------
    where
        The training set, for messages.
    schema
        The columns of its rows.
    identity
        The columns that identify a row.

    Raises
    ------
    UnknownNameError
        If a strategy is the name of none, or a column is missing.
    DefinitionError
        If strategies make different splits, a column has values that are not hashed, or rows are grouped by the label.
    """
    if split is None:
        return ()
    strategies = split if isinstance(split, tuple | list) else (split,)
    for strategy in strategies:
        if isinstance(strategy, str):
            raise UnknownNameError("split strategy", strategy, STRATEGIES, within=where)
        if not isinstance(strategy, RandomSplit | TimeSplit):
            raise DefinitionError(
                f"{where}: split is {strategy!r}; expected random_split(...), time_split(...) or a tuple of them",
                hint="example: split=random_split(test=0.2, seed=1)",
            )
    if not strategies:
        raise DefinitionError(
            f"{where}: split is empty", hint="example: split=random_split(test=0.2, seed=1)"
        )
    if any(strategy.names != strategies[0].names for strategy in strategies):
        listing = " and ".join(", ".join(strategy.names) for strategy in strategies)
        raise DefinitionError(
            f"{where}: its strategies make different splits: {listing}",
            hint="let each strategy make the same splits: a row is in a split if all of them put it there",
        )
    for strategy in strategies:
        _require_columns(where, strategy, schema=schema, identity=identity)
        if isinstance(strategy, RandomSplit) and label in strategy.by:
            raise DefinitionError(
                f"{where}: random_split groups by the label {label!r}, so each class would be in one split",
                hint=f"write stratify={label!r}: then each class is in every split",
            )
    return tuple(strategies)


def sample_of(
    where: str, sample: object, *, schema: Mapping[str, pl.DataType], identity: Sequence[str], label: str
) -> SampleStrategy | None:
    """Read the sample of a training set: none, or one strategy. Parameters as of `strategies_of`.

    Raises
    ------
    UnknownNameError
        If the strategy is the name of none, or a column is missing.
    DefinitionError
        If a column has values that are not hashed, or the label has no classes to sample by.
    """
    if sample is None:
        return None
    if isinstance(sample, str):
        raise UnknownNameError("sample strategy", sample, SAMPLES, within=where)
    if not isinstance(sample, RandomSample | SystematicSample | ClassSample):
        raise DefinitionError(
            f"{where}: sample is {sample!r}; expected {', '.join(f'{name}(...)' for name in SAMPLES)}",
            hint="example: sample=random_sample(share=0.1, seed=1)",
        )
    _require_columns(where, sample, schema=schema, identity=identity)
    if isinstance(sample, ClassSample) and not may_have_classes(schema[label]):
        raise DefinitionError(
            f"{where}: the label {label!r} is {schema[label]}, which has no classes to sample by",
            hint="sample by random_sample or systematic_sample"
            + (
                ": a row has several classes, so no row belongs to one"
                if is_multi_label(schema[label])
                else ""
            ),
        )
    return sample


def require_label(label: str, dtype: pl.DataType, where: str) -> None:
    """Refuse a label that is nested, and not a list of classes. Raises `DefinitionError`."""
    if dtype.is_nested() and not is_multi_label(dtype):
        raise DefinitionError(
            f"{where}: the label {label!r} is {dtype}; expected a number, a class, or a list of classes: text, integers or "
            "booleans",
            hint="give each row its classes as a list of text",
        )


def require_free_names(where: str, added: Sequence[str], taken: Sequence[str]) -> None:
    """Refuse a column of the schema, or a feature, with the name of a column that is added. Raises `DefinitionError`."""
    for name in added:
        if name in taken:
            raise DefinitionError(
                f"{where}: {name!r} is a column or a feature, and its split or sample adds a column of this name",
                hint=f"rename {name!r}",
            )


def _require_columns(
    where: str,
    strategy: SplitStrategy | SampleStrategy,
    *,
    schema: Mapping[str, pl.DataType],
    identity: Sequence[str],
) -> None:
    for column in strategy.columns:
        if column not in schema:
            raise UnknownNameError("column", column, schema, within=f"the schema of {where}")
    if isinstance(strategy, TimeSplit | SystematicSample):
        return
    by = strategy.by if isinstance(strategy, RandomSplit | RandomSample) else ()
    for column in by or identity:
        if not is_hashed(schema[column]):
            raise DefinitionError(
                f"{where}: its split or sample cannot hash {column!r}, which is {schema[column]}",
                hint="name columns of integers, text, booleans, dates or times: by=...",
            )
