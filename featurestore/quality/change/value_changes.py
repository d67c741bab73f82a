"""Changes of values between two versions of a dataset: the rows are matched by a key."""

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
    """The differences between the rows of two versions.

    Attributes
    ----------
    key
        The columns that identify a row.
    same
        The number of rows without any difference.
    added, removed
        The number of rows whose key is only in the later, or only in the earlier version.
    changed
        The number of rows in both versions with a different value.
    columns
        For each column with differences, the number of rows that differ.
    examples
        For each such column the first few differences, as ``key: before -> after``.
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
    """Compare the rows of two frames by a key.

    A column is compared if both frames have it, with equal dtypes or with two numeric dtypes. Null
    equals null, and NaN equals NaN.

    Parameters
    ----------
    personal
        Columns whose values no example shows. If the key has one of them, there are no examples at
        all.

    Raises
    ------
    ContractError
        If the key is not unique in one of the frames, or has other dtypes in the other one.
    """
    schema = after.collect_schema()
    for name in key:
        dtypes = (before.collect_schema()[name], schema[name])
        if dtypes[0] != dtypes[1] and not all(dtype.is_integer() for dtype in dtypes):
            raise ContractError(
                f"rows cannot be compared by {', '.join(key)}: {name!r} is {dtypes[0]} before and {dtypes[1]} after",
                hint="name a key of equal dtypes, or write both data with one dtype",
            )
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
                f"rows cannot be compared by {', '.join(key)}: the key is not unique {which}",
                hint="name a key that identifies each row",
            )
    old = "__before__"
    new = "__after__"
    both = (
        before.select(*key, *(pl.col(n).alias(f"{old}{n}") for n in shared), pl.lit(value=True).alias(old))
        .join(
            after.select(
                *key, *(pl.col(n).alias(f"{new}{n}") for n in shared), pl.lit(value=True).alias(new)
            ),
            on=list(key),
            how="full",
            coalesce=True,
            nulls_equal=True,
        )
        .with_columns(
            (pl.col(f"{old}{n}").ne_missing(pl.col(f"{new}{n}")) & pl.col(old) & pl.col(new)).alias(n)
            for n in shared
        )
        .collect(engine="streaming")
    )
    any_changed = pl.any_horizontal(pl.lit(value=False), *shared).fill_null(value=False)
    counts = both.select(
        added=pl.col(old).is_null().sum(),
        removed=pl.col(new).is_null().sum(),
        changed=any_changed.sum(),
        **{f"n {n}": pl.col(n).sum() for n in shared},
    ).row(0, named=True)
    columns = {n: counts[f"n {n}"] for n in shared if counts[f"n {n}"]}
    return ValueChanges(
        key=tuple(key),
        same=both.height - counts["added"] - counts["removed"] - counts["changed"],
        added=counts["added"],
        removed=counts["removed"],
        changed=counts["changed"],
        columns=columns,
        examples={n: _examples(both, n, key, old, new) for n in columns if not {n, *key} & {*personal}},
    )


def _examples(both: pl.DataFrame, name: str, key: Sequence[str], old: str, new: str) -> tuple[str, ...]:
    rows = both.filter(pl.col(name)).sort(key).head(MAX_EXAMPLES)
    return tuple(
        f"{', '.join(map(str, values))}: {before!r} -> {after!r}"
        for *values, before, after in rows.select(*key, f"{old}{name}", f"{new}{name}").rows()
    )
