"""Steps over text: how often each word of a vocabulary occurs, and how rare the word is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

from featurestore.preprocessing.selectors import columns_of
from featurestore.preprocessing.step import FLOAT, Observed, Outputs, State, Step, float_literal
from featurestore.values.arguments import integer_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featurestore.preprocessing.selectors import Selector

# Words of two and more letters or digits, in lower case: those of scikit-learn's `CountVectorizer`.
WORD: Final = r"\b\w\w+\b"


class Counted(State, frozen=True, tag="counted"):
    """How often each word of a vocabulary occurs.

    Attributes
    ----------
    weights
        The weight of each word; then the columns of a row have length 1. Empty: the plain counts.
    """

    words: tuple[str, ...]
    weights: tuple[float, ...] = ()

    def expressions(self, name: str) -> Outputs:
        """Return a column for each word. A null has no words."""
        words = _words(pl.col(name)).fill_null([])
        counts = {f"{name}_{word}": words.list.count_matches(word).cast(FLOAT) for word in self.words}
        if not self.weights:
            return counts
        weighted = [
            count * float_literal(weight) for count, weight in zip(counts.values(), self.weights, strict=True)
        ]
        length = reduce(add, (value * value for value in weighted)).sqrt()
        scaled = [
            pl.when(length > float_literal(0.0)).then(value / length).otherwise(float_literal(0.0))
            for value in weighted
        ]
        return dict(zip(counts, scaled, strict=True))


@dataclass(frozen=True, kw_only=True)
class BagOfWords(Step):
    """See `bag_of_words` and `tf_idf`."""

    kind: ClassVar[str] = "bag_of_words"
    takes: ClassVar[str] = "text"
    max_features: int = 100
    min_frequency: int = 2

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether a column holds text."""
        return isinstance(dtype, pl.String)

    def outputs(self, name: str, dtype: pl.DataType) -> None:
        """Return None: the words are those of the fitted rows."""

    def fit(self, observed: Observed) -> Counted:
        """Learn the vocabulary. Raises as `Observed.present`, also if no word is frequent enough."""
        return Counted(words=tuple(self._documents(observed)))

    def _documents(self, observed: Observed) -> dict[str, int]:
        """Return the words that are kept, sorted, with the number of rows that have each."""
        texts = observed.present().to_frame("text")
        words = texts.select(_words(pl.col("text")).list.unique()).to_series().explode(empty_as_null=False)
        rows = dict(
            words.drop_nulls().value_counts(name="rows").filter(pl.col("rows") >= self.min_frequency).rows()
        )
        if not rows:
            Observed(
                words.clear(1), None, f"{observed.place}, words in {self.min_frequency} rows or more"
            ).present()
        ranked = sorted(rows, key=lambda word: (-rows[word], word))[: self.max_features]
        return {word: rows[word] for word in sorted(ranked)}


@dataclass(frozen=True, kw_only=True)
class TfIdf(BagOfWords):
    """See `tf_idf`."""

    kind: ClassVar[str] = "tf_idf"

    def fit(self, observed: Observed) -> Counted:
        """Learn the vocabulary and the weights. Raises as `BagOfWords.fit`."""
        documents = self._documents(observed)
        rows = observed.column.len()
        weights = tuple(math.log((1 + rows) / (1 + count)) + 1 for count in documents.values())
        return Counted(words=tuple(documents), weights=weights)


def bag_of_words(
    columns: str | Iterable[str] | Selector, *, max_features: int = 100, min_frequency: int = 2
) -> BagOfWords:
    """Replace text by a column for each word, ``<column>_<word>``: how often it occurs.

    Words are runs of two and more letters or digits, in lower case.

    Parameters
    ----------
    columns
        Names, or a selector.
    max_features
        Keep at most this many words, those in the most rows.
    min_frequency
        Leave out words in fewer fitted rows.

    Raises
    ------
    DefinitionError
        If no column is named, or a limit is below 1.
    """
    _require_limits("bag_of_words", max_features, min_frequency)
    return BagOfWords(
        columns=columns_of(columns, "bag_of_words"), max_features=max_features, min_frequency=min_frequency
    )


def tf_idf(
    columns: str | Iterable[str] | Selector, *, max_features: int = 100, min_frequency: int = 2
) -> TfIdf:
    """Replace text by a column for each word, as `bag_of_words`: rare words weigh more, and each row has length 1.

    The weights are those of scikit-learn's `TfidfVectorizer`.

    Raises
    ------
    DefinitionError
        As `bag_of_words`.
    """
    _require_limits("tf_idf", max_features, min_frequency)
    return TfIdf(
        columns=columns_of(columns, "tf_idf"), max_features=max_features, min_frequency=min_frequency
    )


def _words(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.extract_all(WORD)


def _require_limits(step: str, max_features: int, min_frequency: int) -> None:
    for name, limit in (("max_features", max_features), ("min_frequency", min_frequency)):
        integer_of(f"step {step}: {name}", limit, smallest=1, example=f"{name}=10")
