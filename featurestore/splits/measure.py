"""What a split holds, and how far its parts overlap: rows, classes, entities and time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.labels.classes import combinations, each_class, is_multi_label, may_have_classes
from featurestore.splits.declare import SPLIT, TRAIN, RandomSplit
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.escapes import one_line
from featurestore.values.wording import PERSONAL, counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from featurestore.splits.declare import SplitStrategy

MAX_CLASSES: Final = 20
MAX_LISTED: Final = 10
# A share is far from the declared one if it differs by more than this part of it.
MAX_SHARE_ERROR: Final = 0.5


class EntityOverlap(msgspec.Struct, frozen=True):
    """How many rows of a split have an entity that also has a row in train.

    Attributes
    ----------
    keys
        The keys of the entity.
    share
        Share of the rows of the split, 0 to 1.
    """

    keys: tuple[str, ...]
    share: float


class SplitPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One split of a training set.

    Attributes
    ----------
    labels
        Row counts by class of the label. Empty: the label is a quantity.
    digest
        Digest of the content of its rows, with features.
    first, last
        The first and the last timestamp.
    entity_overlap
        For each entity: the share of the rows whose entity also has a row in train. Empty for train.
    time_overlap
        The share of the rows of train that are later than the first row of this split. 0 for train.
    """

    rows: int
    labels: dict[str, int]
    digest: str
    first: datetime
    last: datetime
    entity_overlap: tuple[EntityOverlap, ...] = ()
    time_overlap: float = 0.0


class SplitError(ContractError):
    """A split leaves rows or a class out that it must have.

    Attributes
    ----------
    split
        The split that lacks them.
    column, missing
        The column whose values are missing in the split, and these values as text. None and empty: the split has no row.
    rows
        The number of rows of each split.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        split: str,
        rows: dict[str, int],
        column: str | None = None,
        missing: Sequence[str] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.split = split
        self.rows = rows
        self.column = column
        self.missing = tuple(missing)


def has_classes(label: pl.Series) -> bool:
    """Return whether a label names classes: text, booleans, integers with at most 20 values, or lists of several classes."""
    if is_multi_label(label.dtype):
        return True
    return may_have_classes(label.dtype) and (not label.dtype.is_integer() or label.n_unique() <= MAX_CLASSES)


def require_every_split(
    rows: pl.DataFrame,
    strategies: Sequence[SplitStrategy],
    label: str,
    *,
    where: str,
    personal: Collection[str] = (),
) -> None:
    """Refuse a split without rows, or without a class of the label or a value to stratify by.

    Parameters
    ----------
    rows
        Rows with their split.
    where
        What is split, for the message.
    personal
        Columns whose values the message must not show.

    Raises
    ------
    SplitError
        If one is refused.
    """
    names = strategies[0].names
    counts = dict(rows.group_by(SPLIT).len().rows())
    heights = {name: counts.get(name, 0) for name in names}
    shown = ", ".join(f"{name} {height:,}" for name, height in heights.items())
    for name, height in heights.items():
        if not height:
            raise SplitError(
                f"{where}: split {name!r} has no rows; rows by split: {shown}",
                hint="give it a larger share, another seed, or an earlier timestamp",
                split=name,
                rows=heights,
            )
    stratify = [c for s in strategies if isinstance(s, RandomSplit) for c in s.stratify]
    for needed, parts in _strata(rows, label, stratify):
        every = parts.select(needed).unique(maintain_order=True)
        for name in names:
            missing = every.join(
                parts.filter(pl.col(SPLIT) == name), on=needed, how="anti", nulls_equal=True
            ).sort(needed)
            if missing.height:
                texts = _texts(missing, personal)
                what = " and ".join(map(repr, needed))
                raise SplitError(
                    f"{where}: split {name!r} lacks {counted(missing.height, 'value')} of {what}: {_listing(texts)}; "
                    f"rows by split: {shown}",
                    hint="merge or leave out rare values, give the split a larger share, or use another seed or timestamp; declare a "
                    "label that is a quantity as a float",
                    split=name,
                    rows=heights,
                    column=", ".join(needed),
                    missing=texts,
                )


def require_every_class(
    before: pl.Series, after: pl.Series, *, where: str, personal: Collection[str] = ()
) -> None:
    """Refuse a sample of train that has no row of a class that train has.

    Parameters
    ----------
    before, after
        The label in train and in its sample.
    where, personal
        As in `require_every_split`.

    Raises
    ------
    SplitError
        If a class is lost.
    """
    if not has_classes(before):
        return
    label, rows = before.name, after.len()
    present = each_class(after).to_frame()
    lost = each_class(before).to_frame().drop_nulls().unique().join(present, on=label, how="anti").sort(label)
    if lost.height:
        texts = _texts(lost, personal)
        raise SplitError(
            f"{where}: the sample of train lacks {counted(lost.height, 'value')} of {label!r}: {_listing(texts)}; it has "
            f"{rows:,} of {counted(before.len(), 'row')}",
            hint=f"give the sample a larger share, or keep a row of each class: random_sample(share=..., stratify={label!r}, ...)",
            split=TRAIN,
            rows={TRAIN: rows},
            column=label,
            missing=texts,
        )


def _texts(missing: pl.DataFrame, personal: Collection[str]) -> list[str]:
    """Write the values of each row, without personal ones."""
    return [
        ", ".join(PERSONAL if column in personal else one_line(value) for column, value in row.items())
        for row in missing.iter_rows(named=True)
    ]


def _listing(texts: Sequence[str]) -> str:
    return ", ".join(texts[:MAX_LISTED]) + (" …" if len(texts) > MAX_LISTED else "")


def _strata(rows: pl.DataFrame, label: str, stratify: list[str]) -> Iterator[tuple[list[str], pl.DataFrame]]:
    """Yield columns whose values must be in every split, and the rows with these values and their split."""
    is_multi = is_multi_label(rows.schema[label])
    by_class = has_classes(rows[label])
    if by_class:
        classes = rows.select(SPLIT, label)
        # A row without a label is in no class.
        yield [label], (classes.explode(label, empty_as_null=False) if is_multi else classes).drop_nulls()
    # A label of several classes has more combinations than classes: they count where they are declared.
    if stratify and (is_multi or not (by_class and stratify == [label])):
        yield stratify, rows.with_columns(combinations(rows[label])) if is_multi else rows


def overlap_of_entities(rows: pl.DataFrame, split: str, keys: Sequence[str]) -> EntityOverlap:
    """Measure how many rows of a split have an entity that is in train. A missing key does not name an entity."""
    part = rows.filter(pl.col(SPLIT) == split).select(keys).drop_nulls()
    train = rows.filter(pl.col(SPLIT) == TRAIN).select(keys)
    share = part.join(train, on=keys, how="semi").height / part.height if part.height else 0.0
    return EntityOverlap(tuple(keys), share)


def overlap_of_time(rows: pl.DataFrame, split: str) -> float:
    """Return the share of the rows of train that are later than the first row of a split."""
    first = rows.filter(pl.col(SPLIT) == split)[EVENT_TIMESTAMP].min()
    train = rows.filter(pl.col(SPLIT) == TRAIN)
    return train.filter(pl.col(EVENT_TIMESTAMP) > first).height / train.height if train.height else 0.0


def warnings_of(
    parts: dict[str, SplitPart], strategies: Sequence[SplitStrategy], *, train_rows: int | None = None
) -> Iterator[str]:
    """Say where rows that are split by chance overlap, and where shares are far from those that were declared.

    With an overlap, the model may know the entity, or the future, of a test row. Groups of other sizes move the shares.

    Parameters
    ----------
    train_rows
        The rows of train before they were sampled. None: they are not sampled.
    """
    if not all(isinstance(strategy, RandomSplit) for strategy in strategies):
        return
    if parts and len(strategies) == 1 and isinstance(strategies[0], RandomSplit) and strategies[0].by:
        heights = {name: part.rows for name, part in parts.items()}
        yield from _far_shares(heights | ({} if train_rows is None else {TRAIN: train_rows}), strategies[0])
    is_grouped = any(isinstance(strategy, RandomSplit) and strategy.by for strategy in strategies)
    for name, part in parts.items():
        shared = [f"a {' and '.join(e.keys)} ({e.share:.1%})" for e in part.entity_overlap if e.share]
        if shared and not is_grouped:
            yield (
                f"rows of {name} have an entity that is also in train: {', '.join(shared)}; "
                "random_split(by=...) keeps an entity in one split"
            )
        if part.time_overlap:
            yield (
                f"{part.time_overlap:.1%} of the train rows are later than the first {name} row; "
                "time_split tests on later rows than it trains on"
            )


def _far_shares(heights: dict[str, int], strategy: RandomSplit) -> Iterator[str]:
    total = sum(heights.values())
    for name, declared in strategy.shares.items():
        share = heights.get(name, 0) / total if total else declared
        if abs(share - declared) > declared * MAX_SHARE_ERROR:
            yield (
                f"{name} has {share:.1%} of the rows, and its declared share is {declared:.1%}: the groups of "
                f"{', '.join(strategy.by)} differ in size; another seed, or smaller groups, come nearer"
            )
