"""The suite of compute engines: each must answer as the brute-force fold and the obvious windows, for any files."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.ports import ViewRows
from featurestore.testing import oracle
from featurestore.testing.answers import answers
from featurestore.testing.strategies import FEATURES, KEYS, START
from featurestore.timing.columns import EVENT_SUFFIX, EVENT_TIMESTAMP
from featurestore.timing.join import Status, status_column
from featurestore.timing.version import in_version_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import ComputeEngine
    from featurestore.testing.strategies import History
    from featurestore.testing.window_histories import WindowHistory
    from featurestore.timing.known_at import Timing


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
    files = _files(rows, folder, cuts, row_group_rows)
    joined = engine.historical(history.entity_frame, [ViewRows(history.view[FEATURES], files)])
    expected = oracle.historical(history.entity_rows, history.rows, history.keys, FEATURES, history.timing)
    _require(joined, history.entity_frame, history.view, FEATURES, expected)


def require_windows(
    engine: ComputeEngine,
    history: WindowHistory,
    folder: Path,
    *,
    cuts: Sequence[int] = (),
    row_group_rows: int = 2,
) -> None:
    """Prove an engine on one history of events: the windows of each entity row are those of the oracle.

    The events are split by their numbers, so that the rows of one key and one identity are in several files; the view is
    read under an alias, by request columns of other names, beside all its features.

    Parameters
    ----------
    engine
        The engine to prove.
    history
        Events, deletions and questions (`featurestore.testing.window_histories.window_histories`).
    folder
        Folder for the Parquet files of the events.
    cuts
        Event numbers at which the events are split into files.
    row_group_rows
        Number of rows of each row group.

    Raises
    ------
    AssertionError
        If one cell differs. The message has the actual and the expected cells.
    """
    files = _files(history.event_frame, folder, cuts, row_group_rows, order=history.timing)
    deleted = _files(history.deletion_frame, folder / "deleted", (1,), row_group_rows)
    without_key = {"k": None, "n": 0, EVENT_TIMESTAMP: START}
    entity_rows = [without_key, *history.entity_rows]
    entities = pl.DataFrame(entity_rows, schema=history.entity_frame.schema, orient="row")
    entity_keys = [(tuple(row[key] for key in KEYS), row[EVENT_TIMESTAMP]) for row in entity_rows]
    expected = [history.answer(*question) for question in entity_keys]
    view = history.view
    joined = engine.historical(entities, [ViewRows(view[view.feature_names], files, deleted)])
    _require(joined, entities, view, view.feature_names, expected)
    newest = [history.newest(*question) for question in entity_keys]
    if joined[f"{view.name}{EVENT_SUFFIX}"].to_list() != newest:
        raise AssertionError(f"the newest events are not {newest}")
    name = view.feature_names[-1]
    aliased = view[name].aliased("other", {"k": "other_k"})
    joined = engine.historical(entities.rename({"k": "other_k"}), [ViewRows(aliased, files, deleted)])
    alias = aliased.names[0]
    columns = {"other_k": "k", alias: name, status_column(alias): status_column(name)}
    event = {f"other{EVENT_SUFFIX}": f"{view.name}{EVENT_SUFFIX}"}
    _require(joined.rename(columns | event), entities, view, [name], [row[-1:] for row in expected])


def _files(
    rows: pl.DataFrame,
    folder: Path,
    cuts: Sequence[int],
    row_group_rows: int,
    *,
    order: Timing | None = None,
) -> tuple[Path, ...]:
    """Write rows to files that end at the cuts; the rows of each file are put in order, if one is given."""
    folder.mkdir(exist_ok=True)
    ends = [0, *sorted(min(cut, rows.height) for cut in cuts), rows.height]
    files = []
    for number, (start, end) in enumerate(itertools.pairwise(ends)):
        part = rows[start:end]
        if order is not None:
            part = in_version_order(part.lazy(), KEYS, order).collect()
        files.append(folder / f"{number}.parquet")
        part.write_parquet(files[-1], row_group_size=row_group_rows)
    return tuple(files)


def _require(
    joined: pl.DataFrame,
    questions: pl.DataFrame,
    view: FeatureView,
    features: Sequence[str],
    expected: Sequence[Sequence[tuple[Any, Status]]],
) -> None:
    event = f"{view.name}{EVENT_SUFFIX}"
    if joined.columns != [*questions.columns, *features, *map(status_column, features), event]:
        raise AssertionError(f"the columns are {joined.columns}")
    dtypes = {name: view.feature_schema[name] for name in features}
    if (
        not joined.select(questions.columns).equals(questions)
        or dict(joined.select(features).schema) != dtypes
    ):
        raise AssertionError("entity rows or dtypes were changed")
    actual = answers(joined, features)
    if oracle.bits(actual) != oracle.bits(expected):
        raise AssertionError(f"actual {actual}\nexpected {expected}")
