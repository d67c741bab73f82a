"""Prove rows of a feature view by their past alone: each row is built again from the last rows of its key.

A row that comes out the same from a part of what was known by its timestamp depends on no later value. Many rows are
built at once: the input rows of each are copied under a key of their own. A row that comes out different is not a leak
yet, because the part may be too small; it stays pending.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.known import FROM_THE_START, NEVER
from featurestore.errors import DefinitionError
from featurestore.operations.check_leaks.inputs import KNOWN, Leaf, Lineage, cut, different_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

PAIR: Final = "__pair"
# When the newest row of a pair would be known without the delay and the cadence of its view.
BEFORE_DELAY: Final = "__before_delay"
_COPY: Final = "__copy"
_POSITION: Final = "__position"
_FIRST: Final = "__first"
_LAST: Final = "__last"
_LIMIT: Final = "__limit"
_PAIR_KNOWN: Final = "__pair_known"
_ROW: Final = "__row"
FIRST_WINDOW: Final = 1
GROWTH: Final = 2
SAMPLED: Final = 32
MAX_PENDING: Final = 0.25
# With more keys than this, all keys have windows of one size.
MAX_GROUPS: Final = 64
_GROUP: Final = "__group"
_PENDING: Final = "__pending"
_PACKED: Final = 2**32
# Keys of these dtypes can be replaced by the number of a copy.
_COPY_DTYPES: Final = (pl.String, pl.Int32, pl.Int64, pl.UInt32)


@dataclass(frozen=True)
class _Entries:
    """When values of a leaf become known: for each key, its values in the order in which they do.

    Attributes
    ----------
    rows
        The row of the leaf, by position.
    last
        Key, timestamp, and the position of the last value that is known at it.
    first
        Key, and the position of its first value.
    """

    rows: pl.Series
    last: pl.DataFrame
    first: pl.DataFrame


class LastRows:
    """Builds rows of a view again from the last values of their keys.

    Parameters
    ----------
    full
        All rows of the view, built from all rows, with `KNOWN` and the number of their pair of key and timestamp.
    pairs
        The pairs, with their number, and with `BEFORE_DELAY`.
    copied_rows
        How many input rows to copy at once.
    """

    def __init__(
        self, lineage: Lineage, full: pl.DataFrame, pairs: pl.DataFrame, *, copied_rows: int
    ) -> None:
        view = lineage.view
        self.lineage = lineage
        self.full = full
        self.pairs = pairs
        self.copied_rows = copied_rows
        self.used_rows = 0
        self.copy_key = next(key for key in view.keys if isinstance(view.key_schema[key], _COPY_DTYPES))
        self.by_key = {
            name: leaf for name, leaf in lineage.leaves.items() if set(view.keys) <= set(leaf.frame.columns)
        }
        self.columns = {name: _columns_read(lineage, name) for name in self.by_key}
        self.entries = {
            name: _entries(leaf, view.keys, self.columns[name])
            for name, leaf in self.by_key.items()
            if not leaf.is_static
        }
        group = pairs.select(pl.struct(*view.keys).rank("dense").alias(_GROUP))[_GROUP]
        self.groups = group if group.n_unique() <= MAX_GROUPS else group * 0

    def pending(self, budget: int) -> pl.Series:
        """Return the numbers of the pairs that no window proves, within a budget of copied input rows.

        Most views do not read what became known between an event and the time at which its row is known. What was known at the
        event proves their rows, with few input rows.
        """
        pending = self.pairs[PAIR]
        if self.pairs.filter(pl.col(BEFORE_DELAY) < pl.col(KNOWN)).height:
            pending = self._pending(pending, BEFORE_DELAY, budget // 2)
        return self._pending(pending, KNOWN, budget)

    def _pending(self, pending: pl.Series, limit: str, budget: int) -> pl.Series:
        window = FIRST_WINDOW
        while pending.len() and self.used_rows < budget:
            ready, is_covered = self._ready(pending, window, limit)
            parts = [pending.filter(~pending.is_in(ready.implode()))]
            parts += [
                chunk if self.used_rows >= budget else self._still_pending(chunk, window, limit)[0]
                for chunk in self._chunks(ready, window)
            ]
            pending = pl.concat(parts).sort()
            if is_covered:
                break
            window *= GROWTH
        return pending

    def _ready(self, pending: pl.Series, window: int, limit: str) -> tuple[pl.Series, bool]:
        """Return the pairs of the groups of which a window proves most of a sample, and whether it covers all samples."""
        pairs = self.pairs[pending.to_list()].select(PAIR, self.groups[pending.to_list()])
        step = (pl.len().over(_GROUP) // SAMPLED).clip(1)
        sample = pairs.filter(pl.int_range(pl.len()).over(_GROUP) % step == 0)
        still_pending, is_covered = self._still_pending(sample[PAIR], window, limit)
        share = sample.group_by(_GROUP).agg(
            pl.col(PAIR).is_in(still_pending.implode()).mean().alias(_PENDING)
        )
        ready = pairs.join(share.filter(pl.col(_PENDING) <= MAX_PENDING), on=_GROUP, how="semi")
        return ready[PAIR], is_covered

    def _chunks(self, pending: pl.Series, window: int) -> Iterator[pl.Series]:
        size = max(self.copied_rows // window, 1)
        for start in range(0, pending.len(), size):
            yield pending.slice(start, size)

    def _still_pending(self, chunk: pl.Series, window: int, limit: str) -> tuple[pl.Series, bool]:
        """Return the pairs of a chunk that come out different, and whether the window covers all that was known."""
        copies = (
            self.pairs[chunk.to_list()]
            .with_row_index(_COPY)
            .with_columns(pl.col(_COPY).cast(pl.Int64), pl.col(limit).alias(_LIMIT))
        )
        frames = {
            name: leaf.cut(NEVER - 1) for name, leaf in self.lineage.leaves.items() if name not in self.by_key
        }
        is_covered = True
        for name, leaf in self.by_key.items():
            if name not in self.entries:
                frames[name] = self._static(leaf, copies, self.columns[name])
                continue
            frames[name], leaf_is_covered = self._last_values(name, leaf, copies, window)
            is_covered = is_covered and leaf_is_covered
        rebuilt = self.lineage.build(frames)
        copy = pl.col(self.copy_key).cast(pl.Int64) - 1
        rebuilt = (
            rebuilt.with_columns(copy.alias(_COPY))
            .join(copies.select(_COPY, PAIR, pl.col(KNOWN).alias(_PAIR_KNOWN)), on=_COPY)
            .filter(pl.col(KNOWN) == pl.col(_PAIR_KNOWN))
            .drop(_COPY, _PAIR_KNOWN)
        )
        expected = self.full.join(copies.select(PAIR), on=PAIR, how="semi")
        lacking, additional = different_rows(
            expected, rebuilt.select(expected.columns), by=lambda name: name != self.copy_key
        )
        pending = pl.concat([lacking[PAIR], additional[PAIR]]).unique().sort()
        return pending, is_covered

    def _last_values(
        self, name: str, leaf: Leaf, copies: pl.DataFrame, window: int
    ) -> tuple[pl.LazyFrame, bool]:
        keys = list(self.lineage.view.keys)
        entries = self.entries[name]
        spans = (
            copies.sort(_LIMIT)
            .join_asof(entries.last, left_on=_LIMIT, right_on=KNOWN, by=keys, check_sortedness=False)
            .join(entries.first, on=keys, how="inner")
            .filter(pl.col(_LAST).is_not_null())
        )
        start = pl.max_horizontal(pl.col(_LAST) - (window - 1), pl.col(_FIRST))
        is_covered = not spans.select((pl.col(_LAST) - (window - 1) > pl.col(_FIRST)).any()).item()
        positions = spans.select(_COPY, pl.int_ranges(start, pl.col(_LAST) + 1).alias(_POSITION)).explode(
            _POSITION
        )
        # Copy and row in one number: each row once, and the rows of a copy in the order of the dataset.
        packed = (positions[_COPY] * _PACKED + entries.rows.gather(positions[_POSITION])).sort()
        packed = packed.filter(packed.ne_missing(packed.shift()))
        rows = pl.DataFrame({_COPY: packed // _PACKED, _ROW: packed % _PACKED})
        rows = rows.with_columns(copies[_LIMIT].gather(rows[_COPY]))
        self.used_rows += rows.height
        columns = self.columns[name]
        needed = [*columns, KNOWN, *leaf.groups]
        gathered = leaf.frame.select(needed)[rows[_ROW]].with_columns(rows[_COPY], rows[_LIMIT])
        return cut(self._renamed(gathered, columns).lazy(), leaf, pl.col(_LIMIT)), is_covered

    def _static(self, leaf: Leaf, copies: pl.DataFrame, columns: list[str]) -> pl.LazyFrame:
        keys = list(self.lineage.view.keys)
        rows = leaf.frame.with_row_index(_ROW).join(copies.select(*keys, _COPY), on=keys).sort(_ROW, _COPY)
        self.used_rows += rows.height
        return cut(self._renamed(rows, columns).lazy(), leaf, pl.lit(FROM_THE_START, dtype=pl.Int64))

    def _renamed(self, rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
        # Numbers from 1, as keys often are.
        number = (pl.col(_COPY) + 1).cast(rows.schema[self.copy_key])
        return rows.with_columns(number.alias(self.copy_key)) if self.copy_key in columns else rows


def are_applicable(lineage: Lineage) -> bool:
    """Return whether windows can prove rows: each input has all keys of the view, or has none of them and is static."""
    keys = set(lineage.view.keys)
    if not lineage.is_direct or not any(
        isinstance(dtype, _COPY_DTYPES) for dtype in lineage.view.key_schema.values()
    ):
        return False
    return all(
        keys <= set(leaf.frame.columns) or (leaf.is_static and not keys & set(leaf.frame.columns))
        for leaf in lineage.leaves.values()
    )


def _entries(leaf: Leaf, keys: tuple[str, ...], columns: list[str]) -> _Entries:
    groups = [group for group, names in leaf.groups.items() if set(names) & set(columns)]
    numbered = leaf.frame.with_row_index(_ROW)
    known = pl.concat([numbered.select(*keys, _ROW, pl.col(name).alias(KNOWN)) for name in (KNOWN, *groups)])
    ordered = (
        known.filter(pl.col(KNOWN).is_between(FROM_THE_START + 1, NEVER - 1))
        .drop_nulls(list(keys))
        .unique()
        .sort(*keys, KNOWN, _ROW)
        .with_row_index(_POSITION)
        .with_columns(pl.col(_POSITION).cast(pl.Int64))
    )
    return _Entries(
        ordered[_ROW].cast(pl.Int64),
        ordered.group_by(*keys, KNOWN).agg(pl.col(_POSITION).max().alias(_LAST)).sort(KNOWN),
        ordered.group_by(*keys).agg(pl.col(_POSITION).min().alias(_FIRST)),
    )


def _columns_read(lineage: Lineage, name: str) -> list[str]:
    """Return the columns of a leaf that the view needs: without one of the others it has the same columns."""
    names = list(lineage.leaves[name].node.contract.schema)
    frames = {leaf_name: leaf.node.contract.empty() for leaf_name, leaf in lineage.leaves.items()}
    for column in list(names):
        remaining = [kept for kept in names if kept != column]
        if column not in lineage.view.keys and _builds(
            lineage, frames | {name: frames[name].select(remaining)}
        ):
            names = remaining
    return names


def _builds(lineage: Lineage, frames: dict[str, pl.LazyFrame]) -> bool:
    try:
        lineage.build(frames)
    except (DefinitionError, pl.exceptions.PolarsError):
        return False  # the function reads the column
    return True
