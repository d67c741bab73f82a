"""Polars as the compute engine: the point-in-time join of each view, in one process and in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.storage.row_groups import Span, spans
from featurestore.timing.columns import EVENT_SUFFIX, EVENT_TIMESTAMP
from featurestore.timing.join import MOMENT, ROW, answers, greatest, read_at, version_columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from featurestore.definitions.feature_view import Selection
    from featurestore.ports import ViewRows

MIB: Final = 1 << 20
_PLACE: Final = "__place"


@dataclass(frozen=True)
class PolarsEngine:
    """Joins views to entity rows, span by span of each view's file.

    A file lies in the order of key and version, so a span needs no sort, and most keys have all their rows in one. What a
    span finds is the view's answer unless another span knows a greater version (`timing.join.greatest`).

    Attributes
    ----------
    span_bytes
        How much of a file is read at once, uncompressed. The result is the same for any.
    """

    span_bytes: int = 512 * MIB

    def historical(self, entity_rows: pl.DataFrame, views: Sequence[ViewRows]) -> pl.DataFrame:
        """Join to entity rows, in their order, what each view answers."""
        moments = entity_rows.select(pl.col(EVENT_TIMESTAMP).alias(MOMENT))
        asked = {keys: asked_rows(entity_rows, keys) for keys in {view.selection.view.keys for view in views}}
        joined = [self._join(asked[view.selection.view.keys], moments, view) for view in views]
        return pl.concat([entity_rows, *joined], how="horizontal")

    def _join(self, asked: pl.DataFrame, moments: pl.DataFrame, view: ViewRows) -> pl.DataFrame:
        selection = view.selection
        keys, timing = selection.view.keys, selection.view.timing
        parts = [
            found
            for path in view.files
            for span in spans(
                path,
                columns=(*keys, *version_columns(timing), *selection.features),
                keys=asked[keys[0]],
                limit=self.span_bytes,
            )
            if (found := answers_of(asked, path, span, selection)).height
        ]
        found = _in_place(parts, selection, moments)
        read = read_at(
            found.lazy(), features=selection.features, timing=timing, moment=pl.col(MOMENT)
        ).collect()
        return read.with_columns(found[EVENT_TIMESTAMP].alias(f"{selection.view.name}{EVENT_SUFFIX}"))


def asked_rows(entity_rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Give the entity rows numbers and sort them by key and moment."""
    asked = entity_rows.select(*keys, pl.col(EVENT_TIMESTAMP).alias(MOMENT)).with_row_index(ROW)
    return asked.drop_nulls(list(keys)).sort(*keys, MOMENT)


def answers_of(asked: pl.DataFrame, path: Path, span: Span, selection: Selection) -> pl.DataFrame:
    """Find what one span of a view's file answers: row number, version, features."""
    keys, timing = selection.view.keys, selection.view.timing
    version = version_columns(timing)
    rows = pl.scan_parquet(path).slice(span.start, span.rows)
    versions = rows.select(*keys, *version).with_row_index(_PLACE).collect()
    first, last = (pl.lit(versions[keys[0]][end]) for end in (0, -1))
    near = asked.lazy().filter(pl.col(keys[0]).is_between(first, last))
    found = (
        answers(near, versions.lazy(), keys=keys, timing=timing)
        .filter(pl.col(_PLACE).is_not_null())
        .select(ROW, _PLACE, *version)
        .collect()
    )
    del versions
    if not found.height or not selection.features:
        return found.drop(_PLACE)
    features = rows.select(selection.features).collect()
    return found.drop(_PLACE).hstack(features[found[_PLACE]])


def _in_place(parts: list[pl.DataFrame], selection: Selection, moments: pl.DataFrame) -> pl.DataFrame:
    """Put what was found in the order of the entity rows; where nothing was, nulls."""
    view = selection.view
    if not parts:
        schema = {name: view.contract[name].dtype for name in (EVENT_TIMESTAMP, *selection.features)}
        return moments.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items())
    found = pl.concat(parts, rechunk=True)
    best = found.select(ROW, *version_columns(view.timing)).with_row_index(_PLACE)
    if len(parts) > 1:
        # Few rows are answered by two spans: those whose key lies across the border.
        several = best[ROW].is_duplicated()
        best = pl.concat(
            [best.filter(~several), greatest(best.filter(several).lazy(), view.timing).collect()]
        )
    places = pl.repeat(None, moments.height, dtype=pl.UInt32, eager=True).scatter(best[ROW], best[_PLACE])
    return moments.hstack(found.select(EVENT_TIMESTAMP, *selection.features)[places])
