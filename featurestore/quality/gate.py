"""The gate: every dataset passes it, on its values, before anything downstream may read it.

Three verbs: `inspect` tells, `is_valid` answers, `admit` lets good rows through or raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.quality.conform import conform
from featurestore.quality.rules import Rule, lost_column, rules_of
from featurestore.quality.verdict import Decision, RuleCount, Verdict

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract

ROW_NUMBER = "source_row"
BROKEN_RULES = "broken_rules"
MAX_EXAMPLES = 3
_FLAG = "__flag__"


@dataclass(frozen=True)
class Inspection:
    """What the gate saw.

    Attributes
    ----------
    passed
        The rows that keep the contract, in its columns and dtypes, in the order given.
    quarantined
        The other rows as they came, with ``source_row`` (counted from 1) and ``broken_rules``.
    verdict
        The counts.
    """

    passed: pl.DataFrame
    quarantined: pl.DataFrame
    verdict: Verdict


def inspect(
    frame: pl.LazyFrame,
    contract: Contract,
    *,
    dataset: str,
    further: tuple[Rule, ...] = (),
    may_be_empty: bool = False,
) -> Inspection:
    """Check a frame against its contract, on its values.

    Parameters
    ----------
    frame
        The rows, in any dtypes that can become the contract's without loss (text is parsed).
    contract
        What is promised.
    dataset
        Named in messages and in the verdict.
    further
        Rules besides the contract's own.
    may_be_empty
        False: no rows at all is a broken promise.

    Raises
    ------
    ContractError
        If columns are missing, unexpected or of a wrong kind: then no row can be judged.
    """
    given = frame.collect()
    plan = conform(given.schema, contract, dataset=dataset)
    rules = (*rules_of(contract, plan), *further)
    conformed = given.lazy().select(
        *(conformed.value.alias(name) for name, conformed in plan.items()),
        *(c.lost.alias(lost_column(name)) for name, c in plan.items() if c.lost is not None),
    )
    flagged = conformed.with_columns(
        (pl.col(lost_column(rule.columns[0])) if rule.early else rule.broken)
        .fill_null(value=False)
        .alias(f"{_FLAG}{i}")
        for i, rule in enumerate(rules)
    ).collect()
    flags = flagged.select(pl.col(f"^{_FLAG}.*$"))
    warn_only = contract.policy.on_invalid == "warn"
    blaming = [
        f"{_FLAG}{i}" for i, rule in enumerate(rules) if not (rule.warning or rule.scalar or warn_only)
    ]
    bad = flags.select(pl.any_horizontal(pl.lit(value=False), *blaming).alias("bad")).to_series()
    if bad.len() != given.height:  # no rule blames a row
        bad = pl.Series("bad", [False]).new_from_index(0, given.height)
    passed = flagged.filter(~bad).select(contract.schema.names())
    counts = _count(given, flags, rules)
    scalars = {"not_empty", *(rule.name for rule in rules if rule.scalar)}
    if given.is_empty() and not may_be_empty:
        counts = (RuleCount(rule="not_empty", columns=(), warning=False, broken=1),)
    refused_whole = any(count.rule in scalars and not count.warning for count in counts)
    if bad.any() and (again := _broken_without(passed, rules)):
        counts, refused_whole = (*again, *counts), True
    return Inspection(
        passed=passed,
        quarantined=_quarantine(given, flags, bad, rules, blaming),
        verdict=Verdict(
            dataset=dataset,
            contract=contract.name,
            decision=_decide(contract, given.height, int(bad.sum()), whole=refused_whole and not warn_only),
            rows_in=given.height,
            rows_passed=passed.height,
            rows_quarantined=int(bad.sum()),
            rules=counts,
            nulls={name: n for name, n in passed.null_count().row(0, named=True).items() if n},
        ),
    )


def is_valid(frame: pl.LazyFrame, contract: Contract, *, dataset: str) -> bool:
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
    verdict = inspection.verdict
    if verdict.decision == "refused" or (whole and verdict.rows_quarantined):
        raise ContractError(
            f"{verdict.dataset}: refused: {verdict.rows_quarantined:,} of {verdict.rows_in:,} rows break schema "
            f"{verdict.contract}\n{verdict.explain()}",
            verdict=verdict,
        )
    return inspection.passed


def _decide(contract: Contract, total: int, bad: int, *, whole: bool) -> Decision:
    if whole:
        return "refused"
    if bad == 0:
        return "passed"
    policy = contract.policy
    if policy.on_invalid == "refuse" or bad / total > policy.tolerance or bad == total:
        return "refused"
    return "quarantined"


def _count(given: pl.DataFrame, flags: pl.DataFrame, rules: tuple[Rule, ...]) -> tuple[RuleCount, ...]:
    if given.is_empty():
        return ()
    totals = flags.sum().row(0)
    counts = []
    for i, (rule, total) in enumerate(zip(rules, totals, strict=True)):
        if total:
            columns = [name for name in rule.columns if name in given.columns]
            examples = (
                given.filter(flags[f"{_FLAG}{i}"]).select(columns).head(MAX_EXAMPLES) if columns else None
            )
            counts.append(
                RuleCount(
                    rule=rule.name,
                    columns=rule.columns,
                    warning=rule.warning,
                    broken=1 if rule.scalar else total,
                    examples=tuple(_show(row) for row in examples.rows()) if examples is not None else (),
                )
            )
    return tuple(sorted(counts, key=lambda count: (count.warning, -count.broken)))


def _broken_without(passed: pl.DataFrame, rules: tuple[Rule, ...]) -> tuple[RuleCount, ...]:
    """Check the rows that pass once more: a rule over groups may have held only thanks to the others."""
    open_rules = [rule for rule in rules if not (rule.lasting or rule.warning)]
    if not open_rules or passed.is_empty():
        return ()
    flags = passed.lazy().select(
        rule.broken.fill_null(value=False).sum().alias(f"{_FLAG}{i}") for i, rule in enumerate(open_rules)
    )
    totals = flags.collect().row(0)
    return tuple(
        RuleCount(
            rule=f"{rule.name}, once the other rows are gone",
            columns=rule.columns,
            warning=False,
            broken=1 if rule.scalar else total,
        )
        for rule, total in zip(open_rules, totals, strict=True)
        if total
    )


def _show(row: tuple[object, ...]) -> str:
    return repr(row[0]) if len(row) == 1 else repr(row)


def _quarantine(
    given: pl.DataFrame, flags: pl.DataFrame, bad: pl.Series, rules: tuple[Rule, ...], blaming: list[str]
) -> pl.DataFrame:
    if not bad.any():
        empty = given.clear()
        return empty.with_columns(
            pl.lit(None, dtype=pl.UInt32).alias(ROW_NUMBER),
            pl.lit(None, dtype=pl.List(pl.String)).alias(BROKEN_RULES),
        )
    names = [
        pl.when(pl.col(flag)).then(pl.lit(rules[int(flag.removeprefix(_FLAG))].name, dtype=pl.String))
        for flag in blaming
    ]
    reasons = (
        flags.filter(bad).select(pl.concat_list(names).list.drop_nulls().alias(BROKEN_RULES)).to_series()
    )
    return given.with_row_index(ROW_NUMBER, offset=1).filter(bad).with_columns(reasons)
