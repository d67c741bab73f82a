"""Run code of Polars so that its result depends on its inputs alone, not on threads or hashes.

Polars may return rows of equal rank in any order, add up parts of a group by thread, and keep any
of several duplicates. Each of these changes the last bits of a sum or the row that is kept. Inside
`ordered_execution`, verbs keep the order of their input, ties go to the first row, and the engine
adds up each group from its first row to its last.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from copy import copy
from functools import wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Method = Callable[..., Any]

# The in-memory engine aggregates a group in the order of its rows, unless it first splits the rows
# among threads.
_ENVIRONMENT: Final = {"POLARS_NO_PARTITION": "1", "POLARS_ENGINE_AFFINITY": "in-memory"}
_ROW: Final = "__row_number"

_lock = Lock()
_running = 0
_originals: dict[tuple[type, str], Method] = {}
_environment: dict[str, str | None] = {}


@contextmanager
def ordered_execution() -> Iterator[None]:
    """Make the verbs of Polars keep the order of rows, in this process, until the block ends.

    Blocks may be nested and may run in several threads. Expressions that were made before the block
    keep the verbs that they were made with.
    """
    global _running  # noqa: PLW0603 - the verbs of Polars belong to the process
    with _lock:
        if not _running:
            _install()
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if not _running:
                _restore()


def _install() -> None:
    for variable, value in _ENVIRONMENT.items():
        _environment[variable] = os.environ.get(variable)
        os.environ[variable] = value
    for (cls, name), ordered in _ORDERED.items():
        original = getattr(cls, name)
        _originals[cls, name] = original
        setattr(cls, name, wraps(original)(ordered(original)))


def _restore() -> None:
    for (cls, name), original in _originals.items():
        setattr(cls, name, original)
    _originals.clear()
    for variable, value in _environment.items():
        if value is None:
            del os.environ[variable]
        else:
            os.environ[variable] = value


def _with(**options: Any) -> Callable[[Method], Method]:
    """Return a decorator that gives a method other options than its caller does."""
    return lambda original: lambda self, *args, **kwargs: original(self, *args, **kwargs | options)


def _collect(original: Method) -> Method:
    def collect(self: Any, *, optimizations: pl.QueryOptFlags | None = None, **options: Any) -> Any:
        flags = pl.QueryOptFlags() if optimizations is None else optimizations
        # Polars leaves out a sort before a sum, joins in an order of its own, and merges sorts.
        ordered = copy(flags).update(check_order_observe=False, sort_collapse=False, join_order=False)
        return original(self, **options | {"engine": "in-memory", "optimizations": ordered})

    return collect


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


_KEEP = _with(maintain_order=True)
_FRAMES = (pl.LazyFrame, pl.DataFrame)
_ORDERED: Final[dict[tuple[type, str], Callable[[Method], Method]]] = {
    **{(cls, name): _KEEP for cls in _FRAMES for name in ("group_by", "merge_sorted", "pivot", "sort")},
    **{(cls, "unique"): _unique for cls in _FRAMES},
    **{(cls, "join"): _join for cls in _FRAMES},
    **{(cls, "top_k"): _best_rows(largest=True) for cls in _FRAMES},
    **{(cls, "bottom_k"): _best_rows(largest=False) for cls in _FRAMES},
    **{(cls, "join_where"): _join_where for cls in _FRAMES},
    (pl.DataFrame, "partition_by"): _KEEP,
    (pl.DataFrame, "upsample"): _KEEP,
    (pl.LazyFrame, "collect"): _collect,
    **{(cls, name): _KEEP for cls in (pl.Expr, pl.Series) for name in ("mode", "unique")},
    (pl.Expr, "value_counts"): _value_counts,
    (pl.Expr, "sort_by"): _KEEP,
    (pl.Expr, "top_k_by"): _best_values(largest=True),
    (pl.Expr, "bottom_k_by"): _best_values(largest=False),
}
