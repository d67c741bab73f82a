"""Expectations of a whole dataset, such as row counts, freshness, null shares and references.

A schema declares them in its ``Config.metadata``: ``expect`` (a broken expectation refuses the
dataset) and ``expect_or_warn`` (it is counted). Each becomes a rule of the gate and runs in the
same query as all others.

==============  =============================================================================
``rows``        ``(minimum, maximum)``; None: no bound, here and below
``volume``      share, such as 0.5: how far the number of rows may be from the median of the
                earlier runs
``fresh``       ``{column: timedelta}``: the largest age of the newest timestamp
``null_share``  ``{column: maximum}``: share of rows, 0 to 1, in which the value may be null
``distinct``    ``{column: (minimum, maximum)}``: number of different values, without null
``mean``        ``{column: (minimum, maximum)}``
``covers``      ``{column: [value, ...]}``: each of these values occurs
``share``       ``{column: {value: (minimum, maximum)}}``: share of the rows that have the value
``segments``    ``{(column, ...): minimum}``: each combination of values has at least that many rows
``gap``         ``{column: timedelta}`` or ``{column: (timedelta, [column, ...])}``: the longest
                time between two successive timestamps (of each group)
``increasing``  ``[column, ...]``: no row has a smaller value than the row before it
``one_label``   ``{column: ([column, ...], maximum)}``: share of rows whose inputs have several
                labels
``references``  ``{column: (dataset, column)}``: each value that is not null occurs in the other
                dataset, otherwise its row is a bad row; with a third value, the tolerated share of
                such rows, no row is blamed. Tuples of columns for keys of several columns
``sums_agree``  ``{column: (dataset, column, maximum)}``, or with a list of shared columns as fourth
                value: the sums (of each group) differ by no more than this share
==============  =============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.call import reason
from featurestore.errors import DefinitionError
from featurestore.quality.rules.expectation_kinds import KINDS
from featurestore.quality.rules.rule import ROW, DatasetRule, Rule, SearchRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.rules.rule_id import RuleId

MIN_RUNS = 3
# Where expectations are declared in a schema's metadata: whether a broken one only warns.
DECLARATIONS = {"expect": False, "expect_or_warn": True}


@dataclass(frozen=True)
class ValidationContext:
    """What a check knows beyond its rows.

    Attributes
    ----------
    now
        The current time, in UTC; None: not known.
    scan_dataset
        Scans another dataset by its name; None: no other dataset can be read.
    volumes
        Numbers of rows of the earlier runs, oldest first.
    """

    now: datetime | None = None
    scan_dataset: Callable[[str], pl.LazyFrame] | None = None
    volumes: Sequence[int] = ()

    def missing_for(self, kind: str) -> str | None:
        """Return what is missing to evaluate a kind of expectation; None: nothing."""
        if kind == "fresh" and self.now is None:
            return "the current time is not known"
        if kind == "volume" and len(self.volumes) < MIN_RUNS:
            return f"fewer than {MIN_RUNS} earlier runs"
        if kind in ("references", "sums_agree") and self.scan_dataset is None:
            return "other datasets cannot be read"
        return None

    def scan(self, dataset: str, columns: Mapping[str, str]) -> pl.LazyFrame:
        """Scan columns of another dataset, renamed from the keys of `columns` to its values."""
        assert self.scan_dataset is not None  # noqa: S101 - `missing_for` is asked first
        return self.scan_dataset(dataset).select(pl.col(old).alias(new) for old, new in columns.items())


NO_CONTEXT = ValidationContext()


@dataclass(frozen=True)
class Expectations:
    """The expectations of a contract.

    Attributes
    ----------
    rules
        Those that can be evaluated.
    unevaluated
        For each of the others, what is missing; they do not count as kept.
    """

    rules: tuple[Rule, ...]
    unevaluated: Mapping[RuleId, str]


def referenced(contract: Contract) -> tuple[str, ...]:
    """Name the other datasets that the expectations of a contract read."""
    declared = [contract.metadata.get(name, {}) for name in DECLARATIONS]
    names = [
        value[0]
        for expectations in declared
        for kind in ("references", "sums_agree")
        for value in expectations.get(kind, {}).values()
    ]
    return tuple(dict.fromkeys(names))


def expectations_of(contract: Contract, context: ValidationContext = NO_CONTEXT) -> Expectations:
    """Compile the expectations of a contract.

    Raises
    ------
    DefinitionError
        If an expectation is unknown, names a missing column, or does not have the documented form.
    """
    rules: list[Rule] = []
    unevaluated: dict[RuleId, str] = {}
    for name, warning in DECLARATIONS.items():
        declared = contract.metadata.get(name, {})
        if not isinstance(declared, dict):
            raise DefinitionError(
                f"schema {contract.name}: {name} is {declared!r}; expected a dictionary of expectations",
                hint=f'example: {name} = {{"rows": (1, None)}}',
            )
        for kind, declaration in declared.items():
            compiled = _compile(contract, name, kind, declaration, context)
            missing = context.missing_for(kind)
            if missing is None:
                rules += [replace(rule, warning=True) if warning else rule for rule in compiled]
            else:
                unevaluated |= dict.fromkeys((rule.id for rule in compiled), missing)
    return Expectations(tuple(rules), unevaluated)


def check_expectations(contract: Contract, scan_dataset: Callable[[str], pl.LazyFrame]) -> None:
    """Evaluate the expectations of a contract over no rows, to find wrong definitions.

    Parameters
    ----------
    scan_dataset
        Returns another dataset by its name; it needs no rows.

    Raises
    ------
    DefinitionError
        If `expectations_of` raises, or an expectation does not fit the dtypes of this or another
        dataset.
    """
    context = ValidationContext(datetime.now(UTC), scan_dataset, (1,) * MIN_RUNS)
    rows = contract.empty().with_row_index(ROW)
    for rule in expectations_of(contract, context).rules:
        try:
            if isinstance(rule, SearchRule):
                rule.search(rows)
            elif isinstance(rule, DatasetRule):
                rule.is_broken(rows.select(rule.aggregate).collect().item())
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise DefinitionError(
                f"schema {contract.name}, expectation {rule.id.name}: {reason(error)}",
                hint="the expectation does not fit the dtypes of its columns",
            ) from error


def _compile(
    contract: Contract, name: str, kind: str, declaration: Any, context: ValidationContext
) -> list[DatasetRule | SearchRule]:
    where = f"schema {contract.name}, {name} {kind!r}"
    if kind not in KINDS:
        raise DefinitionError(
            f"{where}: there is no such expectation", hint=f"known expectations: {', '.join(KINDS)}"
        )
    try:
        rules = list(KINDS[kind](declaration, context))
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise DefinitionError(
            f"{where}: {declaration!r} does not have the expected form ({error})",
            hint="`pydoc featurestore.quality.rules.expectations` shows the forms",
        ) from error
    rules = [rule for rule in rules if contract.left_out.isdisjoint(rule.id.columns)]
    for rule in rules:
        for column in rule.id.columns:
            if column not in contract:
                raise DefinitionError(
                    f"{where}: there is no column {column!r}",
                    hint=f"columns of the schema: {', '.join(contract.schema.names())}",
                )
    return rules
