"""Polars at its worst: what Polars does not promise differs between builds, even on a few rows.

On a few rows Polars mostly keeps an order that it does not promise, and returns one chunk. Inside
`perturbed_execution`, verbs return rows in an order drawn by a seed where the order is not promised,
draw which of several equal rows is kept, and return several chunks. A build whose result survives
this survives large data and many threads.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Method = Callable[..., Any]

# A frame of fewer rows stays in one chunk.
_MIN_CHUNKED: Final = 2
_MAX_CHUNKS: Final = 5


@contextmanager
def perturbed_execution(seed: int) -> Iterator[None]:
    """Let Polars do what it may do, until the block ends.

    Parameters
    ----------
    seed
        Decides orders and chunks. Two builds with two seeds differ if they depend on either.
    """
    originals = {(cls, name): getattr(cls, name) for cls, name in _PERTURBED}
    for (cls, name), original in originals.items():
        setattr(cls, name, wraps(original)(_PERTURBED[cls, name](original, seed)))
    try:
        yield
    finally:
        for (cls, name), original in originals.items():
            setattr(cls, name, original)


def in_chunks(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Cut a frame into chunks of unequal size."""
    if frame.height < _MIN_CHUNKED:
        return frame
    cuts = sorted(
        {0, frame.height, *(frame.height * n // (_MAX_CHUNKS + seed) for n in range(1, _MAX_CHUNKS))}
    )
    return pl.concat([frame[start:end] for start, end in pairwise(cuts)], rechunk=False)


def _shuffled(frame: pl.LazyFrame, seed: int) -> pl.LazyFrame:
    return frame.map_batches(
        lambda rows: rows.sample(fraction=1, shuffle=True, seed=seed), validate_output_schema=False
    )


def _chunked(original: Method, seed: int) -> Method:
    """Return a verb of a lazy frame that returns several chunks."""

    def chunked(self: pl.LazyFrame, *args: Any, **options: Any) -> Any:
        return original(self, *args, **options).map_batches(
            lambda frame: in_chunks(frame, seed),
            predicate_pushdown=True,
            projection_pushdown=True,
            validate_output_schema=False,
        )

    return chunked


def _first_shuffled(original: Method, seed: int) -> Method:
    """Return a verb that reads shuffled rows unless the order of its result is promised."""

    def verb(self: pl.LazyFrame, *args: Any, maintain_order: bool = False, **options: Any) -> Any:
        rows = self if maintain_order else _shuffled(self, seed)
        return original(rows, *args, maintain_order=maintain_order, **options)

    return verb


def _best_rows(original: Method, seed: int) -> Method:
    return lambda self, *args, **options: original(_shuffled(self, seed), *args, **options)


def _unique(original: Method, seed: int) -> Method:
    def unique(self: Any, subset: Any = None, *, keep: str = "any", maintain_order: bool = False) -> Any:
        rows = _shuffled(self, seed) if keep == "any" else self
        result = original(rows, subset, keep=keep, maintain_order=maintain_order)
        return result if maintain_order else _shuffled(result, seed)

    return unique


def _join(original: Method, seed: int) -> Method:
    def join(self: Any, *args: Any, **options: Any) -> Any:
        how = args[2] if len(args) > len(("frame", "on")) else options.get("how", "inner")
        is_ordered = how == "cross" or options.get("maintain_order") not in {None, "none"}
        result = original(self, *args, **options)
        return result if is_ordered else _shuffled(result, seed)

    return join


def _join_where(original: Method, seed: int) -> Method:
    return lambda self, *args, **options: _shuffled(original(self, *args, **options), seed)


def _values(original: Method, seed: int) -> Method:
    """Return a verb of an expression whose values come in an order of their own unless it is promised."""

    def values(self: pl.Expr, *, maintain_order: bool = False) -> Any:
        result = original(self, maintain_order=maintain_order)
        return result if maintain_order else result.shuffle(seed)

    return values


def _sort_by(original: Method, seed: int) -> Method:
    def sort_by(self: pl.Expr, by: Any, *more: Any, maintain_order: bool = False, **options: Any) -> Any:
        if maintain_order:
            return original(self, by, *more, maintain_order=True, **options)
        columns = self.shuffle(seed), *(_expression(key).shuffle(seed) for key in _keys(by, *more))
        return original(*columns, maintain_order=True, **options)

    return sort_by


def _best_values(original: Method, seed: int) -> Method:
    def best(self: pl.Expr, by: Any, k: Any = 5, **options: Any) -> Any:
        keys = [_expression(key).shuffle(seed) for key in _keys(by)]
        return original(self.shuffle(seed), keys, k, **options)

    return best


def _value_counts(original: Method, seed: int) -> Method:
    def value_counts(self: pl.Expr, *, sort: bool = False, **options: Any) -> Any:
        counts = original(self, sort=sort, **options).shuffle(seed)
        if not sort:
            return counts
        name = options.get("name") or ("proportion" if options.get("normalize") else "count")
        return counts.sort_by(counts.struct.field(name), descending=True, maintain_order=True)

    return value_counts


def _sql(original: Method, seed: int) -> Method:
    """Return the execution of SQL; without ORDER BY its rows have no order."""

    def execute(self: pl.SQLContext[Any], query: str, *, eager: bool | None = None) -> Any:
        result = original(self, query, eager=False)
        rows = result if _is_sorted(result) else _shuffled(result, seed)
        return rows.collect() if (self._eager_execution if eager is None else eager) else rows

    return execute


def _is_sorted(plan: pl.LazyFrame) -> bool:
    """Return whether a plan ends with a sort, and steps after it that keep the order."""
    steps = plan._ldf.visit()  # noqa: SLF001 - the only way to read the steps of a plan as data
    while True:
        step = type(steps.view_current_node()).__name__
        if step not in {"Filter", "HStack", "MapFunction", "Select", "SimpleProjection", "Slice"}:
            return step == "Sort"
        steps.set_node(steps.get_inputs()[0])


def _keys(*keys: Any) -> list[Any]:
    return [part for key in keys for part in (key if isinstance(key, list | tuple) else [key])]


def _expression(key: Any) -> pl.Expr:
    return pl.col(key) if isinstance(key, str) else key


def _both(shuffle: Callable[[Method, int], Method]) -> Callable[[Method, int], Method]:
    return lambda original, seed: _chunked(shuffle(original, seed), seed)


_PERTURBED: Final[dict[tuple[Any, str], Callable[[Method, int], Method]]] = {
    **{(pl.LazyFrame, name): _chunked for name in ("explode", "filter", "select")},
    (pl.LazyFrame, "sort"): _both(_first_shuffled),
    (pl.LazyFrame, "group_by"): _first_shuffled,
    (pl.LazyFrame, "unique"): _both(_unique),
    (pl.LazyFrame, "join"): _both(_join),
    (pl.LazyFrame, "join_where"): _both(_join_where),
    **{(pl.LazyFrame, name): _both(_best_rows) for name in ("top_k", "bottom_k")},
    **{(pl.Expr, name): _values for name in ("mode", "unique")},
    (pl.Expr, "sort_by"): _sort_by,
    **{(pl.Expr, name): _best_values for name in ("top_k_by", "bottom_k_by")},
    (pl.Expr, "value_counts"): _value_counts,
    (pl.SQLContext, "execute"): _sql,
}
