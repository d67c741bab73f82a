"""What each feature says about the label, and which features say the same: from the rows of a training set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from featurestore.preprocessing.words import rows_by_word
from featurestore.splits.measure import MAX_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

NUMBER_BINS: Final = 10
MAX_CATEGORIES: Final = 50
RARE_ROWS: Final = 10
SAME: Final = 0.95
_DEVIATIONS: Final = 3


@dataclass(frozen=True)
class Information:
    """How much a feature tells about the label.

    Attributes
    ----------
    bits
        The mutual information of both, in bits, less what chance alone gives.
    share
        The same as a share of what there is to know about the label, 0 to 1.
    chance
        The share that a feature which tells nothing may reach in this many rows: three standard deviations.
    """

    bits: float
    share: float
    chance: float

    @property
    def is_chance(self) -> bool:
        """Whether a feature that tells nothing would often give as much."""
        return self.share <= self.chance


def label_codes(label: pl.Series) -> Codes:
    """Give each class of a label a number; a label with many numbers is cut into bins of about as many rows each."""
    if label.dtype.is_float() or label.n_unique() > MAX_CLASSES:
        return codes_of(label)
    return label.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()


def codes_of(values: pl.Series) -> Codes:
    """Give each bin of a column a number: quantiles of numbers and times, the most frequent categories, nulls."""
    if values.dtype.is_numeric() or values.dtype.is_temporal():
        numbers = values.to_physical().cast(pl.Float64)
        present = numbers.drop_nulls()
        shares = np.linspace(0, 1, NUMBER_BINS + 1)[1:-1]
        edges = np.unique(np.quantile(present.to_numpy(), shares)) if present.len() else np.empty(0)
        bins = np.searchsorted(edges, numbers.fill_null(0.0).to_numpy(), side="right")
        return np.where(numbers.is_null().to_numpy(), len(edges) + 1, bins).astype(np.int64)
    counts = values.value_counts(sort=True, name="count").drop_nulls(values.name)
    kept = counts.sort(["count", values.name], descending=[True, False])[values.name].head(MAX_CATEGORIES)
    codes = values.replace_strict(
        kept, pl.Series(range(kept.len())), default=kept.len(), return_dtype=pl.Int64
    )
    return codes.set(values.is_null(), kept.len() + 1).to_numpy().astype(np.int64)


def information(feature: Codes, label: Codes) -> Information:
    """Compute the mutual information of a feature and the label, from the numbers of their bins."""
    joint = _joint(feature, label)
    rows = len(label)
    of_label = _entropy(joint.sum(axis=0))
    nats = _entropy(joint.sum(axis=1)) + of_label - _entropy(joint.ravel())
    degrees = (np.count_nonzero(joint.sum(axis=1)) - 1) * (np.count_nonzero(joint.sum(axis=0)) - 1)
    # By chance 2 * rows * nats is distributed as chi-square: its mean is the degrees of freedom (Miller and Madow), its
    # variance twice as much.
    net = float(max(nats - degrees / (2 * rows), 0.0))
    limit = _DEVIATIONS * math.sqrt(2 * degrees) / (2 * rows)
    share, chance = (min(part / of_label, 1.0) if of_label else 0.0 for part in (net, limit))
    return Information(net / math.log(2), share, chance)


def auc(values: pl.Series, positive: pl.Series) -> float | None:
    """Return the area under the ROC curve of a feature alone, from 0.5: of the better of its two directions.

    Rows without a value are left out. None: the rows with a value have one class.
    """
    rows = pl.DataFrame({"value": values.to_physical().cast(pl.Float64), "positive": positive}).drop_nulls()
    positives = int(rows["positive"].sum())
    negatives = rows.height - positives
    if not positives or not negatives:
        return None
    ranks = rows["value"].rank("average").filter(rows["positive"])
    area = (float(ranks.sum()) - positives * (positives + 1) / 2) / (positives * negatives)
    return max(area, 1 - area)


def rare_categories(values: pl.Series) -> int:
    """Count the categories that fewer than 10 rows have."""
    return _rare(values.drop_nulls().value_counts(name="count")["count"])


def rare_words(texts: pl.Series) -> int:
    """Count the words that fewer than 10 rows have."""
    return _rare(rows_by_word(texts)["rows"])


def _rare(counts: pl.Series) -> int:
    return int((counts < RARE_ROWS).sum())


def redundant_pairs(features: Mapping[str, pl.Series]) -> Iterator[tuple[str, str]]:
    """List pairs of features that say the same: a rank correlation, or a shared information, of 0.95 or more."""
    numbers = {name: _ranks(values) for name, values in features.items() if values.dtype.is_numeric()}
    codes = {name: codes_of(values) for name, values in features.items()}
    for first, second in combinations(features, 2):
        if first in numbers and second in numbers:
            same = abs(_correlation(numbers[first], numbers[second]))
        else:
            same = _shared(codes[first], codes[second])
        if same >= SAME:
            yield first, second


def _joint(first: Codes, second: Codes) -> NDArray[np.int64]:
    width = int(second.max(initial=0)) + 1
    height = int(first.max(initial=0)) + 1
    return np.bincount(first * width + second, minlength=height * width).reshape(height, width)


def _entropy(counts: NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _shared(first: Codes, second: Codes) -> float:
    """Return the information that two columns share, as a share of that of both."""
    joint = _joint(first, second)
    entropies = [_entropy(joint.sum(axis=axis)) for axis in (0, 1)]
    if not min(entropies):
        return 0.0
    return (sum(entropies) - _entropy(joint.ravel())) / max(entropies)


def _ranks(values: pl.Series) -> NDArray[np.float64]:
    ranks = values.rank("average").cast(pl.Float64)
    centered = ranks - ranks.mean()
    return centered.fill_null(0.0).to_numpy()


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    size = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / size if size else 0.0
