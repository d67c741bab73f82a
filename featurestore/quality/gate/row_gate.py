"""The gate of a few rows given as plain Python values: what the gate of datasets says of each row, in microseconds.

Rules that look at more than one row (uniqueness, windows, aggregates) say nothing of a row that is asked about, and are
left out; so are checks that only warn, and all rules of a contract that only warns (``on_invalid = "warn"``). There is
no quarantine for a request: one broken rule refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.call import reason
from featurestore.errors import ContractError
from featurestore.quality.gate.casting import cast_plan
from featurestore.quality.gate.predicate import predicate_of
from featurestore.quality.rules.contract_rules import ROW, Rule, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from featurestore.definitions.contract import Contract

MAX_SHOWN_BREACHES = 5
MAX_VALUE_LENGTH, MAX_RULE_LENGTH, MAX_HINT_LENGTH = 60, 160, 500
_FLAG = "__flag__"


@dataclass(frozen=True)
class Breach:
    """One rule broken by one row.

    Attributes
    ----------
    row
        Its number, from 0.
    rule
        By the gate's name.
    values
        Those that the rule speaks of, by column.
    """

    row: int
    rule: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Broken:
    """What rows broke of a contract.

    Attributes
    ----------
    contract
        Its name.
    count
        How many rules were broken, summed over the rows.
    first
        The first few.
    allowed
        For each column that they speak of, what may be in it.
    """

    contract: str
    count: int
    first: tuple[Breach, ...]
    allowed: tuple[str, ...]

    def explain(self, *, show: bool = True) -> str:
        """Say it in a few lines.

        Parameters
        ----------
        show
            False: without the values.
        """
        lines = [f"the request breaks schema {self.contract}:"]
        for breach in self.first:
            given = f", given {_shown(breach.values)}" if show else ""
            lines.append(f"  row {breach.row:,}: {breach.rule:.{MAX_RULE_LENGTH}}{given}")
        if self.count > len(self.first):
            lines.append(f"  … and {self.count - len(self.first):,} more")
        return "\n".join(lines)


class RowGate:
    """The gate of one contract, compiled once.

    Parameters
    ----------
    contract
        What is promised of each row.

    Attributes
    ----------
    rules
        Those that can refuse a row.

    Raises
    ------
    DefinitionError
        If a check cannot be compiled.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._schema = dict(contract.schema)
        plan = cast_plan(contract.schema, contract, dataset=contract.name)
        warns = contract.policy.on_invalid == "warn"
        self.rules = tuple(
            rule
            for rule in rules_of(contract, plan)
            if not (warns or rule.warning or rule.scalar or _mixes_rows(rule))
        )
        predicate = predicate_of(contract)
        self._good = predicate.good
        self._asked = tuple(rule for rule in self.rules if rule.name not in predicate.covers)
        self._values = {name: cast_column.value.alias(name) for name, cast_column in plan.items()}

    def admit(self, rows: Sequence[Sequence[Any]], *, show: bool = True) -> None:
        """Let rows pass, or refuse them.

        Parameters
        ----------
        rows
            In the order of the contract's columns, each value of Python's type for its dtype.
        show
            False: the message leaves out values.

        Raises
        ------
        ContractError
            If a row breaks a rule, naming row, rule and value, and what is allowed; or a value is of another type.
        """
        refuse([self.broken(rows)], show=show)

    def broken(self, rows: Sequence[Sequence[Any]]) -> Broken | None:
        """Tell which rules rows break; None: none. Parameters and errors are those of `admit`."""
        rules = self._asked if self._all_good(rows) else self.rules
        if not rules or not rows:
            return None
        needed = {name for rule in rules for name in self._roots_of(rule)}
        schema = {name: dtype for name, dtype in self._schema.items() if name in needed}
        columns = {name: [row[i] for row in rows] for i, name in enumerate(self._schema) if name in needed}
        try:
            frame = pl.DataFrame(columns, schema=schema)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            raise ContractError(
                f"the request breaks schema {self.contract.name}: a value is of another type: {reason(error)}",
                hint=f"give {', '.join(f'{name} as {dtype}' for name, dtype in schema.items())}",
            ) from error
        return self._broken_in(frame, rules)

    def broken_in(self, frame: pl.DataFrame) -> Broken | None:
        """Tell which rules the rows of a frame break, whose columns have the contract's dtypes; None: none."""
        return self._broken_in(frame, self.rules) if self.rules and frame.height else None

    def _all_good(self, rows: Sequence[Sequence[Any]]) -> bool:
        if not self.rules:
            return True
        try:
            return all(map(self._good, rows))
        except (TypeError, AttributeError):  # a value of another type
            return False

    def _broken_in(self, frame: pl.DataFrame, rules: tuple[Rule, ...]) -> Broken | None:
        flags = (
            frame.lazy()
            .select(self._values[name] for name in self._schema if name in frame.columns)
            .with_row_index(ROW)
            .with_columns(
                _flag(rule).alias(f"{_FLAG}{i}") for i, rule in enumerate(rules) if rule.find is None
            )
            .collect()
        )
        # A check that selects no one expression is run by itself.
        found = {i: rule.find(flags.lazy()) for i, rule in enumerate(rules) if rule.find is not None}
        flags = flags.with_columns(
            pl.col(ROW).is_in(rows.implode()).alias(f"{_FLAG}{i}")
            for i, rows in found.items()
            if isinstance(rows, pl.Series)
        ).select(f"{_FLAG}{i}" for i in range(len(rules)))
        count = sum(flags.sum().row(0))
        if not count:
            return None
        places = sorted(
            (row, i)
            for i, flag in enumerate(flags)
            for row in flag.arg_true().head(MAX_SHOWN_BREACHES).to_list()
        )[:MAX_SHOWN_BREACHES]
        first = tuple(
            Breach(row, rules[i].name, {name: frame[name][row] for name in self._roots_of(rules[i])})
            for row, i in places
        )
        told = dict.fromkeys(name for _, i in places for name in rules[i].columns)
        return Broken(self.contract.name, count, first, tuple(map(self._allowed, told)))

    def _allowed(self, name: str) -> str:
        labels = [rule.name.removeprefix(f"{name}.") for rule in self.rules if rule.columns == (name,)]
        return f"{name}: {', '.join([str(self._schema[name]), *labels])}"

    def _roots_of(self, rule: Rule) -> tuple[str, ...]:
        found = rule.broken.meta.root_names() if rule.broken is not None else []
        known = found and all(name in self._schema for name in found)
        # A selector names no columns: it may mean any.
        return tuple(dict.fromkeys(found)) if known else tuple(self._schema)


@lru_cache(maxsize=256)
def row_gate(contract: Contract) -> RowGate:
    """Return the gate of a contract, compiled at the first call."""
    return RowGate(contract)


def refuse(found: Iterable[Broken | None], *, show: bool = True) -> None:
    """Raise what was broken, of one contract or several, as one error; nothing broken, nothing raised.

    Raises
    ------
    ContractError
        Naming rows, rules and values, and what is allowed.
    """
    broken = [one for one in found if one is not None]
    if broken:
        allowed = "; ".join(dict.fromkeys(column for one in broken for column in one.allowed))
        raise ContractError(
            "\n".join(one.explain(show=show) for one in broken),
            hint=f"allowed are {allowed:.{MAX_HINT_LENGTH}}"
            if allowed
            else f"see schema {broken[0].contract}",
        )


def _shown(values: dict[str, Any]) -> str:
    if len(values) == 1:
        return f"{next(iter(values.values()))!r:.{MAX_VALUE_LENGTH}}"
    return f"{', '.join(f'{name} = {value!r:.{MAX_VALUE_LENGTH}}' for name, value in values.items()):.{3 * MAX_VALUE_LENGTH}}"


def _flag(rule: Rule) -> pl.Expr:
    assert rule.broken is not None  # noqa: S101 - of a rule that finds no rows by itself
    return rule.broken.fill_null(value=False)


def _mixes_rows(rule: Rule) -> bool:
    """Say whether a row's result depends on other rows."""
    return rule.across or (rule.broken is not None and _reads_others(rule.broken))


def _reads_others(expression: pl.Expr) -> bool:
    inputs = expression.meta.pop()
    # What reads no column is made of literals, or of the elements of a list: only the number of rows is of all rows.
    if (expression.meta.root_names() or not inputs) and not _is_row_by_row(expression):
        return True
    return any(map(_reads_others, inputs))


def _is_row_by_row(expression: pl.Expr) -> bool:
    try:
        return expression.meta.is_row_separable()
    except pl.exceptions.PolarsError:  # a user's own function, elements of a list, a selector
        return True
