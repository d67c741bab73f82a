"""The split and the sample of a training set: which rows go where, and what each part holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.labels.classes import each_class
from featurestore.splits.assign import LEFT_OUT, assign
from featurestore.splits.declare import SPLIT, TRAIN
from featurestore.splits.measure import (
    SplitPart,
    has_classes,
    overlap_of_entities,
    overlap_of_time,
    require_every_class,
    require_every_split,
)
from featurestore.splits.resample import Sampled, class_counts, resample
from featurestore.splits.sample import IS_REPEATED
from featurestore.storage.fingerprint import fingerprint as digest_of
from featurestore.timing.columns import EVENT_TIMESTAMP

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import TrainingSet


def split_rows(rows: pl.DataFrame, training: TrainingSet) -> tuple[pl.DataFrame, dict[str, int]]:
    """Assign entity rows to the splits of a training set, before features are joined.

    Returns
    -------
    tuple[pl.DataFrame, dict[str, int]]
        The rows that are in a split, with the column ``split``; and how many rows were left out, by reason. Without a
        split: the rows unchanged.
    """
    if not training.split:
        return rows, {}
    assigned = assign_rows(rows, training)
    is_left_out = pl.col(SPLIT).is_in(list(LEFT_OUT))
    counts = assigned.filter(is_left_out).group_by(SPLIT).len().sort(SPLIT)
    return assigned.filter(~is_left_out), dict(counts.rows())


def sample_rows(rows: pl.DataFrame, training: TrainingSet) -> tuple[pl.DataFrame, Sampled | None]:
    """Sample the rows of train, and check that every split has rows and classes.

    Raises
    ------
    SplitError
        If a split has no rows, or a split or the sample lacks a class of the label.
    ContractError
        If the sample does not fit the classes of train.
    """
    sampled = None
    where = f"training set {training.name!r}"
    personal = training.entity_rows.personal
    if training.sample is not None:
        before = rows.filter(pl.col(SPLIT) == TRAIN) if training.split else rows
        rows = resample(rows, training.sample, training.identity, training.label, where=where)
        after = rows.filter(pl.col(SPLIT) == TRAIN) if training.split else rows
        label = before[training.label]
        require_every_class(label, after[training.label], where=where, personal=personal)
        prior = class_counts(label) if has_classes(label) else {}
        sampled = Sampled(
            rows_before=before.height,
            rows=after.height,
            repeated=int(after[IS_REPEATED].sum()),
            prior={value: count / before.height for value, count in prior.items()},
        )
    if training.split:
        require_every_split(rows, training.split, training.label, where=where, personal=personal)
    return rows, sampled


def assign_rows(rows: pl.DataFrame, training: TrainingSet) -> pl.DataFrame:
    """Add the column ``split`` to entity rows, as `featurestore.splits.assign.assign` does."""
    known = None if training.matures is None else training.matures.timestamp()
    return assign(rows, training.split, training.identity, known)


def split_parts(rows: pl.DataFrame, training: TrainingSet) -> dict[str, SplitPart]:
    """Describe each split of the joined rows of a training set."""
    if not training.split:
        return {}
    entities = list(dict.fromkeys(s.keys for s in training.service.reads if s.keys))
    return {
        name: _part(rows, name, training, [] if name == TRAIN else entities)
        for name in training.split[0].names
    }


def _part(rows: pl.DataFrame, name: str, training: TrainingSet, entities: list[tuple[str, ...]]) -> SplitPart:
    part = rows.filter(pl.col(SPLIT) == name)
    label = part[training.label]
    first, last = part.select(pl.min(EVENT_TIMESTAMP), pl.max(EVENT_TIMESTAMP).alias("last")).row(0)
    return SplitPart(
        rows=part.height,
        labels=label_counts(label) if has_classes(label) else {},
        digest=digest_of(part),
        first=first,
        last=last,
        entity_overlap=tuple(overlap_of_entities(rows, name, keys) for keys in entities),
        time_overlap=0.0 if name == TRAIN else overlap_of_time(rows, name),
    )


def label_counts(values: pl.Series) -> dict[str, int]:
    """Count the rows of each value, as text, in the order of the values; of lists, the rows with each class."""
    values = each_class(values)
    counts = values.value_counts(name="rows").sort(values.name, nulls_last=True)
    return {str(value): count for value, count in counts.rows()}
