"""The verbs of Polars as a build runs them: each depends on its rows and their order alone.

Three things make the results of Polars depend on threads. Rows of equal rank come in any order. The
streaming engine adds up parts of a group by thread. An aggregation of a whole column adds up each
chunk separately, and parallel steps return a chunk for each thread. A verb here keeps the order of
its input, prefers the first of equal rows, runs in memory, and gives aggregations one chunk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from copy import copy
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars.lazyframe.engine import InMemoryEngine, _LocalEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    Method = Callable[..., Any]
    Decorator = Callable[[Method], Method]

_ROW: Final = "__row_number"
_IN_MEMORY: Final = InMemoryEngine()


def _with(**options: Any) -> Callable[[Method], Method]:
    """Return a decorator that gives a method other options than its caller does."""
    return lambda original: lambda self, *args, **kwargs: original(self, *args, **kwargs | options)


def _run(original: Method) -> Method:
    """Return a way to run plans in memory, as they were written."""

    def run(_: Any, plans: Any, *args: Any, optimizations: pl.QueryOptFlags, **options: Any) -> Any:
        # Polars leaves out a sort before a sum, joins in an order of its own, and merges sorts.
        flags = copy(optimizations).update(check_order_observe=False, sort_collapse=False, join_order=False)
        result = original(_IN_MEMORY, plans, *args, optimizations=flags, **options)
        if isinstance(result, list):
            return [frame.rechunk() for frame in result]
        return result.rechunk() if isinstance(result, pl.DataFrame) else result

    return run


def _write(original: Method) -> Method:
    """Return a way to write the rows of a plan in their order; Polars streams what it writes."""
    return lambda _, plan, *args, **options: original(_IN_MEMORY, plan.collect().lazy(), *args, **options)


def _rechunk(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.rechunk()


def _in_one_chunk(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.map_batches(
        _rechunk,
        predicate_pushdown=True,
        projection_pushdown=True,
        slice_pushdown=True,
        validate_output_schema=False,
    )


def _aggregating(original: Method) -> Method:
    """Return a verb of a lazy frame that reads one chunk, if its expressions read more than one row."""

    def aggregating(self: Any, *arguments: Any, **options: Any) -> Any:
        args = _lists(arguments)
        frame = self if all(map(_is_row_wise, _expressions((args, options)))) else _in_one_chunk(self)
        return original(frame, *args, **options)

    return aggregating


def _adding(original: Method) -> Method:
    """Return `select` or `with_columns`, where a sum of a column is not split among threads.

    Polars splits it if there are more threads than expressions.
    """
    aggregating = _aggregating(original)

    def adding(self: Any, *arguments: Any, **options: Any) -> Any:
        args = _lists(arguments)
        result = aggregating(self, *args, **options)
        if not any(map(_adds, _expressions((args, options)))):
            return result
        padded = aggregating(self, *args, **options, **_padding())
        return _without_padding(padded, result.collect_schema())

    return adding


def _sum_of_columns(original: Method) -> Method:
    """Return `sum` of a lazy frame, where no column is split among threads."""

    def sum_of_columns(self: Any) -> Any:
        padded = original(_in_one_chunk(self.with_columns(**_padding())))
        return _without_padding(padded, original(self).collect_schema())

    return sum_of_columns


def _padding() -> dict[str, pl.Expr]:
    return {f"__padding_{number}": pl.lit(number) for number in range(pl.thread_pool_size())}


def _without_padding(padded: pl.LazyFrame, schema: pl.Schema) -> pl.LazyFrame:
    # The optimizer does not look into a function, so it does not remove the padding too early.
    return padded.map_batches(
        lambda frame: frame.select(schema.names()), schema=schema, validate_output_schema=False
    )


def _filter(original: Method) -> Method:
    """Return `filter` or `remove`, where a sum in a predicate is not split among threads."""

    def keep(self: Any, *arguments: Any, **constraints: Any) -> Any:
        predicates = _lists(arguments)
        expressions = list(_expressions(predicates))
        if not any(map(_adds, expressions)):
            return _aggregating(original)(self, *predicates, **constraints)
        names = [f"__predicate_{number}" for number in range(len(expressions))]
        frame = self.with_columns(**dict(zip(names, expressions, strict=True)))
        return original(frame, *map(pl.col, names), **constraints).drop(names)

    return keep


def _on_one_chunk(original: Method) -> Method:
    """Return a method of a lazy frame that reads one chunk."""
    return lambda self, *args, **options: original(_in_one_chunk(self), *args, **options)


def _of_one_chunk(original: Method) -> Method:
    """Return a method of a series that reads one chunk."""
    return lambda self, *args, **options: original(self.rechunk(), *args, **options)


def _lists(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return arguments that can be read more than once: generators as lists."""
    return tuple(list(value) if isinstance(value, Iterator) else value for value in arguments)


def _expressions(value: Any) -> Iterator[pl.Expr]:
    if isinstance(value, pl.Expr):
        yield value
    elif isinstance(value, dict):
        yield from _expressions(tuple(value.values()))
    elif isinstance(value, Collection) and not isinstance(value, str | bytes | pl.Series):
        for part in value:
            yield from _expressions(part)


def _is_row_wise(expression: pl.Expr) -> bool:
    try:
        return expression.meta.is_row_separable() and all(map(_is_row_wise, expression.meta.pop()))
    except pl.exceptions.PolarsError:  # Polars cannot tell: a selector, or a function of Python
        return False


def _adds(expression: pl.Expr) -> bool:
    parts = expression.meta.pop()
    return any(map(_adds, parts)) or (len(parts) == 1 and expression.meta.eq(parts[0].sum()))


def _unique(original: Method) -> Method:
    def unique(self: Any, subset: Any = None, *, keep: str = "any", maintain_order: bool = True) -> Any:  # noqa: ARG001
        return original(self, subset, keep="first" if keep == "any" else keep, maintain_order=True)

    return unique


def _join(original: Method) -> Method:
    def join(self: Any, *args: Any, **options: Any) -> Any:
        how = args[2] if len(args) > len(("frame", "on")) else options.get("how", "inner")
        if how != "cross":  # It keeps the order of both sides already.
            orders = {"semi": "left", "anti": "left", "right": "right_left"}
            options["maintain_order"] = orders.get(how, "left_right")
        return original(self, *args, **options)

    return join


def _best_rows(*, largest: bool) -> Callable[[Method], Method]:
    """Return `top_k` or `bottom_k` of a frame; of equal rows the first ones are kept."""

    def decorate(original: Method) -> Method:
        def best(self: Any, k: int, *, by: Any, reverse: Any = False) -> Any:
            keys = [by] if isinstance(by, str | pl.Expr) else list(by)
            flags = [reverse] * len(keys) if isinstance(reverse, bool) else list(reverse)
            # The row number is a last key: where the largest values win, the smallest number must win.
            rows = original(self.with_row_index(_ROW), k, by=[*keys, _ROW], reverse=[*flags, largest])
            descending = [flag != largest for flag in flags]
            return rows.sort([*keys, _ROW], descending=[*descending, False], nulls_last=True).drop(_ROW)

        return best

    return decorate


def _best_values(*, largest: bool) -> Callable[[Method], Method]:
    """Return `top_k_by` or `bottom_k_by` of an expression; of equal rows the first ones are kept."""

    def decorate(_: Method) -> Method:
        def best(self: Any, by: Any, k: Any = 5, *, reverse: Any = False) -> Any:
            flags = reverse != largest if isinstance(reverse, bool) else [flag != largest for flag in reverse]
            return self.sort_by(by, descending=flags, nulls_last=True, maintain_order=True).head(k)

        return best

    return decorate


def _join_where(original: Method) -> Method:
    def join_where(self: Any, *args: Any, **options: Any) -> Any:
        right, *predicates = args if "other" not in options else (options.pop("other"), *args)
        numbers = (_ROW, f"{_ROW}_right")
        rows = original(
            self.with_row_index(numbers[0]), right.with_row_index(numbers[1]), *predicates, **options
        )
        return rows.sort(numbers).drop(numbers)

    return join_where


def _value_counts(original: Method) -> Method:
    def value_counts(
        self: Any,
        *,
        sort: bool = False,
        parallel: bool = False,
        name: str | None = None,
        normalize: bool = False,
    ) -> Any:
        counts = original(self, parallel=parallel, name=name, normalize=normalize).sort()
        number = counts.struct.field(name or ("proportion" if normalize else "count"))
        return counts.sort_by(number, descending=True, maintain_order=True) if sort else counts

    return value_counts


def _approx_quantile(_: Method) -> Method:
    def approx_quantile(*_args: Any, **_options: Any) -> Any:
        raise pl.exceptions.InvalidOperationError(
            "approx_quantile draws numbers at random; expected the same result in each build: use quantile"
        )

    return approx_quantile


_KEEP = _with(maintain_order=True)
_RUNS: Final = ("collect", "collect_async", "collect_all", "collect_all_async")
_WRITES: Final = ("collect_batches", "sink_batches", "sink_csv", "sink_ipc", "sink_ndjson", "sink_parquet")
_PROJECTIONS: Final = ("select", "select_seq", "with_columns", "with_columns_seq")
_WHOLE_COLUMN_VERBS: Final = ("group_by_dynamic", "mean", "rolling", "std", "var")
_SERIES_STATISTICS: Final = ("sum", "mean", "std", "var", "dot", "product", "entropy", "skew", "kurtosis")
_FRAMES = (pl.LazyFrame, pl.DataFrame)
ORDERED: Final[dict[tuple[type, str], Callable[[Method], Method]]] = {
    **{(cls, name): _KEEP for cls in _FRAMES for name in ("merge_sorted", "pivot")},
    (pl.LazyFrame, "group_by"): lambda original: _KEEP(_on_one_chunk(original)),
    (pl.LazyFrame, "sort"): lambda original: _KEEP(_aggregating(original)),
    **{(pl.DataFrame, name): _KEEP for name in ("group_by", "sort")},
    **{(cls, "unique"): _unique for cls in _FRAMES},
    **{(cls, "join"): _join for cls in _FRAMES},
    **{(cls, "top_k"): _best_rows(largest=True) for cls in _FRAMES},
    **{(cls, "bottom_k"): _best_rows(largest=False) for cls in _FRAMES},
    **{(cls, "join_where"): _join_where for cls in _FRAMES},
    (pl.DataFrame, "partition_by"): _KEEP,
    (pl.DataFrame, "upsample"): _KEEP,
    **{(_LocalEngine, name): _run for name in _RUNS},
    **{(_LocalEngine, name): _write for name in _WRITES},
    **{(pl.LazyFrame, name): _adding for name in _PROJECTIONS},
    (pl.LazyFrame, "sum"): _sum_of_columns,
    **{(pl.LazyFrame, name): _filter for name in ("filter", "remove")},
    **{(pl.LazyFrame, name): _on_one_chunk for name in _WHOLE_COLUMN_VERBS},
    **{(pl.Series, name): _of_one_chunk for name in _SERIES_STATISTICS},
    **{(cls, "approx_quantile"): _approx_quantile for cls in (pl.Expr, pl.Series)},
    **{(cls, name): _KEEP for cls in (pl.Expr, pl.Series) for name in ("mode", "unique")},
    (pl.Expr, "value_counts"): _value_counts,
    (pl.Expr, "sort_by"): _KEEP,
    (pl.Expr, "top_k_by"): _best_values(largest=True),
    (pl.Expr, "bottom_k_by"): _best_values(largest=False),
}
