"""The gate of a few rows of Python values: finds what the gate of datasets finds, in microseconds.

It leaves out rules that read more than one row (uniqueness, windows, aggregates), checks that only
warn, and all rules of a contract that only warns (``on_invalid = "warn"``). A request has no
quarantine: one broken rule refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeGuard

import polars as pl

from featurestore.definitions.call import reason
from featurestore.errors import ContractError
from featurestore.expressions.row_function import NotCompiled, RowFunction, row_function
from featurestore.quality.gate.casting import cast_plan, fallible_columns
from featurestore.quality.rules.contract_rules import failed_column, rules_of
from featurestore.quality.rules.rule import ROW, DatasetRule, RowRule, Rule, SearchRule
from featurestore.values.printable import value_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.rules.rule_id import RuleId

MAX_SHOWN_BREACHES = 5
MAX_VALUE_LENGTH, MAX_RULE_LENGTH, MAX_HINT_LENGTH = 60, 160, 500
NOT_ONE_EXPRESSION = "it does more than select one expression"
TOO_MANY_RULES = "the rules of the schema are too many for one function"
_FLAG = "__flag__"
_Refusing: TypeAlias = RowRule | SearchRule


@dataclass(frozen=True)
class Breach:
    """One rule broken by one row.

    Attributes
    ----------
    row
        The number of the row, from 0.
    rule
        The broken rule.
    values
        The values that the rule reads, by column; values of personal columns are left out.
    """

    row: int
    rule: RuleId
    values: dict[str, Any]


@dataclass(frozen=True)
class Breaches:
    """The rules of one contract that rows break.

    Attributes
    ----------
    contract
        The name of the contract.
    count
        How many rules are broken, summed over the rows.
    first
        The first few breaches.
    allowed
        For each column of `first`, which values are allowed.
    """

    contract: str
    count: int
    first: tuple[Breach, ...]
    allowed: tuple[str, ...]

    def explain(self, *, show_values: bool = True) -> str:
        """Describe the breaches in a few lines."""
        lines = [f"the request breaks schema {self.contract}:"]
        for breach in self.first:
            values = f", given {_shown(breach.values)}" if show_values and breach.values else ""
            lines.append(f"  row {breach.row:,}: {breach.rule.name:.{MAX_RULE_LENGTH}}{values}")
        if self.count > len(self.first):
            lines.append(f"  … and {self.count - len(self.first):,} more")
        return "\n".join(lines)


class CompiledRules(NamedTuple):
    """Rules of a contract as plain Python.

    Attributes
    ----------
    broken
        Tells for each rule whether a row breaks it. None: no rule is compiled so.
    required
        Positions of further values that must not be missing, of dtypes that are not read in Python.
    others
        The rules that only Polars decides.
    """

    broken: RowFunction | None
    required: list[int]
    others: tuple[_Refusing, ...]

    def are_kept_by(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Return whether all rows keep the rules. False: Polars decides, also about values of another type."""
        for row in rows:
            if self.broken is not None:
                broken = self.broken.compute(row)
                if broken is None or True in broken:
                    return False
            for position in self.required:
                if row[position] is None:
                    return False
        return True


class RowGate:
    """The gate of one contract, compiled once.

    Parameters
    ----------
    contract
        What each row must keep.

    Attributes
    ----------
    rules
        The rules that can refuse a row.
    compiled
        Those that plain Python decides, compiled at the first use: other callers check frames alone.

    Raises
    ------
    DefinitionError
        If a check cannot be compiled.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._schema = dict(contract.schema)
        plan = cast_plan(contract.schema, contract, dataset=contract.name)
        rules = rules_of(contract, fallible=fallible_columns(plan))
        only_warns = contract.policy.on_invalid == "warn"
        self.rules = () if only_warns else tuple(rule for rule in rules if _refuses_rows(rule))
        self._values = {name: [cast_column.value.alias(name)] for name, cast_column in plan.items()}
        self._columns_of: dict[str, str] = {}
        for name, cast_column in plan.items():
            if cast_column.failed is not None:
                self._values[name].append(cast_column.failed.alias(failed_column(name)))
                self._columns_of[failed_column(name)] = name
        self._personal = contract.personal

    def admit(self, rows: Sequence[Sequence[Any]], *, show_values: bool = True) -> None:
        """Accept rows, or raise.

        Parameters
        ----------
        rows
            Each in the order of the contract's columns, each value of Python's type for its dtype.
        show_values
            False: the message leaves out values.

        Raises
        ------
        ContractError
            If a row breaks a rule (names row, rule and value, and what is allowed), or a value is
            of another type.
        """
        refuse([self.breaches(rows)], show_values=show_values)

    def breaches(self, rows: Sequence[Sequence[Any]]) -> Breaches | None:
        """Return which rules rows break, None if none.

        Raises
        ------
        ContractError
            If a value is of another type.
        """
        compiled = self.compiled
        rules = compiled.others if compiled.are_kept_by(rows) else self.rules
        if not rules or not rows:
            return None
        needed = {name for rule in rules for name in self._columns_read(rule)}
        schema = {name: dtype for name, dtype in self._schema.items() if name in needed}
        columns = {name: [row[i] for row in rows] for i, name in enumerate(self._schema) if name in needed}
        try:
            frame = pl.DataFrame(columns, schema=schema)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            raise ContractError(
                f"the request breaks schema {self.contract.name}: a value is of another type: {reason(error)}",
                hint=f"give {', '.join(f'{name} as {dtype}' for name, dtype in schema.items())}",
            ) from error
        return self._breaches_in(frame, rules)

    def breaches_in(self, frame: pl.DataFrame) -> Breaches | None:
        """Return which rules the rows of a frame in the contract's dtypes break, None if none."""
        return self._breaches_in(frame, self.rules) if self.rules and frame.height else None

    def broken_rows(self, frame: pl.DataFrame) -> list[tuple[tuple[str, ...], pl.Series]]:
        """Return, for each of `rules`, the columns that it reads and which rows of a frame break it.

        The frame has all columns of the contract, in its dtypes.
        """
        flags = self._flags_of(frame, self.rules)
        return [(self._columns_read(rule), flag) for rule, flag in zip(self.rules, flags, strict=True)]

    @cached_property
    def compiled(self) -> CompiledRules:
        """The rules that plain Python decides for a row as Polars does."""
        rules = [rule for rule in self.rules if isinstance(rule, RowRule)]
        function = self._function(rules)
        if isinstance(function, NotCompiled):
            rules = [rule for rule in rules if isinstance(self._function([rule]), RowFunction)]
            function = self._function(rules)
        compiled = function if isinstance(function, RowFunction) else None
        rules = [] if compiled is None else rules
        # Whether a value of any dtype is missing.
        required = [rule for rule in self.rules if rule.id.kind == "not_null" and rule not in rules]
        return CompiledRules(
            compiled,
            [list(self._schema).index(rule.id.columns[0]) for rule in required],
            tuple(rule for rule in self.rules if rule not in (*rules, *required)),
        )

    @property
    def uncompiled(self) -> dict[RuleId, str]:
        """Why plain Python does not decide a rule, for each rule that only Polars decides."""
        reasons = {}
        for rule in self.compiled.others:
            function = (
                self._function([rule]) if isinstance(rule, RowRule) else NotCompiled(NOT_ONE_EXPRESSION)
            )
            reasons[rule.id] = function.reason if isinstance(function, NotCompiled) else TOO_MANY_RULES
        return reasons

    def _function(self, rules: Sequence[RowRule]) -> RowFunction | NotCompiled:
        """Return the function of a row that tells which rules it breaks."""
        if not rules:
            return NotCompiled("there are no rules")
        names = {name for rule in rules for name in self._columns_read(rule)}
        values = [value for name in self._schema if name in names for value in self._values[name]]
        broken = [rule.broken.fill_null(value=False).alias(f"{i}") for i, rule in enumerate(rules)]
        return row_function(lambda rows: rows.select(values).select(broken), pl.Schema(self._schema))

    def _breaches_in(self, frame: pl.DataFrame, rules: tuple[_Refusing, ...]) -> Breaches | None:
        flags = self._flags_of(frame, rules)
        count = sum(flags.sum().row(0))
        if not count:
            return None
        places = sorted(
            (row, i)
            for i, flag in enumerate(flags)
            for row in flag.arg_true().head(MAX_SHOWN_BREACHES).to_list()
        )[:MAX_SHOWN_BREACHES]
        first = tuple(Breach(row, rules[i].id, self._values_of(frame, row, rules[i])) for row, i in places)
        columns = dict.fromkeys(name for _, i in places for name in rules[i].id.columns)
        return Breaches(self.contract.name, count, first, tuple(map(self._allowed, columns)))

    def _flags_of(self, frame: pl.DataFrame, rules: tuple[_Refusing, ...]) -> pl.DataFrame:
        return _flags(
            frame.lazy()
            .select(
                expression
                for name in self._schema
                if name in frame.columns
                for expression in self._values[name]
            )
            .with_row_index(ROW),
            rules,
        )

    def _values_of(self, frame: pl.DataFrame, row: int, rule: _Refusing) -> dict[str, Any]:
        return {name: frame[name][row] for name in self._columns_read(rule) if name not in self._personal}

    def _allowed(self, column: str) -> str:
        conditions = [rule.id.condition for rule in self.rules if rule.id.columns == (column,)]
        return f"{column}: {', '.join([str(self._schema[column]), *conditions])}"

    def _columns_read(self, rule: _Refusing) -> tuple[str, ...]:
        read = rule.broken.meta.root_names() if isinstance(rule, RowRule) else []
        names = [self._columns_of.get(name, name) for name in read]
        is_known = names and all(name in self._schema for name in names)
        # A selector names no columns: it may read any.
        return tuple(dict.fromkeys(names)) if is_known else tuple(self._schema)


@lru_cache(maxsize=256)
def row_gate(contract: Contract) -> RowGate:
    """Return the gate of a contract, compiled at the first call."""
    return RowGate(contract)


def refuse(breaches: Iterable[Breaches | None], *, show_values: bool = True) -> None:
    """Raise the breaches of one or several contracts as one error; without breaches, do nothing.

    Raises
    ------
    ContractError
        Names rows, rules and values, and what is allowed.
    """
    broken = [of_contract for of_contract in breaches if of_contract is not None]
    if broken:
        allowed = "; ".join(dict.fromkeys(column for of_contract in broken for column in of_contract.allowed))
        raise ContractError(
            "\n".join(of_contract.explain(show_values=show_values) for of_contract in broken),
            hint=f"allowed are {allowed:.{MAX_HINT_LENGTH}}"
            if allowed
            else f"see schema {broken[0].contract}",
        )


def _shown(values: dict[str, Any]) -> str:
    if len(values) == 1:
        return f"{value_text(next(iter(values.values()))):.{MAX_VALUE_LENGTH}}"
    pairs = ", ".join(f"{name} = {value_text(value):.{MAX_VALUE_LENGTH}}" for name, value in values.items())
    return f"{pairs:.{3 * MAX_VALUE_LENGTH}}"


def _flags(rows: pl.LazyFrame, rules: tuple[_Refusing, ...]) -> pl.DataFrame:
    """Return a boolean column for each rule, True in the rows that break it."""
    flagged = rows.with_columns(
        rule.broken.fill_null(value=False).alias(f"{_FLAG}{i}")
        for i, rule in enumerate(rules)
        if isinstance(rule, RowRule)
    ).collect()
    # A check that does more than select one expression runs separately.
    results = {i: rule.search(flagged.lazy()) for i, rule in enumerate(rules) if isinstance(rule, SearchRule)}
    return flagged.with_columns(
        pl.col(ROW).is_in(broken.implode()).alias(f"{_FLAG}{i}")
        for i, broken in results.items()
        if isinstance(broken, pl.Series)
    ).select(f"{_FLAG}{i}" for i in range(len(rules)))


def _refuses_rows(rule: Rule) -> TypeGuard[_Refusing]:
    """Return whether a rule can refuse a single row, by that row alone."""
    if rule.warning or isinstance(rule, DatasetRule):
        return False
    if isinstance(rule, SearchRule):
        return not (rule.whole_dataset or rule.compares_rows)
    return not _reads_others(rule.broken)


def _reads_others(expression: pl.Expr) -> bool:
    inputs = expression.meta.pop()
    # An expression without columns has literals or elements of a list: only `len` reads all rows.
    if (expression.meta.root_names() or not inputs) and not _is_row_by_row(expression):
        return True
    return any(map(_reads_others, inputs))


def _is_row_by_row(expression: pl.Expr) -> bool:
    try:
        return expression.meta.is_row_separable()
    except pl.exceptions.PolarsError:  # a user's own function, elements of a list, a selector
        return True
