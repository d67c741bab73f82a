"""The gate: every dataset passes it, on its values, before anything downstream may read it.

Three verbs: `inspect` tells, `is_valid` answers, `admit` lets good rows through or raises. One streamed query over the
data counts what breaks every rule; only where something does, bad rows are looked up in a second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl
from msgspec import UNSET
from polars import selectors

from featurestore.errors import ContractError
from featurestore.quality.gate.casting import CastColumn, cast_plan
from featurestore.quality.gate.compiled_contract import FLAG, SOURCE_FILE, SOURCE_ROW, CompiledContract
from featurestore.quality.gate.verdict import Decision, RuleCount, Verdict
from featurestore.quality.rules.contract_rules import Rule, rules_of
from featurestore.quality.rules.expectations import NO_CONTEXT, ValidationContext, expectations_of

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract


@dataclass(frozen=True)
class Inspection:
    """What the gate saw.

    Attributes
    ----------
    passing
        The rows that keep the contract, in its columns and dtypes, in the order given.
    failing
        The other rows as they came, with ``source_row`` (counted from 1), ``source_file`` where there are many, and
        ``broken_rules``.
    verdict
        The counts.
    """

    passing: pl.LazyFrame
    failing: pl.LazyFrame
    verdict: Verdict

    @cached_property
    def passed(self) -> pl.DataFrame:
        """The rows that keep the contract, in memory."""
        return self.passing.collect(engine="streaming")

    @cached_property
    def quarantined(self) -> pl.DataFrame:
        """The other rows, in memory."""
        return self.failing.collect(engine="streaming")


def inspect(
    frame: pl.DataFrame | pl.LazyFrame,
    contract: Contract,
    *,
    dataset: str,
    further: tuple[Rule, ...] = (),
    may_be_empty: bool = False,
    context: ValidationContext = NO_CONTEXT,
) -> Inspection:
    """Check a frame against its contract, on its values.

    Parameters
    ----------
    frame
        The rows, in any dtypes that can become the contract's without loss (text is parsed). A query is streamed, once
        where all rows are good and three times where some are not; a frame in memory is read once.
    contract
        What is promised.
    dataset
        Named in messages and in the verdict.
    further
        Rules besides the contract's own.
    may_be_empty
        False: no rows at all is a broken promise.
    surroundings
        What is known besides the rows: the moment, other datasets, the dataset's own past.

    Raises
    ------
    ContractError
        If columns are missing, unexpected or of a wrong kind: then no row can be judged.
    """
    gate = compile_contract(frame, contract, dataset=dataset, further=further, context=context)
    rows, counts, measured, nulls = _count(gate)
    passing, failing, bad = gate.split(counts)
    broken = _broken_rules(gate, counts, measured)
    if rows == 0:
        empty = RuleCount(rule="not_empty", columns=(), warning=False, broken=1, whole=True)
        broken = () if may_be_empty else (empty,)
    scalars = {"not_empty", *(rule.name for rule in gate.rules if rule.scalar)}
    refused = any(count.rule in scalars and not count.warning for count in broken)
    if bad:
        again, nulls = _check_again(gate, passing)
        broken, refused = (*again, *broken), refused or bool(again)
    if contract.policy.on_invalid == "warn":
        refused = False
    verdict = Verdict(
        dataset=dataset,
        contract=contract.name,
        decision=_decide(contract, rows, bad, whole=refused),
        rows_in=rows,
        rows_passed=rows - bad,
        rows_quarantined=bad,
        rules=broken,
        nulls={name: n for name, n in nulls.items() if n},
        measured={name: value for name, value in measured.items() if rows},
        unevaluated=context.unevaluated(contract),
        checked=(*(rule.name for rule in gate.rules), *(() if may_be_empty else ("not_empty",))),
    )
    return Inspection(passing, failing, verdict)


def compile_contract(
    frame: pl.DataFrame | pl.LazyFrame,
    contract: Contract,
    *,
    dataset: str,
    further: tuple[Rule, ...] = (),
    context: ValidationContext = NO_CONTEXT,
) -> CompiledContract:
    """Compile a contract for a frame; raises as `inspect` does."""
    schema = frame.collect_schema()
    judged = pl.Schema(
        {n: d for n, d in schema.items() if n in contract or n not in (SOURCE_FILE, SOURCE_ROW)}
    )
    plan = cast_plan(judged, contract, dataset=dataset)
    rules = (*rules_of(contract, plan), *expectations_of(contract, context), *further)
    return CompiledContract(contract, frame, tuple(schema), plan, rules)


def is_valid(frame: pl.DataFrame | pl.LazyFrame, contract: Contract, *, dataset: str) -> bool:
    """Say whether every row of a frame keeps its contract."""
    try:
        verdict = inspect(frame, contract, dataset=dataset).verdict
    except ContractError:
        return False
    return verdict.decision == "passed" and not any(not count.warning for count in verdict.rules)


def admit(inspection: Inspection, *, whole: bool = False) -> pl.DataFrame:
    """Return the rows that passed.

    Parameters
    ----------
    whole
        True: refuse the dataset for any bad row, whatever its contract tolerates.

    Raises
    ------
    ContractError
        If the dataset is refused; carries the verdict.
    """
    require(inspection.verdict, whole=whole)
    return inspection.passed


def require(verdict: Verdict, *, whole: bool = False) -> None:
    """Raise as `admit` does if a dataset is refused."""
    if verdict.decision == "refused" or (whole and verdict.rows_quarantined):
        raise ContractError(
            f"{verdict.dataset}: refused: {verdict.rows_quarantined:,} of {verdict.rows_in:,} rows break schema "
            f"{verdict.contract}\n{verdict.explain()}",
            verdict=verdict,
        )


def _count(gate: CompiledContract) -> tuple[int, list[int], dict[str, Any], dict[str, int]]:
    """Count, in one query, the rows, what breaks each rule, what is measured, and what is missing."""
    wanted = {"rows": pl.len()}
    for i, rule in enumerate(gate.rules):
        if rule.measure is not None:
            wanted[f"measure {i}"] = rule.measure
        elif rule.broken is not None:
            flag = rule.broken.fill_null(value=False) if rule.scalar else pl.col(f"{FLAG}{i}")
            wanted[f"broken {i}"] = flag.sum()
    for column in gate.contract.columns:
        if column.nullable:
            wanted[f"null {column.name}"] = pl.col(column.name).null_count()
    query = gate.judged.select(expression.alias(name) for name, expression in wanted.items())
    told = query.collect(engine="streaming").row(0, named=True)
    counts, measured = [], {}
    for i, rule in enumerate(gate.rules):
        if rule.measure is not None:
            measured[rule.name] = told[f"measure {i}"]
            counts.append(int(rule.outside(measured[rule.name])))
        elif rule.find is not None:
            found = gate.found[i]
            counts.append(int(found) if isinstance(found, bool) else found.len())
        else:
            counts.append(int(told[f"broken {i}"]))
    nulls = {c.name: told[f"null {c.name}"] for c in gate.contract.columns if c.nullable}
    return told["rows"], counts, measured, nulls


def _broken_rules(
    gate: CompiledContract, counts: list[int], measured: dict[str, Any]
) -> tuple[RuleCount, ...]:
    broken = [i for i, count in enumerate(counts) if count]
    personal = {column.name for column in gate.contract.columns if column.personal}
    shown = [
        i
        for i in broken
        if gate.rules[i].columns and not gate.rules[i].scalar and not personal & {*gate.rules[i].columns}
    ]
    examples = dict(zip(shown, pl.collect_all([gate.examples(i) for i in shown]), strict=True))
    told = []
    for i in broken:
        rule = gate.rules[i]
        values = _examples(examples[i]) if i in examples else ()
        if rule.name in measured:
            values = (_show((measured[rule.name],)),)
        told.append(
            RuleCount(
                rule=rule.name,
                columns=rule.columns,
                warning=rule.warning,
                broken=1 if rule.scalar else counts[i],
                examples=values,
                whole=rule.scalar or UNSET,
            )
        )
    return tuple(sorted(told, key=lambda count: (count.warning, -count.broken)))


def _check_again(
    gate: CompiledContract, passing: pl.LazyFrame
) -> tuple[tuple[RuleCount, ...], dict[str, int]]:
    """Check the rows that pass once more: a rule over groups may have held only thanks to the others."""
    rules = tuple(rule for rule in gate.rules if not (rule.lasting or rule.warning))
    plan = {name: CastColumn(pl.col(name), None) for name in gate.plan}
    again = CompiledContract(gate.contract, passing, tuple(gate.plan), plan, rules)
    rows, counts, measured, nulls = _count(again)
    if not rows:
        return (), nulls
    return tuple(
        RuleCount(
            rule=f"{rule.name}, once the other rows are gone",
            columns=rule.columns,
            warning=False,
            broken=1 if rule.scalar else count,
            examples=(_show((measured[rule.name],)),) if rule.name in measured else (),
            whole=rule.scalar or UNSET,
        )
        for rule, count in zip(rules, counts, strict=True)
        if count
    ), nulls


def _decide(contract: Contract, total: int, bad: int, *, whole: bool) -> Decision:
    if whole:
        return "refused"
    if bad == 0:
        return "passed"
    policy = contract.policy
    if policy.on_invalid == "refuse" or bad / total > policy.tolerance or bad == total:
        return "refused"
    return "quarantined"


def _examples(values: pl.DataFrame) -> tuple[str, ...]:
    try:
        rows = values.rows()
    except OverflowError:  # moments that Python does not know, as the numbers that they are
        rows = values.with_columns(selectors.temporal().to_physical()).rows()
    return tuple(_show(row) for row in rows)


def _show(row: tuple[object, ...]) -> str:
    return repr(row[0]) if len(row) == 1 else repr(row)
