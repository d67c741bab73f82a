"""What a kept training set reveals of its label: features that predict the label, inputs that are known later, shared rows.

Each function takes the rows of a training set and its definition. The proof of the views (`check_leaks`) cannot see these:
a feature may be known in time and still be the label in other words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
import polars as pl

from featurestore.definitions.known import Known, known_of_columns
from featurestore.labels.classes import each_class, indicators, is_multi_label
from featurestore.quality.feature_scores import auc
from featurestore.splits.declare import SPLIT
from featurestore.splits.measure import MAX_CLASSES
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.definitions.feature_service import TrainingSet

# A feature that ranks this share of all pairs of labels right is as good as the label.
MIN_AUC: Final = 0.99
# A feature that avoids this share of the errors of always guessing the most frequent label.
MIN_AVOIDED: Final = 0.98
MIN_CORRELATION: Final = 0.995
# Fewer rows separate by chance.
MIN_ROWS: Final = 20
MIN_ROWS_OF_A_VALUE: Final = 5
MIN_COVERED: Final = 0.9

Kind = Literal["predicts_label", "is_label", "known_later", "label_known_before", "shared_between_splits"]
_WORDS: Final[dict[Kind, str]] = {
    "predicts_label": "predicts the label",
    "is_label": "is the label",
    "known_later": "is known after the row",
    "label_known_before": "is known before the row",
    "shared_between_splits": "shared between splits",
}


class LabelLeak(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a training set reveals its label.

    Attributes
    ----------
    kind
        ``predicts_label``: a feature alone does. ``is_label``: the label is a key or a request value. ``known_later``: a
        key or a request value becomes known after the row. ``label_known_before``: serving could have read the label.
        ``shared_between_splits``: the same row is in several splits.
    column
        The feature, key, request value or label. Empty: the row as a whole.
    rows
        How many rows show it.
    measure
        How well a feature predicts the label: 1 is perfect. None: another kind.
    """

    training_set: str
    kind: Kind
    column: str
    rows: int
    measure: float | None = None

    def __str__(self) -> str:
        measure = "" if self.measure is None else f" ({self.measure:.4f} of 1)"
        subject = self.column or "rows"
        return f"{self.training_set}: {subject} {_WORDS[self.kind]}{measure}, {counted(self.rows, 'row')}"


class CheckedSet(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked of a training set.

    Attributes
    ----------
    features
        How many features were compared with the label.
    content
        Digest of the content of the training set.
    """

    name: str
    rows: int
    features: int
    content: str
    leaks: tuple[LabelLeak, ...] = ()

    @property
    def result(self) -> str:
        """The result in words."""
        return "; ".join(dict.fromkeys(_WORDS[leak.kind] for leak in self.leaks)) or "no leak"


def label_leaks(rows: pl.DataFrame, training: TrainingSet) -> list[LabelLeak]:
    """Find all ways in which a training set reveals its label."""
    return [
        *_telling(rows, training),
        *_inputs(rows, training),
        *_known_before(rows, training),
        *_shared(rows, training),
    ]


def _telling(rows: pl.DataFrame, training: TrainingSet) -> Iterator[LabelLeak]:
    label = rows[training.label]
    # A feature that tells one of several classes of a row is a leak of that class.
    labels = [label] if not is_multi_label(label.dtype) else _of_classes(label)
    for name in training.service.feature_names:
        measures = [telling(rows[name], each) for each in labels]
        measure = max((measure for measure in measures if measure is not None), default=None)
        if measure is not None:
            count = rows.height
            yield LabelLeak(
                training_set=training.name, kind="predicts_label", column=name, rows=count, measure=measure
            )


def _of_classes(label: pl.Series) -> list[pl.Series]:
    """Return for each of the most frequent classes which rows have it."""
    counts = each_class(label).value_counts(name="rows").sort(["rows", label.name], descending=[True, False])
    return indicators(label, counts[label.name].head(MAX_CLASSES).to_list())


def telling(feature: pl.Series, label: pl.Series) -> float | None:
    """Return how well a feature alone tells a label, from 0 to 1; None: not nearly perfectly.

    The measures are the area under the ROC curve of a label of two classes, the errors that each value's most frequent
    label avoids, and the rank correlation with a label that is a number. Missing values count as a value of their own.
    """
    rows = pl.DataFrame({"feature": feature, "label": label}).drop_nulls("label")
    classes = rows["label"].n_unique()
    if classes < 2:  # noqa: PLR2004 - one class is telling by every feature
        return None
    measures = [avoided_errors(rows.select("label", feature=pl.col("feature").is_null()))]
    present = rows.drop_nulls("feature")
    is_ordered = feature.dtype.is_numeric() or feature.dtype.is_temporal() or feature.dtype == pl.Boolean
    if classes <= MAX_CLASSES:
        if classes == 2 and is_ordered:  # noqa: PLR2004 - the area is of two classes
            measures.append(_area(present))
        if not feature.dtype.is_nested():
            measures.append(avoided_errors(rows))
    elif is_ordered and label.dtype.is_numeric() and present.height >= MIN_ROWS:
        correlation = present.select(
            pl.corr(pl.col("feature").rank(), pl.col("label").rank()).abs().fill_nan(0)
        ).item()
        measures.append(correlation if correlation is not None and correlation >= MIN_CORRELATION else None)
    return max((measure for measure in measures if measure is not None), default=None)


def _area(rows: pl.DataFrame) -> float | None:
    """Return the area under the ROC curve, whichever class has the greater values; None: it is not nearly 1."""
    if rows.is_empty():
        return None
    is_first = rows["label"] == rows["label"].first()
    if min(is_first.sum(), rows.height - is_first.sum()) < MIN_ROWS:
        return None
    area = auc(rows["feature"], is_first)
    return area if area is not None and area >= MIN_AUC else None


def avoided_errors(rows: pl.DataFrame) -> float | None:
    """Return the share of errors that knowing the feature avoids, over values that occur often; None: few are avoided."""
    counts = rows.group_by("feature", "label").len()
    of_values = counts.group_by("feature").agg(
        pl.col("len").sum().alias("rows"), pl.col("len").max().alias("right")
    )
    often = of_values.filter(pl.col("rows") >= MIN_ROWS_OF_A_VALUE)
    of_labels = (
        counts.join(often, on="feature", how="semi", nulls_equal=True)
        .group_by("label")
        .agg(pl.col("len").sum())
    )
    covered = _sum(often["rows"])
    if covered < MIN_COVERED * rows.height or of_labels.height < 2:  # noqa: PLR2004 - one class is telling by each
        return None
    errors = covered - of_labels.select(pl.col("len").max()).item()
    if errors < MIN_ROWS or often.height < 2:  # noqa: PLR2004 - one value tells nothing
        return None
    avoided = 1 - (covered - _sum(often["right"])) / errors
    return avoided if avoided >= MIN_AVOIDED else None


def _sum(counts: pl.Series) -> int:
    return int(counts.sum())


def _inputs(rows: pl.DataFrame, training: TrainingSet) -> Iterator[LabelLeak]:
    service = training.service
    inputs = dict.fromkeys((*service.key_schema, *service.request_schema))
    declared = known_of_columns(training.contract)
    for column in inputs:
        if column == training.label:
            yield LabelLeak(training_set=training.name, kind="is_label", column=column, rows=rows.height)
        known = declared.get(column, Known())
        later = rows.filter(
            known.timestamp() > pl.col(EVENT_TIMESTAMP).dt.epoch("us"), pl.col(column).is_not_null()
        ).height
        if later:
            yield LabelLeak(training_set=training.name, kind="known_later", column=column, rows=later)


def _known_before(rows: pl.DataFrame, training: TrainingSet) -> Iterator[LabelLeak]:
    if training.matures is None or not training.matures.columns:
        return
    before = rows.filter(training.matures.timestamp() < pl.col(EVENT_TIMESTAMP).dt.epoch("us")).height
    if before:
        yield LabelLeak(
            training_set=training.name, kind="label_known_before", column=training.label, rows=before
        )


def _shared(rows: pl.DataFrame, training: TrainingSet) -> Iterator[LabelLeak]:
    """Find rows of one identity in several splits, and rows that are equal in all but the columns that number them."""
    if SPLIT not in rows.columns:
        return
    read = {*training.service.key_schema, EVENT_TIMESTAMP}
    content = [
        name for name in rows.columns if name != SPLIT and (name in read or name not in training.identity)
    ]
    for columns, named in ((list(training.identity), ", ".join(training.identity)), (content, "")):
        shared = rows.filter(pl.col(SPLIT).n_unique().over(columns) > 1).height
        if shared:
            yield LabelLeak(
                training_set=training.name, kind="shared_between_splits", column=named, rows=shared
            )
            return
