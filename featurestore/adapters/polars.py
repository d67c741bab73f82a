"""Polars as the compute engine: the point-in-time join, span by span, in bounded memory.

The file of a view is in the order of key and version. A span of it needs no sort, and most keys
have all their rows in one span. The answer of a span is the answer of the view unless another span
has a greater version (`timing.join.greatest`). The spans can therefore be read in any order: one
after another here, or on many machines (`adapters.ray`).
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import polars as pl

from featurestore.adapters.entity_order import SortedEntityRows, in_entity_order, sorted_entity_rows
from featurestore.adapters.windows import WindowJoin, answer_windows, read_windows, window_joins
from featurestore.definitions.call import run
from featurestore.storage.parquet import read_files, scan_files
from featurestore.storage.row_groups import Span, row_bytes, spans
from featurestore.timing.columns import EVENT_SUFFIX, EVENT_TIMESTAMP
from featurestore.timing.join import AS_OF, ROW, answers, read_at, without_deleted
from featurestore.timing.version import in_version_order, version_columns
from featurestore.values.key_columns import select_columns
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.alias import as_requested, view_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from featurestore.definitions.catalog import Derived
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.ports import ViewRows
    from featurestore.timing.known_at import Timing

T = TypeVar("T")
MIB: Final = 1 << 20
EXPANSION: Final = 8  # the rows of a file take about as many times its bytes
FEW: Final = 4  # with fewer questions than a fourth of the rows, only rows of their keys are sorted
_POSITION: Final = "__position"
_AHEAD: Final = 2  # views whose answers are made while those of another one are put in order
_NO_ANSWER: Final = pl.DataFrame()


@dataclass(frozen=True)
class SpanJoin:
    """The join of entity rows to one span of a view's file, or to small files of its log together.

    Plain values, so that it can be sent to a worker.

    Attributes
    ----------
    span
        The rows of the only file. None: all rows of the files.
    """

    paths: tuple[Path, ...]
    span: Span | None
    keys: tuple[str, ...]
    timing: Timing
    features: tuple[str, ...]


Join: TypeAlias = "SpanJoin | WindowJoin"
RunJoins: TypeAlias = "Callable[[pl.DataFrame, Sequence[Join]], Iterable[pl.DataFrame]]"


@dataclass(frozen=True)
class PolarsEngine:
    """A compute engine in this process.

    Attributes
    ----------
    span_bytes
        Bytes of files that are read at once, uncompressed. The result does not depend on it.
    threads
        The number of spans that are read at once; together they have `span_bytes`.
    """

    span_bytes: int = 512 * MIB
    threads: int = field(default_factory=pl.thread_pool_size)

    def transform(self, derived: Derived | TrainingSet, inputs: Sequence[pl.LazyFrame]) -> pl.DataFrame:
        """Run the function of a definition over its inputs."""
        return run(derived.name, derived.function, *inputs)

    def historical(self, entity_rows: pl.DataFrame, views: Sequence[ViewRows]) -> pl.DataFrame:
        """Join the answers of each view to entity rows, in the order of the rows."""
        pool = ThreadPoolExecutor(self.threads)

        def run_joins(questions: pl.DataFrame, joins: Sequence[Join]) -> Iterator[pl.DataFrame]:
            return pool.map(partial(answer, questions), joins)

        span_bytes = self.span_bytes // self.threads
        # While the answers of a view are put in order, those of the next views are made, and no more: the memory does not
        # grow with the number of views. A few threads have enough to do with one view.
        ahead = min(_AHEAD, self.threads // 4)
        try:
            return join_spans(entity_rows, views, span_bytes, run_joins, at_once=self.threads, ahead=ahead)
        finally:
            pool.shutdown(cancel_futures=True)


def join_spans(
    entity_rows: pl.DataFrame,
    views: Sequence[ViewRows],
    span_bytes: int,
    run_joins: RunJoins,
    *,
    at_once: int = 1,
    ahead: int | None = None,
) -> pl.DataFrame:
    """Split the files of views into spans, run the join of each span, and combine the answers.

    Parameters
    ----------
    entity_rows, views
        As for `featurestore.ports.ComputeEngine.historical`.
    span_bytes
        Bytes of a span, uncompressed.
    run_joins
        Takes the entity rows sorted by key and time, and the joins of a view, and starts them. Returns the result of
        `answer` for each join.
    at_once
        The number of joins that run at once: a view has at least as many spans, if its file has the row groups.
    ahead
        The number of views whose joins are started before the answers of the view before them are put in order. None: all.
    """
    sorted_rows: dict[tuple[tuple[str, ...], tuple[str, ...]], SortedEntityRows] = {}

    def start(view: ViewRows) -> tuple[ViewRows, SortedEntityRows, Iterable[pl.DataFrame]]:
        keys = (view.selection.keys, view.selection.view.keys)
        if keys not in sorted_rows:
            sorted_rows[keys] = sorted_entity_rows(entity_rows, view.selection)
        rows = sorted_rows[keys].rows
        joins = window_joins if view.selection.view.windows else _joins
        return view, sorted_rows[keys], run_joins(rows, joins(rows, view, span_bytes, at_once))

    joined = []
    for view, questions, parts in _made_ahead(map(start, views), ahead):
        selection = view.selection
        answered = in_entity_order(
            [part for part in parts if part.height], questions, selection.view.timing, _schema(view)
        )
        read = read_windows(answered, view) if selection.view.windows else _read(answered, view, entity_rows)
        event = read[EVENT_TIMESTAMP].alias(f"{selection.label}{EVENT_SUFFIX}")
        joined.append(as_requested(read.drop(EVENT_TIMESTAMP), selection).with_columns(event))
    return pl.concat([entity_rows, *joined], how="horizontal")


def _made_ahead(items: Iterator[T], ahead: int | None) -> Iterator[T]:
    """Yield items, each after the next `ahead` ones are made; None: after all."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if ahead is not None and len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def _schema(view: ViewRows) -> dict[str, pl.DataType]:
    """Return the columns that are read of the answers of a view."""
    selection = view.selection
    definition = selection.view
    own = {AS_OF: UTC_MICROSECONDS} if definition.windows else {}
    contract = definition.feature_contract
    return {
        **own,
        EVENT_TIMESTAMP: UTC_MICROSECONDS,
        **{name: contract[name].dtype for name in selection.features},
    }


def _read(answered: pl.DataFrame, view: ViewRows, entity_rows: pl.DataFrame) -> pl.DataFrame:
    """Read the answers of spans as of the timestamp of each entity row: features, statuses and ``event_timestamp``."""
    features = view.selection.features
    rows = entity_rows.select(pl.col(EVENT_TIMESTAMP).alias(AS_OF)).hstack(answered)
    if view.deleted:
        keys, deletions = select_columns(entity_rows, view_keys(view.selection)), read_files(view.deleted)
        rows = without_deleted(rows, keys, deletions, names=(EVENT_TIMESTAMP, *features))
    timing = view.selection.view.timing
    read = read_at(rows.lazy(), features=features, timing=timing, as_of=pl.col(AS_OF)).collect()
    return read.with_columns(rows[EVENT_TIMESTAMP])


def answer(questions: pl.DataFrame, join: Join) -> pl.DataFrame:
    """Return the answers of one span: number of the entity row, version, features; or those of `answer_windows`."""
    if isinstance(join, WindowJoin):
        return answer_windows(questions, join)
    version = version_columns(join.timing)
    rows = _rows_of(questions, join)
    positions = rows.select(*join.keys, *version).with_row_index(_POSITION)
    if join.span is None:
        positions = in_version_order(positions, join.keys, join.timing)
    versions = positions.collect()
    if versions.is_empty():
        return _NO_ANSWER
    in_span = questions
    for first_key in join.keys[:1]:
        # Both are sorted by key.
        question_keys, row_keys = questions[first_key], versions[first_key]
        start = question_keys.search_sorted(row_keys[0], "left")
        in_span = questions[start : question_keys.search_sorted(row_keys[-1], "right")]
    answered = (
        answers(in_span.lazy(), versions.lazy(), keys=join.keys, timing=join.timing)
        .filter(pl.col(_POSITION).is_not_null())
        .select(ROW, _POSITION, *version)
        .collect()
    )
    del versions
    if not answered.height or not join.features:
        return answered.drop(_POSITION)
    features = rows.select(join.features).collect()
    return answered.drop(_POSITION).hstack(features[answered[_POSITION]])


def _rows_of(questions: pl.DataFrame, join: SpanJoin) -> pl.LazyFrame:
    """Return the rows of a join: those of a span in the order of key and version, those of several files in any."""
    if join.span is not None:
        return scan_files(join.paths[0]).slice(join.span.start, join.span.rows)
    names = dict.fromkeys((*join.keys, *version_columns(join.timing), *join.features))
    rows = scan_files(join.paths).select(*names).collect()
    if join.keys and questions.height < rows.height // FEW:
        first_key = join.keys[0]
        rows = rows.join(questions.select(first_key).unique(), on=first_key, how="semi")
    return rows.lazy()


def _joins(questions: pl.DataFrame, view: ViewRows, span_bytes: int, at_once: int) -> Sequence[Join]:
    keys, timing, features = view.selection.view.keys, view.selection.view.timing, view.selection.features
    columns = (*keys, *version_columns(timing), *features)
    first_key = questions[keys[0]] if keys else None
    built, *logged = view.files
    size, _ = row_bytes(view.files[:1], columns)
    groups = _small_files(logged, span_bytes // EXPANSION)
    together = [SpanJoin(group, None, keys, timing, features) for group in groups]
    small = {path for group in groups for path in group}
    return together + [
        SpanJoin((path,), span, keys, timing, features)
        for path in (built, *(path for path in logged if path not in small))
        for span in spans(path, columns=columns, keys=first_key, limit=min(span_bytes, size // at_once))
    ]


def _small_files(paths: Sequence[Path], limit: int) -> list[tuple[Path, ...]]:
    """Group files that are read together: those of a group have at most `limit` bytes, a group at least two files."""
    groups: list[list[Path]] = [[]]
    size = 0
    for path in paths:
        own = path.stat().st_size
        if own > limit:
            continue
        if size + own > limit:
            groups.append([])
            size = 0
        groups[-1].append(path)
        size += own
    return [tuple(group) for group in groups if len(group) > 1]
