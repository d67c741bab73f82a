"""What every compute engine must do: answer as the brute-force fold does, however the rows lie in files."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from featurestore.ports import ViewRows
from featurestore.testing import oracle
from featurestore.testing.strategies import FEATURES, KEYS
from featurestore.timing.columns import EVENT_SUFFIX
from featurestore.timing.join import Status, in_version_order, status_column

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
    """Compare an engine with the oracle on one history: values, statuses, order and dtypes.

    Parameters
    ----------
    engine
        The engine to prove.
    history
        Rows and what is asked of them (`featurestore.testing.strategies.histories`).
    folder
        Where the rows are written as Parquet.
    cuts
        Places at which the rows are cut into files.
    row_group_rows
        Rows of each row group.

    Raises
    ------
    AssertionError
        If one cell differs.
    """
    rows = in_version_order(history.row_frame.lazy(), KEYS, history.timing).collect()
    ends = [0, *sorted(min(cut, rows.height) for cut in cuts), rows.height]
    files = []
    for number, (start, end) in enumerate(itertools.pairwise(ends)):
        files.append(folder / f"{number}.parquet")
        rows[start:end].write_parquet(files[-1], row_group_size=row_group_rows)
    asked = history.entity_frame
    joined = engine.historical(asked, [ViewRows(history.view[FEATURES], tuple(files))])
    given: dict[str, Any] = dict(history.view.feature_schema)
    event = f"{history.view.name}{EVENT_SUFFIX}"
    if joined.columns != [*asked.columns, *FEATURES, *map(status_column, FEATURES), event]:
        raise AssertionError(f"the columns are {joined.columns}")
    if not joined.select(asked.columns).equals(asked) or dict(joined.select(FEATURES).schema) != given:
        raise AssertionError("entity rows or dtypes were changed")
    columns = [joined[column].to_list() for name in FEATURES for column in (name, status_column(name))]
    found = [
        [(value, Status(status)) for value, status in zip(row[::2], row[1::2], strict=True)]
        for row in zip(*columns, strict=True)
    ]
    expected = oracle.historical(history.entity_rows, history.rows, KEYS, FEATURES, history.timing)
    if found != expected:
        raise AssertionError(f"found {found}\nexpected {expected}")
