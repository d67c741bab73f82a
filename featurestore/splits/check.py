"""Whether a split fits the rows that it is declared for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from featurestore.errors import DefinitionError, UnknownNameError
from featurestore.splits.declare import SPLIT, RandomSplit, SplitStrategy, TimeSplit
from featurestore.values.stable_hash import is_hashed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

STRATEGIES: Final = ("random_split", "time_split")
Split = SplitStrategy | tuple[SplitStrategy, ...]


def strategies_of(
    where: str,
    split: object,
    *,
    schema: Mapping[str, pl.DataType],
    identity: Sequence[str],
    label: str,
    features: Sequence[str],
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
    features
        The features that are joined.

    Raises
    ------
    UnknownNameError
        If a strategy is the name of none, or a column is missing.
    DefinitionError
        If strategies make different splits, a column has values that are not hashed, rows are grouped by the label, or a
        column has the name ``split``.
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
    if SPLIT in schema or SPLIT in features:
        owner = "its schema" if SPLIT in schema else "its service"
        raise DefinitionError(
            f"{where}: {owner} has a column {SPLIT!r}, which the split adds", hint=f"rename {SPLIT!r}"
        )
    for strategy in strategies:
        _require_columns(where, strategy, schema=schema, identity=identity, label=label)
    return tuple(strategies)


def _require_columns(
    where: str,
    strategy: SplitStrategy,
    *,
    schema: Mapping[str, pl.DataType],
    identity: Sequence[str],
    label: str,
) -> None:
    for column in strategy.columns:
        if column not in schema:
            raise UnknownNameError("column", column, schema, within=f"the schema of {where}")
    if not isinstance(strategy, RandomSplit):
        return
    if label in strategy.by:
        raise DefinitionError(
            f"{where}: random_split groups by the label {label!r}, so each class would be in one split",
            hint=f"write stratify={label!r}: then each class is in every split",
        )
    for column in strategy.by or identity:
        if not is_hashed(schema[column]):
            raise DefinitionError(
                f"{where}: random_split cannot hash {column!r}, which is {schema[column]}",
                hint="name columns of integers, text, booleans, dates or times: by=...",
            )
