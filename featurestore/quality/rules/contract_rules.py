"""Compile a contract into rules, so that one query over the data tells how often each is broken.

Pandera's checks are functions of a lazy frame. Called with a recorder in its place they hand over the one expression
that they would select, so the user's own checks run in the same query as the built-in ones. A check that does more
than select one expression is run as Pandera would run it, over the columns that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import polars as pl

from featurestore.definitions.call import place, reason
from featurestore.errors import DefinitionError
from featurestore.quality.rules.duplicates import duplicated_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from featurestore.definitions.contract import Column, Contract
    from featurestore.quality.gate.casting import CastColumn

ROW = "__row__"

# Numbers of the rows (of column `ROW`) that break a rule; or whether the dataset as a whole does.
Outcome: TypeAlias = "pl.Series | bool"


@dataclass(frozen=True, eq=False)
class Rule:
    """One promise of a contract. It is told by one of `broken`, `measure` and `find`.

    Attributes
    ----------
    name
        Such as ``dep_delay.in_range(-120, 3000)``.
    columns
        The columns it speaks of; empty where it speaks of the row.
    broken
        True for each row that breaks it, over the conformed columns; null is not broken. Where it is an aggregate, it
        speaks of the dataset as a whole.
    measure
        An aggregate that must lie within `least` and `most`; one that cannot be computed breaks the rule.
    find
        For what no expression of a row tells: finds the rows of the conformed frame, numbered in `ROW`, that break it.
    warning
        True where what breaks it is counted and passes.
    scalar
        True where the rule speaks of the dataset as a whole; then no row can be blamed.
    across
        True where it compares rows with each other, so that of a row alone it says nothing.
    lasting
        True where rows that keep it keep it whatever other rows are taken away.
    """

    name: str
    columns: tuple[str, ...]
    broken: pl.Expr | None = None
    measure: pl.Expr | None = None
    least: Any = None
    most: Any = None
    find: Callable[[pl.LazyFrame], Outcome] | None = None
    warning: bool = False
    scalar: bool = False
    across: bool = False
    lasting: bool = False

    def outside(self, measured: Any) -> bool:
        """Say whether what `measure` gave is outside the bounds."""
        if measured is None:
            return True
        return (self.least is not None and measured < self.least) or (
            self.most is not None and measured > self.most
        )


def rules_of(contract: Contract, plan: Mapping[str, CastColumn]) -> tuple[Rule, ...]:
    """List the rules of a contract, in the order written: conversion, nulls, values, uniqueness, row checks.

    Raises
    ------
    DefinitionError
        If a check cannot be used: it does not fit its columns, or is grouped, which Pandera ignores on Polars.
    """
    checks = _checks_of(contract)
    rules: list[Rule] = []
    for column in contract.columns:
        rules += (*_column_rules(column, plan[column.name]), *checks[column.name])
    rules += [unique_rule(columns) for columns in contract.uniques]
    return (*rules, *checks[None])


def unique_rule(columns: tuple[str, ...], name: str | None = None) -> Rule:
    """Make the rule that `columns` together occur once; every row of a repeated group is broken."""
    return Rule(
        name or f"unique({', '.join(columns)})",
        columns,
        find=lambda frame: duplicated_rows(frame, columns, ROW),
        across=True,
        lasting=True,
    )


def _column_rules(column: Column, cast_column: CastColumn) -> list[Rule]:
    name, value, warning = column.name, pl.col(column.name), column.severity == "warning"
    rules = []
    if cast_column.lost is not None:
        lost = pl.col(failed_column(name))
        rules.append(Rule(f"{name}.dtype({column.dtype})", (name,), lost, lasting=True))
    if not column.nullable:
        missing = value.is_null()
        if cast_column.lost is not None:
            missing = missing & ~pl.col(failed_column(name))
        rules.append(Rule(f"{name}.not_null", (name,), missing, warning=warning, lasting=True))
    if column.dtype.is_float():
        rules.append(Rule(f"{name}.finite", (name,), ~value.is_finite(), lasting=True))
    if column.unique:
        rules.append(unique_rule((name,), f"{name}.unique"))
    return rules


def failed_column(name: str) -> str:
    """Name the column that says where a conversion lost a value."""
    return f"__lost__{name}"


@cache
def _checks_of(contract: Contract) -> dict[str | None, tuple[Rule, ...]]:
    """Compile the checks of a contract: by column, and those of the whole row."""
    checks: dict[str | None, tuple[Rule, ...]] = {
        column.name: tuple(
            _check_rule(contract, check, column.name, warning=column.severity == "warning")
            for check in column.checks
        )
        for column in contract.columns
    }
    checks[None] = tuple(_check_rule(contract, check, None) for check in contract.checks)
    if contract.left_out:
        checks = {
            name: tuple(r for r in rules if not _reads(r, contract.left_out))
            for name, rules in checks.items()
        }
    traced = [rule for rules in checks.values() for rule in rules if rule.broken is not None]
    scalar = dict(zip(traced, _give_one(contract, traced), strict=True))
    return {
        name: tuple(replace(rule, scalar=True) if scalar.get(rule) else rule for rule in rules)
        for name, rules in checks.items()
    }


def _reads(rule: Rule, columns: frozenset[str]) -> bool:
    return rule.broken is not None and not columns.isdisjoint(rule.broken.meta.root_names())


class _OpaqueError(Exception):
    """A check does more than select one expression."""


class _Recorder:
    """Stands in for the lazy frame of a check, and keeps what the check selects."""

    def __init__(self) -> None:
        self.selected: pl.Expr | None = None

    def select(self, *exprs: Any) -> _Recorder:
        if self.selected is not None or len(exprs) != 1 or not isinstance(exprs[0], pl.Expr):
            raise _OpaqueError
        self.selected = exprs[0]
        return self

    def __getattr__(self, name: str) -> Any:
        raise _OpaqueError(name)


def _check_rule(contract: Contract, check: Any, column: str | None, *, warning: bool = False) -> Rule:
    where = f"schema {contract.name}, {f'column {column!r}, ' if column else ''}check {check.name or check.error!r}"
    if check.groups is not None or check.groupby is not None:
        raise DefinitionError(
            f"{where}: groupby has no effect on Polars", hint="say it as an expression with .over(...)"
        )
    label = str(check.error) if column and check.error else str(check.name)
    name, columns = (f"{column}.{label}", (column,)) if column else (label, ())
    warns = warning or bool(check.raise_warning)
    passed = _traced(check, column, where)
    if passed is None:
        find = _opaque(contract, check, column, where)
        return Rule(name, columns, find=find, warning=warns, scalar=_finds_one(contract, find))
    broken = ~passed if check.ignore_na else ~passed.fill_null(value=False)
    return Rule(
        name=name,
        columns=columns,
        broken=broken,
        warning=warns,
        lasting=_is_built_in(check) and column is not None,
    )


def _traced(check: Any, column: str | None, where: str) -> pl.Expr | None:
    """Have a check hand over its expression; None: it does not select one."""
    from pandera.polars import PolarsData  # noqa: PLC0415 - the user's schema has imported Pandera already

    function, arguments = _function(check), check._check_kwargs  # noqa: SLF001 - Pandera has no public name for it
    if check.element_wise:
        if column is None:
            raise DefinitionError(
                f"{where}: of a row, no single element can be checked", hint="name a column"
            )

        def call(value: Any) -> Any:
            try:
                return function(value, **arguments)
            except Exception as error:
                raise DefinitionError(
                    f"{where}: fails on the data: {reason(error)}", hint=f"see {place(error)}"
                ) from error

        return pl.col(column).map_elements(call, return_dtype=pl.Boolean)
    recorder = _Recorder()
    try:
        result = function(PolarsData(cast("pl.LazyFrame", recorder), column or "*"), **arguments)
    except Exception:  # noqa: BLE001 - what a stand-in makes of a function says nothing of the function
        return None
    return recorder.selected if result is recorder else None


def _opaque(
    contract: Contract, check: Any, column: str | None, where: str
) -> Callable[[pl.LazyFrame], Outcome]:
    """Run a check on the frame itself, as Pandera does."""
    function, arguments, names = _function(check), check._check_kwargs, contract.schema.names()  # noqa: SLF001

    def find(frame: pl.LazyFrame) -> Outcome:
        from pandera.polars import PolarsData  # noqa: PLC0415

        try:
            # Lazy: only the columns that the check reads are.
            result: Any = function(PolarsData(frame.select(names), column or "*"), **arguments)
            if result is None:
                raise TypeError("it returns nothing")  # noqa: TRY301 - told as whatever else it raises
            if isinstance(result, pl.DataFrame):
                result = result.lazy()
            if isinstance(result, pl.LazyFrame):
                told = result.select(pl.all_horizontal(pl.all())).collect(engine="streaming").to_series()
                rows = frame.select(ROW).collect(engine="streaming").to_series()
                result = told.item() if told.len() == 1 and rows.len() != 1 else told
        except Exception as error:
            raise DefinitionError(
                f"{where}: fails on the data: {reason(error)}", hint=f"see {place(error)}"
            ) from error
        if isinstance(result, pl.Series) and result.len() == rows.len() and result.dtype == pl.Boolean:
            return rows.filter(~result.fill_null(value=check.ignore_na))
        if result is None or isinstance(result, bool):
            return not (check.ignore_na if result is None else result)
        raise DefinitionError(
            f"{where}: it gives neither one truth value nor one for each row",
            hint="return data.lazyframe.select(<one boolean Polars expression>)",
        )

    return find


def _finds_one(contract: Contract, find: Callable[[pl.LazyFrame], Outcome]) -> bool:
    return isinstance(find(contract.empty().with_row_index(ROW)), bool)


def _function(check: Any) -> Any:
    # A built-in check may be a copy made before Pandera knew of Polars: the registered function is the complete one.
    from pandera.api.checks import Check  # noqa: PLC0415
    from pandera.backends.polars.register import register_polars_backends  # noqa: PLC0415

    register_polars_backends()
    function = check._check_fn  # noqa: SLF001
    return Check.get_builtin_check_fn(function.__name__) if _is_built_in(check) else function


def _is_built_in(check: Any) -> bool:
    from pandera.api.function_dispatch import Dispatcher  # noqa: PLC0415

    return isinstance(check._check_fn, Dispatcher)  # noqa: SLF001


def _give_one(contract: Contract, rules: Sequence[Rule]) -> list[bool]:
    """Say which expressions speak of the dataset as a whole: over no rows, an aggregate gives one value all the same."""
    sizes = (rule.broken.implode().list.len().alias(str(i)) for i, rule in enumerate(rules))  # type: ignore[union-attr]
    try:
        return [size == 1 for size in contract.empty().select(sizes).collect().row(0)] if rules else []
    except pl.exceptions.PolarsError as error:
        if len(rules) == 1:
            raise DefinitionError(
                f"schema {contract.name}, check {rules[0].name!r}: {reason(error)}",
                hint="the check does not fit the schema's columns",
            ) from error
        return [_give_one(contract, [rule])[0] for rule in rules]
