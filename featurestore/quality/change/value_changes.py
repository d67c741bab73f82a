"""What changed between two versions of a dataset, row by row, told apart by a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.quality.rules.duplicates import duplicated_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_EXAMPLES = 3


class ValueChanges(msgspec.Struct, frozen=True, kw_only=True):
    """How rows differ.

    Attributes
    ----------
    added, removed
        Rows whose key is only in the later, or only in the earlier.
    changed
        Rows of one key in which a value differs.
    columns
        For each column, rows in which it differs.
    examples
        For each such column the first few, as ``key: before -> after``.
    """

    key: tuple[str, ...]
    same: int
    added: int
    removed: int
    changed: int
    columns: dict[str, int]
    examples: dict[str, tuple[str, ...]]


def value_changes(
    before: pl.LazyFrame, after: pl.LazyFrame, key: Sequence[str], personal: Collection[str] = ()
) -> ValueChanges:
    """Compare the rows of two frames by their key; columns that only one of them has, or of other kinds, are passed over.

    Missing equals missing, and NaN equals NaN.

    Parameters
    ----------
    personal
        Columns of whose values none is shown; where the key is one of them, no example is.

    Raises
    ------
    ContractError
        If a key is not unique in one of them.
    """
    schema = after.collect_schema()
    shared = [
        name
        for name, dtype in before.collect_schema().items()
        if name in schema
        and name not in key
        and (dtype == schema[name] or (dtype.is_numeric() and schema[name].is_numeric()))
    ]
    for which, frame in (("before", before), ("after", after)):
        if not duplicated_rows(frame.with_row_index("__row__"), list(key), "__row__").is_empty():
            raise ContractError(
                f"rows cannot be compared by {', '.join(key)}: it is not unique {which}",
                hint="name another key",
            )
    here, there = "__before__", "__after__"
    both = (
        before.select(*key, *(pl.col(n).alias(f"{here}{n}") for n in shared), pl.lit(value=True).alias(here))
        .join(
            after.select(
                *key, *(pl.col(n).alias(f"{there}{n}") for n in shared), pl.lit(value=True).alias(there)
            ),
            on=list(key),
            how="full",
            coalesce=True,
            nulls_equal=True,
        )
        .with_columns(
            (pl.col(f"{here}{n}").ne_missing(pl.col(f"{there}{n}")) & pl.col(here) & pl.col(there)).alias(n)
            for n in shared
        )
        .collect(engine="streaming")
    )
    any_changed = pl.any_horizontal(pl.lit(value=False), *shared).fill_null(value=False)
    told = both.select(
        added=pl.col(here).is_null().sum(),
        removed=pl.col(there).is_null().sum(),
        changed=any_changed.sum(),
        **{f"n {n}": pl.col(n).sum() for n in shared},
    ).row(0, named=True)
    columns = {n: told[f"n {n}"] for n in shared if told[f"n {n}"]}
    return ValueChanges(
        key=tuple(key),
        same=both.height - told["added"] - told["removed"] - told["changed"],
        added=told["added"],
        removed=told["removed"],
        changed=told["changed"],
        columns=columns,
        examples={n: _examples(both, n, key, here, there) for n in columns if not {n, *key} & {*personal}},
    )


def _examples(both: pl.DataFrame, name: str, key: Sequence[str], here: str, there: str) -> tuple[str, ...]:
    rows = both.filter(pl.col(name)).sort(key).head(MAX_EXAMPLES)
    return tuple(
        f"{', '.join(map(str, values))}: {before!r} -> {after!r}"
        for *values, before, after in rows.select(*key, f"{here}{name}", f"{there}{name}").rows()
    )
