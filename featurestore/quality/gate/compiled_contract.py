"""A contract compiled for a frame: its rows, the rules that they break, and all counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.quality.gate.casting import CastColumn, cast_plan, fallible_columns
from featurestore.quality.gate.partition import (
    SOURCE_FILE,
    SOURCE_ROW,
    Partition,
    original,
    partition,
)
from featurestore.quality.gate.verdict import Measurement
from featurestore.quality.rules.contract_rules import failed_column, rounded_column, rules_of
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext, expectations_of
from featurestore.quality.rules.rule import ROW, DatasetRule, RowRule, Rule, SearchRule, covers_dataset
from featurestore.quality.rules.rule_id import RuleId
from featurestore.storage.csv_files import INCOMPLETE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.definitions.contract import Contract
    from featurestore.quality.rules.rule import SearchResult

MAX_EXAMPLES = 3
COMPLETE_ROW = RuleId("complete_row")
_FLAG = "__flag__"


@dataclass(frozen=True)
class Counts:
    """What one query counts of a frame.

    Attributes
    ----------
    broken
        For each rule how many rows break it; for a rule over the whole dataset 1 or 0.
    measured
        For each `DatasetRule` with bounds, by its position among the rules, the measured value.
    nulls
        Null values by column, of the nullable columns.
    rounded
        Values in which a fraction was rounded, by column; of the columns that are cast to a shorter float.
    """

    rows: int
    broken: tuple[int, ...]
    measured: Mapping[int, Any]
    nulls: Mapping[str, int]
    rounded: Mapping[str, int]


@dataclass(frozen=True)
class CompiledContract:
    """A contract, compiled for a frame by `compile_contract`.

    Attributes
    ----------
    frame
        The rows before casting. A frame in memory is checked once, and its flags are kept (a bit
        for each row and rule). A query runs again for each question, in bounded memory.
    columns
        The columns of `frame`.
    plan
        How the columns are cast to the contract's dtypes.
    unevaluated
        The expectations that cannot be evaluated, and what is missing.
    """

    contract: Contract
    frame: pl.DataFrame | pl.LazyFrame
    columns: tuple[str, ...]
    plan: Mapping[str, CastColumn]
    rules: tuple[Rule, ...]
    unevaluated: Mapping[RuleId, str]

    @property
    def _rounding(self) -> Mapping[str, pl.Expr]:
        """The columns whose cast may round a fraction, and where it does."""
        flags = {name: cast_column.rounded for name, cast_column in self.plan.items()}
        return {name: flag for name, flag in flags.items() if flag is not None}

    @cached_property
    def rows(self) -> pl.LazyFrame:
        """The numbered rows: the cast columns, where casting failed, and the unchanged columns."""
        values = [cast_column.value.alias(name) for name, cast_column in self.plan.items()]
        failed = [
            cast_column.failed.alias(failed_column(name))
            for name, cast_column in self.plan.items()
            if cast_column.failed is not None
        ]
        rounded = [flag.alias(rounded_column(name)) for name, flag in self._rounding.items()]
        unchanged = [pl.col(name).alias(original(name)) for name in self.columns]
        marks = [rule.broken for rule in self.rules if rule.id == COMPLETE_ROW and isinstance(rule, RowRule)]
        return (
            self.frame.lazy().with_row_index(ROW).select(ROW, *unchanged, *values, *failed, *rounded, *marks)
        )

    @cached_property
    def search_results(self) -> Mapping[int, SearchResult]:
        """What each `SearchRule` finds, by its position among the rules."""
        return {
            i: rule.search(self.rows) for i, rule in enumerate(self.rules) if isinstance(rule, SearchRule)
        }

    @cached_property
    def flagged(self) -> pl.LazyFrame:
        """The rows, and for each rule that blames rows a boolean column."""
        flags = [
            rule.broken.fill_null(value=False).alias(_flag(i))
            for i, rule in enumerate(self.rules)
            if isinstance(rule, RowRule)
        ]
        flags += [
            pl.col(ROW).is_in(rows.implode()).alias(_flag(i))
            for i, rows in self.search_results.items()
            if isinstance(rows, pl.Series) and not rows.is_empty()
        ]
        flagged = self.rows.with_columns(flags)
        in_memory = isinstance(self.frame, pl.DataFrame)
        return flagged.collect(engine="streaming").lazy() if in_memory else flagged

    @cached_property
    def counts(self) -> Counts:
        """All counts and measured values, of one query."""
        aggregates = {"rows": pl.len()}
        for i, rule in enumerate(self.rules):
            if isinstance(rule, RowRule):
                aggregates[_flag(i)] = pl.col(_flag(i)).sum()
            elif isinstance(rule, DatasetRule):
                aggregates[_flag(i)] = rule.aggregate
        nullable = [column.name for column in self.contract.columns if column.nullable]
        for name in nullable:
            aggregates[f"null {name}"] = pl.col(name).null_count()
        for name in self._rounding:
            aggregates[rounded_column(name)] = pl.col(rounded_column(name)).sum()
        query = self.flagged.select(expression.alias(name) for name, expression in aggregates.items())
        values = query.collect(engine="streaming").row(0, named=True)
        return Counts(
            rows=values["rows"],
            broken=tuple(self._broken(i, rule, values.get(_flag(i))) for i, rule in enumerate(self.rules)),
            measured={
                i: values[_flag(i)]
                for i, rule in enumerate(self.rules)
                if isinstance(rule, DatasetRule) and rule.bounds is not None
            },
            nulls={name: values[f"null {name}"] for name in nullable},
            rounded={name: values[rounded_column(name)] for name in self._rounding},
        )

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """The measured values of the rules over the whole dataset."""
        return tuple(
            Measurement(rule=self.rules[i].id, value=value) for i, value in self.counts.measured.items()
        )

    @cached_property
    def partition(self) -> Partition:
        """The rows that pass, and those that break a rule that blames rows and is not a warning."""
        warns = self.contract.policy.on_invalid == "warn"
        flags = {
            _flag(i): rule.id.name
            for i, rule in enumerate(self.rules)
            if self.counts.broken[i] and not (warns or rule.warning or self.covers_dataset(i))
        }
        return partition(
            self.flagged if flags else self.rows,
            flags,
            original_columns=self.columns,
            names=self.contract.schema.names(),
        )

    def covers_dataset(self, i: int) -> bool:
        """Return whether the rule at a position blames no row."""
        return covers_dataset(self.rules[i]) or isinstance(self.search_results.get(i), bool)

    def examples(self, i: int) -> pl.LazyFrame:
        """Take the first unchanged values that break a rule that blames rows."""
        bad = self.flagged.filter(pl.col(_flag(i)))
        return bad.select(original(name) for name in self.rules[i].id.columns).head(MAX_EXAMPLES)

    def after_removal(self) -> CompiledContract:
        """Compile the contract for the rows that pass.

        A rule over groups may have held only because of the bad rows.

        Only rules whose result may differ without the bad rows are checked again, and no warnings.
        """
        return CompiledContract(
            contract=self.contract,
            frame=self.partition.passing,
            columns=tuple(self.plan),
            plan={name: CastColumn(pl.col(name), None) for name in self.plan},
            rules=tuple(rule for rule in self.rules if not (_is_independent(rule) or rule.warning)),
            unevaluated={},
        )

    def _broken(self, i: int, rule: Rule, value: Any) -> int:
        if isinstance(rule, RowRule):
            return int(value)
        if isinstance(rule, DatasetRule):
            return int(rule.is_broken(value))
        result = self.search_results[i]
        broken = int(result) if isinstance(result, bool) else result.len()
        return min(broken, 1) if rule.whole_dataset else broken


def compile_contract(
    frame: pl.DataFrame | pl.LazyFrame,
    contract: Contract,
    *,
    dataset: str,
    extra_rules: tuple[Rule, ...] = (),
    context: ValidationContext = NO_CONTEXT,
) -> CompiledContract:
    """Compile a contract for a frame.

    Parameters
    ----------
    dataset
        The dataset's name, for messages.
    extra_rules
        Rules beyond those of the contract.

    Raises
    ------
    ContractError
        If columns are missing, unexpected or of a wrong dtype.
    DefinitionError
        If a check or an expectation of the contract cannot be used.
    """
    schema = frame.collect_schema()
    columns = pl.Schema(
        {
            name: dtype
            for name, dtype in schema.items()
            if name in contract or name not in (SOURCE_FILE, SOURCE_ROW, INCOMPLETE)
        }
    )
    plan = cast_plan(columns, contract, dataset=dataset)
    expectations = expectations_of(contract, context)
    return CompiledContract(
        contract=contract,
        frame=frame,
        columns=tuple(name for name in schema if name != INCOMPLETE),
        plan=plan,
        rules=(
            *rules_of(contract, fallible=fallible_columns(plan)),
            *([RowRule(COMPLETE_ROW, pl.col(INCOMPLETE), independent=True)] if INCOMPLETE in schema else []),
            *expectations.rules,
            *extra_rules,
        ),
        unevaluated=expectations.unevaluated,
    )


def _flag(i: int) -> str:
    return f"{_FLAG}{i}"


def _is_independent(rule: Rule) -> bool:
    return not isinstance(rule, DatasetRule) and rule.independent
