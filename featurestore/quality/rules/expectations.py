"""What a dataset promises as a whole: volume, freshness, missing shares, categories, coverage, sums, labels.

Declared beside the rows' own rules, in the schema's ``Config.metadata``: ``expect`` (a broken one refuses the dataset)
and ``expect_or_warn`` (it is counted). Each becomes a rule of the gate, told by the same query as all others.

======================  =============================================================================
``rows``                ``(least, most)``; None: no bound, here and below
``volume``              share, such as 0.5: rows may differ so much from the median of the runs before
``fresh``               ``{column: timedelta}``: the newest moment is no older
``null_share``          ``{column: most}``: share of rows, 0 to 1, in which it may be missing
``distinct``            ``{column: (least, most)}`` different values, null not counted
``mean``                ``{column: (least, most)}``
``covers``              ``{column: [value, ...]}``: each of these occurs
``share``               ``{column: {value: (least, most)}}``: share of the rows that have it
``segments``            ``{(column, ...): least}``: each combination of their values has so many rows
``gap``                 ``{column: timedelta}`` or ``{column: (timedelta, [column, ...])}``: the longest time
                        between two moments that follow each other (of each group)
``increasing``          ``[column, ...]``: no row lies before the one above it
``one_label``           ``{column: ([column, ...], most)}``: share of rows whose inputs have several labels
``references``          ``{column: (dataset, column)}``: each value that is there is there too, and a row that
                        refers to nothing is a bad row; with a third value, the share of such rows that is
                        tolerated. Tuples of columns for keys of several
``sums_agree``          ``{column: (dataset, column, most)}``, or with a list of columns in common as fourth:
                        the sums (of each group) differ by no more than this share
======================  =============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.call import reason
from featurestore.errors import DefinitionError
from featurestore.quality.rules.contract_rules import ROW, Rule
from featurestore.quality.rules.cross_dataset import orphans, sums_differ, too_many_orphans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from featurestore.definitions.contract import Contract

MIN_RUNS = 3
DECLARED = {"expect": False, "expect_or_warn": True}


@dataclass(frozen=True)
class ValidationContext:
    """What is known besides a dataset's rows.

    Attributes
    ----------
    now
        The moment that stands for now; None: not known.
    dataset
        Scans another dataset by its name; None: no other is at hand.
    volumes
        Rows of the runs before, oldest first.
    """

    now: datetime | None = None
    dataset: Callable[[str], pl.LazyFrame] | None = None
    volumes: Sequence[int] = ()

    def lacks(self, kind: str) -> str | None:
        """Say what is lacking for an expectation; None: nothing."""
        if kind == "fresh" and self.now is None:
            return "no moment stands for now"
        if kind == "volume" and len(self.volumes) < MIN_RUNS:
            return f"fewer than {MIN_RUNS} runs before"
        if kind in ("references", "sums_agree") and self.dataset is None:
            return "no other dataset is at hand"
        return None

    def other(self, name: str, columns: Mapping[str, str]) -> pl.LazyFrame:
        """Scan columns of another dataset, by new names."""
        assert self.dataset is not None  # noqa: S101 - `lacks` is asked first
        return self.dataset(name).select(pl.col(there).alias(here) for there, here in columns.items())

    def unevaluated(self, contract: Contract) -> dict[str, str]:
        """Name the expectations of a contract that cannot be evaluated here, and why: they are no passes."""
        kinds = (kind for declared in DECLARED for kind in contract.metadata.get(declared, {}))
        return {kind: lacking for kind in kinds if (lacking := self.lacks(kind))}


NO_CONTEXT = ValidationContext()


def referenced(contract: Contract) -> tuple[str, ...]:
    """Name the other datasets that a contract speaks of."""
    tables = [contract.metadata.get(declared, {}) for declared in DECLARED]
    named = [
        value[0]
        for t in tables
        for kind in ("references", "sums_agree")
        for value in t.get(kind, {}).values()
    ]
    return tuple(dict.fromkeys(named))


def expectations_of(contract: Contract, context: ValidationContext = NO_CONTEXT) -> tuple[Rule, ...]:
    """Compile what a contract expects of the dataset as a whole.

    Raises
    ------
    DefinitionError
        If an expectation is not known, speaks of a column that is not there, or has no such form.
    """
    rules: list[Rule] = []
    for declared, warning in DECLARED.items():
        if not isinstance(contract.metadata.get(declared, {}), dict):
            raise DefinitionError(f"schema {contract.name}: {declared} is not a dictionary of expectations")
        for kind, wanted in contract.metadata.get(declared, {}).items():
            where = f"schema {contract.name}, {declared} {kind!r}"
            if kind not in _KINDS:
                raise DefinitionError(
                    f"{where}: there is no such expectation", hint=f"known: {', '.join(_KINDS)}"
                )
            try:
                made = list(_KINDS[kind](wanted, context))
            except (TypeError, ValueError, AttributeError, IndexError) as error:
                raise DefinitionError(
                    f"{where}: {wanted!r} has not its form ({error})",
                    hint="pydoc featurestore.quality.rules.expectations shows it",
                ) from error
            made = [rule for rule in made if contract.left_out.isdisjoint(rule.columns)]
            for rule in made:
                for column in rule.columns:
                    if column not in contract:
                        raise DefinitionError(f"{where}: there is no column {column!r}")
            if context.lacks(kind) is None:
                rules += [replace(rule, warning=True) if warning else rule for rule in made]
    return tuple(rules)


def check_expectations(contract: Contract, dataset: Callable[[str], pl.LazyFrame]) -> None:
    """Evaluate what a contract expects over no rows, so that what does not fit its columns is found without data.

    Parameters
    ----------
    dataset
        Gives other datasets by name; no rows of them are needed.

    Raises
    ------
    DefinitionError
        As of `expectations_of`; or if an expectation does not fit the dtypes, here or in another dataset.
    """
    around = ValidationContext(datetime.now(UTC), dataset, (1,) * MIN_RUNS)
    rows = contract.empty().with_row_index(ROW)
    for rule in expectations_of(contract, around):
        try:
            if rule.find is not None:
                rule.find(rows)
            elif rule.measure is not None:
                rule.outside(rows.select(rule.measure).collect().item())
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise DefinitionError(
                f"schema {contract.name}, expectation {rule.name}: {reason(error)}",
                hint="it does not fit the columns that it speaks of",
            ) from error


def _measured(
    name: str, columns: tuple[str, ...], measure: pl.Expr, least: Any = None, most: Any = None
) -> Rule:
    return Rule(name, columns, measure=measure, least=least, most=most, scalar=True)


def _rows(bounds: tuple[int | None, int | None], _: ValidationContext) -> Iterator[Rule]:
    least, most = bounds
    yield _measured(f"rows({least}, {most})", (), pl.len(), least, most)


def _volume(share: float, near: ValidationContext) -> Iterator[Rule]:
    usual = median(near.volumes) if near.volumes else 0
    name = f"volume(within {float(share):.0%} of {usual:,.0f})"
    yield _measured(name, (), pl.len(), usual * (1 - share), usual * (1 + share))


def _fresh(wanted: Mapping[str, timedelta], near: ValidationContext) -> Iterator[Rule]:
    for column, most in wanted.items():
        age = pl.lit(near.now).cast(pl.Datetime("us", "UTC")) - pl.col(column).max()
        yield _measured(f"{column}.fresh({_span(most)})", (column,), age, None, most)


def _null_share(shares: Mapping[str, float], _: ValidationContext) -> Iterator[Rule]:
    for column, most in shares.items():
        share = pl.col(column).null_count() / pl.len()
        yield _measured(f"{column}.null_share({most})", (column,), share, None, most)


def _distinct(bounds: Mapping[str, tuple[int | None, int | None]], _: ValidationContext) -> Iterator[Rule]:
    for column, (least, most) in bounds.items():
        count = pl.col(column).drop_nulls().n_unique()
        yield _measured(f"{column}.distinct({least}, {most})", (column,), count, least, most)


def _mean(bounds: Mapping[str, tuple[float | None, float | None]], _: ValidationContext) -> Iterator[Rule]:
    for column, (least, most) in bounds.items():
        yield _measured(f"{column}.mean({least}, {most})", (column,), pl.col(column).mean(), least, most)


def _covers(wanted: Mapping[str, Sequence[Any]], _: ValidationContext) -> Iterator[Rule]:
    for column, values in wanted.items():
        for value in values:
            there = (pl.col(column) == value).sum()
            yield _measured(f"{column}.covers({value!r})", (column,), there, 1)


def _share(
    wanted: Mapping[str, Mapping[Any, tuple[float | None, float | None]]], _: ValidationContext
) -> Iterator[Rule]:
    for column, values in wanted.items():
        for value, (least, most) in values.items():
            share = (pl.col(column) == value).sum() / pl.len()
            yield _measured(f"{column}.share({value!r}, {least}, {most})", (column,), share, least, most)


def _segments(wanted: Mapping[tuple[str, ...], int], _: ValidationContext) -> Iterator[Rule]:
    for columns, least in wanted.items():
        name, together = ", ".join(columns), pl.struct(columns)
        possible = pl.lit(1)
        for column in columns:
            possible = possible * pl.col(column).n_unique()
        yield _measured(
            f"segments({name}).missing(0)", tuple(columns), possible - together.n_unique(), None, 0
        )
        smallest = together.unique_counts().min()
        yield _measured(f"segments({name}).rows({least})", tuple(columns), smallest, least)


def _gap(
    wanted: Mapping[str, timedelta | tuple[timedelta, list[str]]], _: ValidationContext
) -> Iterator[Rule]:
    for column, bound in wanted.items():
        most, groups = (bound, []) if isinstance(bound, timedelta) else bound
        longest = pl.col(column).sort().diff()
        if groups:
            longest = longest.over(groups, mapping_strategy="explode")
        by = f" by {', '.join(groups)}" if groups else ""
        # One moment alone leaves no gap.
        measure = longest.max().fill_null(pl.duration())
        yield _measured(f"{column}.gap({_span(most)}{by})", (column, *groups), measure, None, most)


def _increasing(columns: Sequence[str], _: ValidationContext) -> Iterator[Rule]:
    for column in columns:
        back = (pl.col(column) < pl.col(column).shift()).sum()
        yield _measured(f"{column}.increasing", (column,), back, None, 0)


def _one_label(wanted: Mapping[str, tuple[list[str], float]], _: ValidationContext) -> Iterator[Rule]:
    for label, (inputs, most) in wanted.items():
        mixed = (pl.col(label).n_unique().over(inputs) > 1).mean()
        name = f"{label}.one_label({', '.join(inputs)}, {most})"
        yield _measured(name, (label, *inputs), mixed, None, most)


def _references(wanted: Mapping[Any, tuple[Any, ...]], near: ValidationContext) -> Iterator[Rule]:
    for here, (other, there, *tolerated) in wanted.items():
        columns, keys = _names(here), _names(there)
        if len(columns) != len(keys):
            raise ValueError(f"{here} and {there} are not as many columns")
        where = partial(near.other, other, dict(zip(keys, columns, strict=True)))
        name = f"{', '.join(columns)}.references({other}: {', '.join(keys)}"
        if tolerated:
            [most] = tolerated
            find: Any = partial(too_many_orphans, known=where, columns=columns, most=most)
            yield Rule(f"{name}, {most})", columns, find=find, scalar=True)
        else:
            yield Rule(f"{name})", columns, find=partial(orphans, known=where, columns=columns), lasting=True)


def _sums_agree(wanted: Mapping[str, tuple[Any, ...]], near: ValidationContext) -> Iterator[Rule]:
    for here, (other, there, most, *by) in wanted.items():
        groups = tuple(by[0]) if by else ()
        theirs = partial(near.other, other, {there: here} | {name: name for name in groups})
        find = partial(sums_differ, theirs=theirs, column=here, groups=groups, most=most)
        named = f" by {', '.join(groups)}" if groups else ""
        name = f"{here}.sums_agree({other}: {there}, {most}{named})"
        yield Rule(name, (here, *groups), find=find, scalar=True)


def _names(columns: Any) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _span(time: timedelta) -> str:
    if not isinstance(time, timedelta):
        raise TypeError(f"{time!r} is no timedelta")
    return str(time)


_KINDS: dict[str, Callable[[Any, ValidationContext], Iterator[Rule]]] = {
    "rows": _rows,
    "volume": _volume,
    "fresh": _fresh,
    "null_share": _null_share,
    "distinct": _distinct,
    "mean": _mean,
    "covers": _covers,
    "share": _share,
    "segments": _segments,
    "gap": _gap,
    "increasing": _increasing,
    "one_label": _one_label,
    "references": _references,
    "sums_agree": _sums_agree,
}
