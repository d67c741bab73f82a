"""Entity rows in the order in which a view is read, and answers put back in the order of the entity rows.

All threads move rows, by their positions.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import AS_OF, ROW, greatest
from featurestore.timing.version import version_columns
from featurestore.vectors.alias import view_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from featurestore.definitions.feature_view import Selection
    from featurestore.timing.known_at import Timing

    Positions = NDArray[np.uint32]

_POSITION: Final = "__position"
_ORIGINAL: Final = "__original"
_ROWS_AT_ONCE: Final = 1 << 16  # rows that a thread puts in order at once


@dataclass(frozen=True)
class SortedEntityRows:
    """The entity rows of a view, sorted by its key and by time.

    Attributes
    ----------
    rows
        Their numbers in this order (``__row``), the view's keys, and the timestamp (``__as_of``). Without the entity rows
        whose key is missing.
    numbers
        UInt32: for each entity row, its place in `rows`; ``rows.height`` if its key is missing.
    """

    rows: pl.DataFrame
    numbers: Positions


def sorted_entity_rows(entity_rows: pl.DataFrame, selection: Selection) -> SortedEntityRows:
    """Sort the entity rows of a view by its key and by time, and number them."""
    keys = selection.view.keys
    times = entity_rows.select(*view_keys(selection), pl.col(EVENT_TIMESTAMP).alias(AS_OF))
    rows = times.with_row_index(_ORIGINAL).drop_nulls(list(keys)).sort(*keys, AS_OF)
    numbers = np.full(entity_rows.height, rows.height, dtype=np.uint32)
    numbers[rows[_ORIGINAL].to_numpy()] = np.arange(rows.height, dtype=np.uint32)
    return SortedEntityRows(rows.drop(_ORIGINAL).with_row_index(ROW), numbers)


def in_entity_order(
    parts: Sequence[pl.DataFrame],
    questions: SortedEntityRows,
    timing: Timing,
    schema: Mapping[str, pl.DataType],
) -> pl.DataFrame:
    """Put answers in the order of the entity rows.

    Parameters
    ----------
    parts
        The answers: ``__row``, the version that `timing` names if two parts may answer one question, and the columns of
        `schema`. Of several answers to a question, the one with the greatest version counts.
    questions
        The entity rows.
    schema
        The columns of the result.

    Returns
    -------
    pl.DataFrame
        One row for each entity row; all nulls where no row answers.
    """
    height = len(questions.numbers)
    if not parts:
        return pl.select(pl.repeat(None, height, dtype=dtype).alias(name) for name, dtype in schema.items())
    candidates = pl.concat(parts, rechunk=True)
    missing = candidates.height
    # A number and not null marks a row without an answer: a column without nulls is gathered three times as fast.
    places = np.full(questions.rows.height + 1, missing, dtype=np.uint32)
    numbers, positions = candidates[ROW].to_numpy(), np.arange(missing, dtype=np.uint32)
    places[numbers] = positions
    # Two spans answer only the few questions whose key has rows in both: there, one answer is not in its place.
    if len(displaced := np.flatnonzero(places[numbers] != positions)):
        best = candidates.select(ROW, *version_columns(timing)).with_row_index(_POSITION)
        several = best.filter(pl.col(ROW).is_in(best[ROW].gather(displaced).unique().implode()))
        best = greatest(several.lazy(), timing).collect()
        places[best[ROW].to_numpy()] = best[_POSITION].to_numpy()
    answers = candidates.select(*schema)

    def ordered(start: int) -> pl.DataFrame:
        taken = pl.Series(places[questions.numbers[start : start + _ROWS_AT_ONCE]])
        return answers[pl.select(pl.when(taken < missing).then(taken)).to_series()]

    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        return pl.concat(pool.map(ordered, range(0, max(height, 1), _ROWS_AT_ONCE)))
