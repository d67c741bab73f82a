"""Polars as the compute engine: the point-in-time join of each view, span by span, in bounded memory.

A view's file lies in the order of key and version, so a span of it needs no sort, and most keys have all their rows in
one. What a span finds is the view's answer unless another span knows a greater version (`timing.join.greatest`); so
spans can be read in any order, one after another here, or on many machines (`adapters.ray`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from featurestore.definitions.call import run
from featurestore.storage.row_groups import Span, spans
from featurestore.timing.columns import EVENT_SUFFIX, EVENT_TIMESTAMP
from featurestore.timing.join import MOMENT, ROW, answers, greatest, read_at, version_columns
from featurestore.vectors.alias import as_asked, view_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from featurestore.definitions.catalog import Derived
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.definitions.feature_view import Selection
    from featurestore.ports import ViewRows
    from featurestore.timing.known_at import Timing

MIB: Final = 1 << 20
_PLACE: Final = "__place"


@dataclass(frozen=True)
class SpanJoin:
    """One piece of work: what one span of a view's file answers. Plain values, so that it can travel."""

    path: Path
    span: Span
    keys: tuple[str, ...]
    timing: Timing
    features: tuple[str, ...]


Run: TypeAlias = "Callable[[pl.DataFrame, Sequence[SpanJoin]], Iterable[pl.DataFrame]]"


@dataclass(frozen=True)
class PolarsEngine:
    """Joins in this process.

    Attributes
    ----------
    span_bytes
        How much of a file is read at once, uncompressed. The result is the same for any.
    """

    span_bytes: int = 512 * MIB

    def transform(self, derived: Derived | TrainingSet, inputs: Sequence[pl.LazyFrame]) -> pl.DataFrame:
        """Run a definition's function over its inputs."""
        return run(derived.name, derived.function, *inputs)

    def historical(self, entity_rows: pl.DataFrame, views: Sequence[ViewRows]) -> pl.DataFrame:
        """Join to entity rows, in their order, what each view answers."""
        return join_spans(entity_rows, views, self.span_bytes, _in_turn)


def _in_turn(asked: pl.DataFrame, work: Sequence[SpanJoin]) -> Iterable[pl.DataFrame]:
    return (answer(asked, piece) for piece in work)


def join_spans(
    entity_rows: pl.DataFrame, views: Sequence[ViewRows], span_bytes: int, each: Run
) -> pl.DataFrame:
    """Cut the files of views into spans, have them answered by `each`, and put the answers in place.

    Parameters
    ----------
    entity_rows, views
        As for `featurestore.ports.ComputeEngine.historical`.
    span_bytes
        How much of a file makes a span.
    each
        Is given entity rows by key and moment and the pieces of work of a view, and gives what `answer` says of each;
        it is called for all views before the first answer is awaited.
    """
    moments = entity_rows.select(pl.col(EVENT_TIMESTAMP).alias(MOMENT))
    asked: dict[tuple[tuple[str, ...], tuple[str, ...]], pl.DataFrame] = {}
    running = []
    for view in views:
        keys = (view.selection.keys, view.selection.view.keys)
        if keys not in asked:
            asked[keys] = _asked(entity_rows, view.selection)
        rows = asked[keys]
        running.append((view, each(rows, _work(rows, view, span_bytes))))
    joined = []
    for view, parts in running:
        found = _in_place([part for part in parts if part.height], view, moments)
        selection = view.selection
        read = read_at(
            found.lazy(),
            features=selection.features,
            timing=selection.view.timing,
            moment=pl.col(MOMENT),
        ).collect()
        event = found[EVENT_TIMESTAMP].alias(f"{selection.label}{EVENT_SUFFIX}")
        joined.append(as_asked(read, selection).with_columns(event))
    return pl.concat([entity_rows, *joined], how="horizontal")


def answer(asked: pl.DataFrame, work: SpanJoin) -> pl.DataFrame:
    """Find what one span answers: row number, version, features."""
    first_key, version = work.keys[0], version_columns(work.timing)
    rows = pl.scan_parquet(work.path).slice(work.span.start, work.span.rows)
    versions = rows.select(*work.keys, *version).with_row_index(_PLACE).collect()
    first, last = (pl.lit(versions[first_key][end]) for end in (0, -1))
    near = asked.lazy().filter(pl.col(first_key).is_between(first, last))
    found = (
        answers(near, versions.lazy(), keys=work.keys, timing=work.timing)
        .filter(pl.col(_PLACE).is_not_null())
        .select(ROW, _PLACE, *version)
        .collect()
    )
    del versions
    if not found.height or not work.features:
        return found.drop(_PLACE)
    features = rows.select(work.features).collect()
    return found.drop(_PLACE).hstack(features[found[_PLACE]])


def _asked(entity_rows: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """Give the entity rows numbers and sort them by key and moment."""
    keys = selection.view.keys
    asked = entity_rows.select(*view_keys(selection), pl.col(EVENT_TIMESTAMP).alias(MOMENT))
    asked = asked.with_row_index(ROW)
    return asked.drop_nulls(list(keys)).sort(*keys, MOMENT)


def _work(asked: pl.DataFrame, view: ViewRows, span_bytes: int) -> list[SpanJoin]:
    keys, timing, features = view.selection.view.keys, view.selection.view.timing, view.selection.features
    columns = (*keys, *version_columns(timing), *features)
    return [
        SpanJoin(path, span, keys, timing, features)
        for path in view.files
        for span in spans(path, columns=columns, keys=asked[keys[0]], limit=span_bytes)
    ]


def _in_place(parts: list[pl.DataFrame], rows: ViewRows, moments: pl.DataFrame) -> pl.DataFrame:
    """Put what was found in the order of the entity rows; where nothing was, nulls."""
    view, names = rows.selection.view, (EVENT_TIMESTAMP, *rows.selection.features)
    if not parts:
        return moments.with_columns(
            pl.lit(None, dtype=view.contract[name].dtype).alias(name) for name in names
        )
    found = pl.concat(parts, rechunk=True)
    best = found.select(ROW, *version_columns(view.timing)).with_row_index(_PLACE)
    if len(parts) > 1:
        # Few rows are answered by two spans: those whose key lies across the border.
        several = best[ROW].is_duplicated()
        best = pl.concat(
            [best.filter(~several), greatest(best.filter(several).lazy(), view.timing).collect()]
        )
    places = pl.repeat(None, moments.height, dtype=pl.UInt32, eager=True).scatter(best[ROW], best[_PLACE])
    return moments.hstack(found.select(names)[places])
