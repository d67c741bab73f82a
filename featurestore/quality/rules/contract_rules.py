"""The rules of a contract, so that one query over the data counts how often each is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.rules.checks import check_rules
from featurestore.quality.rules.duplicates import duplicated_rows
from featurestore.quality.rules.rule import ROW, RowRule, Rule, SearchRule
from featurestore.quality.rules.rule_id import RuleId
from featurestore.values.casts import non_finite

if TYPE_CHECKING:
    from collections.abc import Collection

    from featurestore.definitions.contract import Column, Contract


def rules_of(contract: Contract, *, fallible: Collection[str] = ()) -> tuple[Rule, ...]:
    """List the rules of a contract: dtypes, nulls, uniqueness, checks of columns and rows.

    Parameters
    ----------
    fallible
        The columns whose values may fail to be cast to the contract's dtype. For each, the rules
        read a boolean column named by `failed_column`.

    Raises
    ------
    DefinitionError
        If a check cannot be used: it does not fit its columns, or is grouped, which Pandera ignores
        on Polars.
    """
    checks = check_rules(contract)
    rules: list[Rule] = []
    for column in contract.columns:
        rules += _column_rules(column, fallible=column.name in fallible)
        if column.unique or (column.name,) in contract.uniques:
            rules.append(unique_rule((column.name,)))
        rules += checks[column.name]
    rules += [unique_rule(columns) for columns in contract.uniques if len(columns) > 1]
    return (*rules, *checks[None])


def unique_rule(columns: tuple[str, ...]) -> SearchRule:
    """Return the rule that no two rows share their values of `columns`."""
    return SearchRule(
        RuleId("unique", columns),
        lambda frame: duplicated_rows(frame, columns, ROW),
        compares_rows=True,
        independent=True,
    )


def failed_column(name: str) -> str:
    """Return the name of the boolean column that is True where casting a value failed."""
    return f"__failed__{name}"


def rounded_column(name: str) -> str:
    """Return the name of the boolean column that is True where casting rounded a fraction."""
    return f"__rounded__{name}"


def _column_rules(column: Column, *, fallible: bool) -> list[Rule]:
    name, columns, value = column.name, (column.name,), pl.col(column.name)
    rules: list[Rule] = []
    if fallible:
        dtype = RuleId("dtype", columns, (str(column.dtype),))
        rules.append(RowRule(dtype, pl.col(failed_column(name)), independent=True))
    if not column.nullable:
        missing = value.is_null() & ~pl.col(failed_column(name)) if fallible else value.is_null()
        not_null = RuleId("not_null", columns)
        rules.append(RowRule(not_null, missing, warning=column.severity == "warning", independent=True))
    broken = non_finite(value, column.dtype)
    if broken is not None:
        rules.append(RowRule(RuleId("finite", columns), broken, independent=True))
    return rules
