"""Compile each kind of expectation into rules; the module `expectations` documents the kinds."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.quality.rules.cross_dataset import orphans, sums_differ, too_many_orphans
from featurestore.quality.rules.rule import Bounds, DatasetRule, SearchRule
from featurestore.quality.rules.rule_id import RuleId
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from featurestore.quality.rules.expectations import ValidationContext


def _bounded(
    kind: str,
    columns: tuple[str, ...],
    parameters: tuple[Any, ...],
    aggregate: pl.Expr,
    *,
    minimum: Any = None,
    maximum: Any = None,
) -> DatasetRule:
    rule_id = RuleId(kind, columns, tuple(map(str, parameters)))
    return DatasetRule(rule_id, aggregate, Bounds(minimum, maximum))


def _rows(bounds: tuple[int | None, int | None], _: ValidationContext) -> Iterator[DatasetRule]:
    minimum, maximum = bounds
    yield _bounded("rows", (), (minimum, maximum), pl.len(), minimum=minimum, maximum=maximum)


def _volume(share: float, context: ValidationContext) -> Iterator[DatasetRule]:
    usual = median(context.volumes) if context.volumes else 0
    bounds = Bounds(usual * (1 - share), usual * (1 + share))
    yield DatasetRule(
        RuleId("volume", (), (f"within {float(share):.0%} of the median",)),
        pl.len(),
        bounds,
        expected=f"{bounds.minimum:,.0f} to {bounds.maximum:,.0f}",
    )


def _fresh(ages: Mapping[str, timedelta], context: ValidationContext) -> Iterator[DatasetRule]:
    for column, maximum in ages.items():
        age = pl.lit(context.now).cast(pl.Datetime("us", "UTC")) - pl.col(column).max()
        yield _bounded("fresh", (column,), (_duration(maximum),), age, maximum=maximum)


def _null_share(shares: Mapping[str, float], _: ValidationContext) -> Iterator[DatasetRule]:
    for column, maximum in shares.items():
        share = pl.col(column).null_count() / pl.len()
        yield _bounded("null_share", (column,), (maximum,), share, maximum=maximum)


def _distinct(
    bounds: Mapping[str, tuple[int | None, int | None]], _: ValidationContext
) -> Iterator[DatasetRule]:
    for column, (minimum, maximum) in bounds.items():
        count = pl.col(column).drop_nulls().n_unique()
        yield _bounded("distinct", (column,), (minimum, maximum), count, minimum=minimum, maximum=maximum)


def _mean(
    bounds: Mapping[str, tuple[float | None, float | None]], _: ValidationContext
) -> Iterator[DatasetRule]:
    for column, (minimum, maximum) in bounds.items():
        yield _bounded(
            "mean", (column,), (minimum, maximum), pl.col(column).mean(), minimum=minimum, maximum=maximum
        )


def _covers(values_of: Mapping[str, Sequence[Any]], _: ValidationContext) -> Iterator[DatasetRule]:
    for column, values in values_of.items():
        for value in values:
            count = (pl.col(column) == value).sum()
            yield _bounded("covers", (column,), (repr(value),), count, minimum=1)


def _share(
    shares: Mapping[str, Mapping[Any, tuple[float | None, float | None]]], _: ValidationContext
) -> Iterator[DatasetRule]:
    for column, values in shares.items():
        for value, (minimum, maximum) in values.items():
            share = (pl.col(column) == value).sum() / pl.len()
            parameters = (repr(value), minimum, maximum)
            yield _bounded("share", (column,), parameters, share, minimum=minimum, maximum=maximum)


def _segments(minimums: Mapping[tuple[str, ...], int], _: ValidationContext) -> Iterator[DatasetRule]:
    for columns, minimum in minimums.items():
        segment, possible = pl.struct(columns), pl.lit(1)
        for column in columns:
            possible = possible * pl.col(column).n_unique()
        missing = possible - segment.n_unique()
        yield _bounded("missing_segments", tuple(columns), (0,), missing, maximum=0)
        smallest = segment.unique_counts().min()
        yield _bounded("segment_rows", tuple(columns), (minimum,), smallest, minimum=minimum)


def _gap(
    gaps: Mapping[str, timedelta | tuple[timedelta, list[str]]], _: ValidationContext
) -> Iterator[DatasetRule]:
    for column, gap in gaps.items():
        maximum, groups = (gap, []) if isinstance(gap, timedelta) else gap
        steps = pl.col(column).sort().diff()
        if groups:
            steps = steps.over(groups, mapping_strategy="explode")
        # A single timestamp has no gap.
        longest = steps.max().fill_null(pl.duration())
        yield _bounded("gap", (column, *groups), (_duration(maximum),), longest, maximum=maximum)


def _increasing(columns: Sequence[str], _: ValidationContext) -> Iterator[DatasetRule]:
    for column in columns:
        decreases = (pl.col(column) < pl.col(column).shift()).sum()
        yield _bounded("increasing", (column,), (), decreases, maximum=0)


def _one_label(labels: Mapping[str, tuple[list[str], float]], _: ValidationContext) -> Iterator[DatasetRule]:
    for label, (inputs, maximum) in labels.items():
        mixed = (pl.col(label).n_unique().over(inputs) > 1).mean()
        yield _bounded("one_label", (label, *inputs), (maximum,), mixed, maximum=maximum)


def _references(
    references: Mapping[Any, tuple[Any, ...]], context: ValidationContext
) -> Iterator[SearchRule]:
    for subject, (dataset, target, *tolerance) in references.items():
        columns, keys = _names(subject), _names(target)
        if len(columns) != len(keys):
            raise ValueError(
                f"{counted(len(columns), 'column')} {subject} cannot refer to {counted(len(keys), 'column')} {target}"
            )
        scan = partial(context.scan, dataset, dict(zip(keys, columns, strict=True)))
        parameters = (f"{dataset}: {', '.join(keys)}", *map(str, tolerance))
        rule_id = RuleId("references", columns, parameters)
        if tolerance:
            [max_share] = tolerance
            search: Any = partial(too_many_orphans, referenced=scan, columns=columns, max_share=max_share)
            yield SearchRule(rule_id, search, whole_dataset=True)
        else:
            search = partial(orphans, referenced=scan, columns=columns)
            yield SearchRule(rule_id, search, independent=True)


def _sums_agree(sums: Mapping[str, tuple[Any, ...]], context: ValidationContext) -> Iterator[SearchRule]:
    for column, (dataset, other_column, max_share, *by) in sums.items():
        groups = tuple(by[0]) if by else ()
        counterpart = partial(context.scan, dataset, {other_column: column} | {name: name for name in groups})
        search = partial(
            sums_differ, counterpart=counterpart, column=column, groups=groups, max_share=max_share
        )
        rule_id = RuleId("sums_agree", (column, *groups), (f"{dataset}: {other_column}", str(max_share)))
        yield SearchRule(rule_id, search, whole_dataset=True)


def _names(columns: Any) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _duration(duration: timedelta) -> str:
    if not isinstance(duration, timedelta):
        raise TypeError(f"{duration!r} is not a timedelta")
    return str(duration)


KINDS: dict[str, Callable[[Any, ValidationContext], Iterator[DatasetRule | SearchRule]]] = {
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
