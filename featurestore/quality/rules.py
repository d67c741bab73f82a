"""Compile a contract into rules: one boolean Polars expression each, true where a row is broken.

Pandera's checks are functions of a lazy frame. Called with a recorder in its place they hand over the one expression
that they would select, so that all checks of a contract, the user's own included, run in one query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.definitions.contract import Column, Contract
    from featurestore.quality.conform import Conformed


@dataclass(frozen=True)
class Rule:
    """One promise of a contract.

    Attributes
    ----------
    name
        Such as ``dep_delay.in_range(-120, 3000)``.
    columns
        The columns it speaks of; empty where it speaks of the row.
    broken
        True for each row that breaks it, over the conformed columns (or, `early`, over those as read); null is not
        broken.
    warning
        True where rows that break it are counted and pass.
    scalar
        True where the rule speaks of the dataset as a whole; then no row can be blamed.
    early
        True where the expression reads the columns before they conform.
    lasting
        True where rows that keep it keep it whatever other rows are taken away.
    """

    name: str
    columns: tuple[str, ...]
    broken: pl.Expr
    warning: bool = False
    scalar: bool = False
    early: bool = False
    lasting: bool = False


def rules_of(contract: Contract, plan: Mapping[str, Conformed]) -> tuple[Rule, ...]:
    """List the rules of a contract, in the order written: conversion, nulls, values, uniqueness, row checks.

    Raises
    ------
    DefinitionError
        If a check's function does not hand over one expression.
    """
    rules: list[Rule] = []
    for column in contract.columns:
        rules += _column_rules(contract, column, plan[column.name])
    if contract.unique:
        rules.append(unique_rule(contract.unique))
    rules += [_check_rule(contract, check, None) for check in contract.checks]
    return tuple(rules)


def unique_rule(columns: tuple[str, ...]) -> Rule:
    """Make the rule that `columns` together occur once; every row of a repeated group is broken."""
    return Rule(f"unique({', '.join(columns)})", columns, pl.struct(columns).is_duplicated(), lasting=True)


def _column_rules(contract: Contract, column: Column, conformed: Conformed) -> list[Rule]:
    name, value = column.name, pl.col(column.name)
    rules = []
    if conformed.lost is not None:
        rules.append(Rule(f"{name}.dtype({column.dtype})", (name,), conformed.lost, early=True, lasting=True))
    if not column.nullable:
        missing = value.is_null()
        if conformed.lost is not None:
            missing = missing & ~pl.col(lost_column(name))
        rules.append(Rule(f"{name}.not_null", (name,), missing, lasting=True))
    if column.dtype.is_float():
        rules.append(Rule(f"{name}.finite", (name,), ~value.is_finite(), lasting=True))
    if column.unique:
        twice = value.is_not_null() & value.is_duplicated()
        rules.append(Rule(f"{name}.unique", (name,), twice, lasting=True))
    return [*rules, *(_check_rule(contract, check, name) for check in column.checks)]


def lost_column(name: str) -> str:
    """Name the column that says where a conversion lost a value."""
    return f"__lost__{name}"


class _Recorder:
    """Stands in for the lazy frame of a check, and keeps what the check selects."""

    def __init__(self) -> None:
        self.selected: pl.Expr | None = None

    def select(self, *exprs: Any) -> _Recorder:
        if self.selected is not None or len(exprs) != 1 or not isinstance(exprs[0], pl.Expr):
            raise TypeError("the check selects more than one expression")
        self.selected = exprs[0]
        return self


def _check_rule(contract: Contract, check: Any, column: str | None) -> Rule:
    from pandera.polars import PolarsData  # noqa: PLC0415 - the user's schema has imported Pandera already

    function, arguments = _function(check), check._check_kwargs  # noqa: SLF001 - Pandera has no public name for it
    where = f"schema {contract.name}, {f'column {column!r}, ' if column else ''}check {check.name or check.error!r}"
    if check.element_wise:
        passed = pl.col(column or "*").map_elements(function, return_dtype=pl.Boolean)
    else:
        recorder = _Recorder()
        try:
            result = function(PolarsData(cast("pl.LazyFrame", recorder), column or "*"), **arguments)
        except (AttributeError, TypeError) as error:
            raise DefinitionError(
                f"{where}: it does more than select one expression ({error})",
                hint="return data.lazyframe.select(<one boolean Polars expression>)",
            ) from error
        if result is not recorder or recorder.selected is None:
            raise DefinitionError(
                f"{where}: it returns {type(result).__name__}",
                hint="return data.lazyframe.select(<one boolean Polars expression>)",
            )
        passed = recorder.selected
    broken = ~passed if check.ignore_na else ~passed.fill_null(value=False)
    label = str(check.error) if column and check.error else str(check.name)
    return Rule(
        name=f"{column}.{label}" if column else label,
        columns=(column,) if column else (),
        broken=broken,
        warning=bool(check.raise_warning),
        scalar=_is_scalar(contract, broken, where),
    )


def _function(check: Any) -> Any:
    # A built-in check may be a copy made before Pandera knew of Polars: the registered function is the complete one.
    from pandera.api.checks import Check  # noqa: PLC0415
    from pandera.api.function_dispatch import Dispatcher  # noqa: PLC0415
    from pandera.backends.polars.register import register_polars_backends  # noqa: PLC0415

    register_polars_backends()
    function = check._check_fn  # noqa: SLF001
    return Check.get_builtin_check_fn(function.__name__) if isinstance(function, Dispatcher) else function


def _is_scalar(contract: Contract, broken: pl.Expr, where: str) -> bool:
    # Over no rows, an expression of rows gives no row and an aggregate gives one.
    try:
        return contract.empty().select(broken.alias("broken")).collect().height == 1
    except pl.exceptions.PolarsError as error:
        raise DefinitionError(
            f"{where}: {error}", hint="the check does not fit the schema's columns"
        ) from error
