"""Steps over text: how often each word of a vocabulary occurs, and how rare the word is."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import polars as pl

from featurestore.errors import ContractError
from featurestore.preprocessing.counts import array_columns, array_of, member_counts
from featurestore.preprocessing.selectors import columns_of
from featurestore.preprocessing.step import COMPUTED, FLOAT, ColumnFunction, Observed, Outputs, State, Step
from featurestore.values.arguments import integer_of
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from featurestore.preprocessing.selectors import Selector

# Words of two and more letters or digits, in lower case: those of scikit-learn's `CountVectorizer`.
WORD: Final = r"\b\w\w+\b"
_WORD: Final = re.compile(WORD)


class Counted(State, frozen=True, tag="counted"):
    """How often each word of a vocabulary occurs.

    Attributes
    ----------
    weights
        The weight of each word; then the columns of a row have length 1. Empty: the plain counts.
    """

    words: tuple[str, ...]
    weights: tuple[float, ...] = ()

    def functions(self, name: str) -> dict[str, ColumnFunction]:
        """Return the function to all columns at once."""
        dtype = pl.Array(FLOAT, len(self.words))
        return {f"{COMPUTED}{name}": ColumnFunction(name, dtype, self._of_column, self._of_value)}

    def expressions(self, name: str) -> Outputs:
        """Return a column for each word. A null has no words."""
        return array_columns(f"{COMPUTED}{name}", [f"{name}_{word}" for word in self.words])

    def _of_column(self, texts: pl.Series) -> pl.Series:
        lists = texts.to_frame("text").select(_words(pl.col("text")))["text"]
        return array_of(self._weighted(counts[:, :-1]) for counts in member_counts(lists, self.words))

    def _weighted(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self.weights:
            return counts
        weighted: NDArray[np.float64] = counts * np.array(self.weights)
        squares = np.zeros(len(counts))
        # One after the other, as for one row: the order decides the last bit.
        for column in weighted.T:
            squares += column * column
        length = np.sqrt(squares)[:, np.newaxis]
        # Where a row has no word of the vocabulary, the zeros stay.
        np.divide(weighted, length, out=weighted, where=length > 0)
        return weighted

    def _of_value(self, text: str | None) -> list[float]:
        occurrences = Counter(() if text is None else words_of(text))
        counts = [float(occurrences[word]) for word in self.words]
        if not self.weights:
            return counts
        weighted = [count * weight for count, weight in zip(counts, self.weights, strict=True)]
        squares = 0.0
        for value in weighted:
            squares += value * value
        length = math.sqrt(squares)
        return [value / length for value in weighted] if length else weighted


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
        counts = rows_by_word(observed.present())
        rows = dict(counts.filter(pl.col("rows") >= self.min_frequency).rows())
        if not rows:
            raise ContractError(
                f"{observed.place}: no word is in {counted(self.min_frequency, 'row')} or more, so there is nothing to fit to",
                hint="declare a smaller min_frequency, or drop the feature from the service",
            )
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


def rows_by_word(texts: pl.Series) -> pl.DataFrame:
    """Count for each word of some texts the rows that have it: columns ``word`` (String) and ``rows`` (UInt32)."""
    words = texts.to_frame("word").select(_words(pl.col("word")).list.unique()).to_series()
    return words.explode(empty_as_null=False).drop_nulls().value_counts(name="rows")


def words_of(text: str) -> list[str]:
    """Return the words of one text, as Polars finds them in a column."""
    if text.isascii() or all(map(_is_alike, set(text))):
        return _WORD.findall(text.lower())
    words: list[str] = pl.select(_words(pl.lit(text))).item().to_list()
    return words


@lru_cache(maxsize=65_536)
def _is_alike(character: str) -> bool:
    """Return whether Python and Polars, whose tables of Unicode differ, lower a character and take it for a letter alike."""
    if character == "Σ":
        return False  # how it is lowered depends on the characters around it
    lowered = pl.lit(character).str.to_lowercase()
    in_polars, letters = pl.select(lowered, letters=lowered.str.extract_all(r"\w")).row(0)
    return bool(in_polars == character.lower() and letters == re.findall(r"\w", in_polars))


def _require_limits(step: str, max_features: int, min_frequency: int) -> None:
    for name, limit in (("max_features", max_features), ("min_frequency", min_frequency)):
        integer_of(f"step {step}: {name}", limit, smallest=1, example=f"{name}=10")
