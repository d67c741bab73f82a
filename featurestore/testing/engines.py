"""The suite of compute engines: each must answer as the brute-force fold, for any files."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from featurestore.ports import ViewRows
from featurestore.testing import oracle
from featurestore.testing.answers import answers
from featurestore.testing.strategies import FEATURES
from featurestore.timing.columns import EVENT_SUFFIX
from featurestore.timing.join import status_column
from featurestore.timing.version import in_version_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from featurestore.ports import ComputeEngine
    from featurestore.testing.strategies import History


def require_fold(
    engine: ComputeEngine,
    history: History,
    folder: Path,
    *,
    cuts: Sequence[int] = (),
    row_group_rows: int = 2,
) -> None:
    """Prove an engine on one history: values, statuses, order and dtypes are those of the oracle.

    Parameters
    ----------
    engine
        The engine to prove.
    history
        Rows and questions (`featurestore.testing.strategies.histories`).
    folder
        Folder for the Parquet files of the rows.
    cuts
        Row numbers at which the rows are split into files.
    row_group_rows
        Number of rows of each row group.

    Raises
    ------
    AssertionError
        If one cell differs. The message has the actual and the expected cells.
    """
    rows = in_version_order(history.row_frame.lazy(), history.keys, history.timing).collect()
    ends = [0, *sorted(min(cut, rows.height) for cut in cuts), rows.height]
    files = []
    for number, (start, end) in enumerate(itertools.pairwise(ends)):
        files.append(folder / f"{number}.parquet")
        rows[start:end].write_parquet(files[-1], row_group_size=row_group_rows)
    questions = history.entity_frame
    joined = engine.historical(questions, [ViewRows(history.view[FEATURES], tuple(files))])
    dtypes: dict[str, Any] = dict(history.view.feature_schema)
    event = f"{history.view.name}{EVENT_SUFFIX}"
    if joined.columns != [*questions.columns, *FEATURES, *map(status_column, FEATURES), event]:
        raise AssertionError(f"the columns are {joined.columns}")
    if (
        not joined.select(questions.columns).equals(questions)
        or dict(joined.select(FEATURES).schema) != dtypes
    ):
        raise AssertionError("entity rows or dtypes were changed")
    actual = answers(joined, FEATURES)
    expected = oracle.historical(history.entity_rows, history.rows, history.keys, FEATURES, history.timing)
    if oracle.bits(actual) != oracle.bits(expected):
        raise AssertionError(f"actual {actual}\nexpected {expected}")
