"""The gate: every dataset passes it, on its values, before anything downstream may read it.

Three verbs: `inspect` returns rows and verdict, `is_valid` answers, `admit` returns the good rows
or raises. One streamed query over the data counts what breaks every rule; only where something
does, a second one collects the bad rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl
from msgspec import UNSET

from featurestore.errors import ContractError
from featurestore.quality.gate.compiled_contract import CompiledContract, compile_contract
from featurestore.quality.gate.personal import redact
from featurestore.quality.gate.verdict import Decision, RuleCount, Unevaluated, Verdict
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext
from featurestore.quality.rules.rule import DatasetRule
from featurestore.quality.rules.rule_id import RuleId
from featurestore.values.printable import printable, value_text
from featurestore.values.wording import counted, named_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.rules.rule import Rule

NOT_EMPTY = RuleId("not_empty")


@dataclass(frozen=True)
class Inspection:
    """What the gate found in a frame.

    Attributes
    ----------
    passing
        The rows that pass, in the contract's columns and dtypes, in the given order.
    failing
        The other rows, unchanged, with ``source_row`` (counted from 1), ``source_file`` where the
        frame has it, and ``broken_rules``.
    verdict
        The decision and the counts.
    """

    passing: pl.LazyFrame
    failing: pl.LazyFrame
    verdict: Verdict

    @cached_property
    def passed(self) -> pl.DataFrame:
        """The rows of `passing`, in memory."""
        return self.passing.collect(engine="streaming")

    @cached_property
    def quarantined(self) -> pl.DataFrame:
        """The rows of `failing`, in memory."""
        return self.failing.collect(engine="streaming")


def inspect(
    frame: pl.DataFrame | pl.LazyFrame,
    contract: Contract,
    *,
    dataset: str,
    extra_rules: tuple[Rule, ...] = (),
    may_be_empty: bool = False,
    context: ValidationContext = NO_CONTEXT,
) -> Inspection:
    """Check a frame against its contract, on its values.

    Parameters
    ----------
    frame
        The rows, in any dtypes that can be cast to the contract's without loss (text is parsed). A
        query is streamed once if all rows are good, and three times if some are not; a frame in
        memory is read once.
    contract
        What the frame must keep.
    dataset
        The dataset's name, for messages and the verdict.
    extra_rules
        Rules beyond those of the contract.
    may_be_empty
        False: a frame without rows is refused.
    context
        What the check knows beyond the rows: the current time, other datasets, the dataset's own
        past.

    Raises
    ------
    ContractError
        If columns are missing, unexpected or of a wrong dtype; then no row can be checked.
    DefinitionError
        If a check or an expectation of the contract cannot be used.
    """
    compiled = compile_contract(frame, contract, dataset=dataset, extra_rules=extra_rules, context=context)
    rows, failed, nulls = compiled.counts.rows, compiled.partition.failed, compiled.counts.nulls
    if rows:
        broken = _rule_counts(compiled)
    else:
        empty = RuleCount(rule=NOT_EMPTY, warning=False, broken=1, whole_dataset=True)
        broken = () if may_be_empty else (empty,)
    if failed:
        remaining = compiled.after_removal()
        nulls = remaining.counts.nulls
        broken = (*_rule_counts_after_removal(remaining), *broken)
    verdict = Verdict(
        dataset=dataset,
        contract=contract.name,
        decision=_decide(contract, rows, failed, broken),
        rows_in=rows,
        rows_passed=rows - failed,
        rows_quarantined=failed,
        rules=broken,
        nulls={name: count for name, count in nulls.items() if count},
        rounded={name: n for name, n in compiled.counts.rounded.items() if n} or UNSET,
        measured=compiled.measurements if rows else (),
        unevaluated=tuple(
            Unevaluated(rule=rule, reason=reason) for rule, reason in compiled.unevaluated.items()
        ),
        checked=(*(rule.id for rule in compiled.rules), *(() if may_be_empty else (NOT_EMPTY,))),
    )
    return Inspection(compiled.partition.passing, compiled.partition.failing, redact(verdict, contract))


def is_valid(frame: pl.DataFrame | pl.LazyFrame, contract: Contract, *, dataset: str) -> bool:
    """Return whether every row of a frame keeps its contract."""
    try:
        verdict = inspect(frame, contract, dataset=dataset).verdict
    except ContractError:
        return False
    return verdict.decision == "passed" and all(count.warning for count in verdict.rules)


def admit(inspection: Inspection, *, tolerate: bool = True) -> pl.DataFrame:
    """Return the rows that passed.

    Parameters
    ----------
    tolerate
        False: refuse the dataset for any bad row, even if its contract tolerates some.

    Raises
    ------
    ContractError
        If the dataset is refused; carries the verdict.
    """
    require(inspection.verdict, tolerate=tolerate)
    return inspection.passed


def require(verdict: Verdict, *, tolerate: bool = True) -> None:
    """Raise if a dataset is refused; parameters and errors are those of `admit`."""
    if verdict.decision == "refused" and verdict.rows_in == 0:
        raise ContractError(
            f"{verdict.dataset}: refused: it has no rows; schema {verdict.contract} expects at least one\n{verdict.explain()}",
            hint="check the file that it is read from, or the filters of its function",
            verdict=verdict,
        )
    if verdict.decision == "refused" or (verdict.rows_quarantined and not tolerate):
        raise ContractError(
            f"{verdict.dataset}: refused: {verdict.rows_quarantined:,} of {counted(verdict.rows_in, 'row')} break schema "
            f"{verdict.contract}\n{verdict.explain()}",
            verdict=verdict,
        )


def _rule_counts(compiled: CompiledContract) -> tuple[RuleCount, ...]:
    """Count the broken rules: errors first, the most often broken first; with examples."""
    broken = [i for i, count in enumerate(compiled.counts.broken) if count]
    rules = compiled.rules
    with_examples = [i for i in broken if rules[i].id.columns and not compiled.covers_dataset(i)]
    frames = pl.collect_all([compiled.examples(i) for i in with_examples])
    examples = {
        i: _as_text(frame, rules[i].id.columns) for i, frame in zip(with_examples, frames, strict=True)
    }
    counts = [
        RuleCount(
            rule=rules[i].id,
            warning=rules[i].warning,
            broken=compiled.counts.broken[i],
            examples=examples.get(i) or _measured_text(compiled, i),
            whole_dataset=compiled.covers_dataset(i),
        )
        for i in broken
    ]
    return tuple(sorted(counts, key=lambda count: (count.warning, -count.broken)))


def _rule_counts_after_removal(remaining: CompiledContract) -> tuple[RuleCount, ...]:
    """Count the rules that the passing rows break once the bad rows are removed."""
    if not remaining.counts.rows:
        return ()
    return tuple(
        RuleCount(
            rule=rule.id,
            warning=False,
            broken=count,
            examples=_measured_text(remaining, i),
            whole_dataset=remaining.covers_dataset(i),
            after_removal=True,
        )
        for i, (rule, count) in enumerate(zip(remaining.rules, remaining.counts.broken, strict=True))
        if count
    )


def _decide(contract: Contract, rows: int, failed: int, broken: tuple[RuleCount, ...]) -> Decision:
    policy = contract.policy
    blames_dataset = any(
        (count.whole_dataset or count.after_removal) and not count.warning for count in broken
    )
    if blames_dataset and policy.on_invalid != "warn":
        return "refused"
    if failed == 0:
        return "passed"
    if policy.on_invalid == "refuse" or failed / rows > policy.tolerance or failed == rows:
        return "refused"
    return "quarantined"


def _measured_text(compiled: CompiledContract, i: int) -> tuple[str, ...]:
    rule = compiled.rules[i]
    if not isinstance(rule, DatasetRule) or rule.bounds is None:
        return ()
    value = compiled.counts.measured[i]
    text = value_text(value)
    return (f"{text}, expected {rule.expected}" if rule.expected else text,)


def _as_text(values: pl.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    rows = (tuple(map(value_text, row)) for row in printable(values).rows())
    return tuple(
        row[0] if len(row) == 1 else named_values(dict(zip(names, row, strict=True)), names, ())
        for row in rows
    )
