"""Part the rows of a frame into those that pass and those that go to quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.rules.rule import ROW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SOURCE_FILE = "source_file"
SOURCE_ROW = "source_row"
BROKEN_RULES = "broken_rules"
_ORIGINAL = "__original__"
_WORD = "__word__"
_BITS = 63


@dataclass(frozen=True)
class Partition:
    """The rows of a frame in two parts.

    Attributes
    ----------
    passing
        The rows that pass, in the contract's columns and dtypes, in the given order.
    failing
        The other rows, unchanged, with ``source_row`` (counted from 1), ``source_file`` where the
        frame has it, and ``broken_rules``, a list of printed names.
    failed
        How many rows `failing` has.
    """

    passing: pl.LazyFrame
    failing: pl.LazyFrame
    failed: int


def original(name: str) -> str:
    """Return the name of the column that holds the unchanged values of a column."""
    return f"{_ORIGINAL}{name}"


def partition(
    flagged: pl.LazyFrame, flags: Mapping[str, str], *, original_columns: Sequence[str], names: Sequence[str]
) -> Partition:
    """Part rows by the rules that they break.

    Parameters
    ----------
    flagged
        The rows, numbered in `ROW`, with their values in the contract's dtypes, their unchanged
        values (`original`) and the boolean columns of `flags`.
    flags
        For each flag column, True in the rows that break a rule, the printed name of the rule.
    original_columns
        The columns of the frame before casting.
    names
        The columns of the contract.
    """
    if not flags:
        empty = _quarantine_form(flagged.head(0), pl.lit(None, dtype=pl.List(pl.String)), original_columns)
        return Partition(flagged.select(names), empty, 0)
    is_bad = pl.any_horizontal(*flags)
    # Few combinations of rules are broken: each combination is turned into names once.
    words = _words(list(flags))
    combinations = flagged.filter(is_bad).select(**words).group_by(list(words)).len()
    counts = combinations.collect(engine="streaming")
    broken_rules = pl.concat_list(
        _names_of_word(counts[word], list(flags.values())[i * _BITS : (i + 1) * _BITS])
        for i, word in enumerate(words)
    )
    failing = _quarantine_form(flagged.filter(is_bad).with_columns(**words), broken_rules, original_columns)
    return Partition(flagged.filter(~is_bad).select(names), failing, int(counts["len"].sum()))


def _words(flags: Sequence[str]) -> dict[str, pl.Expr]:
    """Pack the flags of a row into the bits of unsigned integers."""
    return {
        f"{_WORD}{start}": pl.sum_horizontal(
            pl.col(flag).cast(pl.UInt64) * (1 << bit) for bit, flag in enumerate(flags[start : start + _BITS])
        )
        for start in range(0, len(flags), _BITS)
    }


def _names_of_word(words: pl.Series, names: Sequence[str]) -> pl.Expr:
    """Name the rules whose bits are set; each distinct word is turned into names once."""
    distinct = words.unique().sort()
    names_of_distinct = distinct.to_frame().select(
        pl.concat_list(
            pl.when(pl.col(words.name) & (1 << bit) != 0).then(pl.lit(name, dtype=pl.String))
            for bit, name in enumerate(names)
        ).list.drop_nulls()
    )
    position = pl.col(words.name).replace_strict(distinct, range(distinct.len()), return_dtype=pl.UInt32)
    return position.map_batches(
        names_of_distinct.to_series().gather, return_dtype=pl.List(pl.String), is_elementwise=True
    )


def _quarantine_form(
    rows: pl.LazyFrame, broken_rules: pl.Expr, original_columns: Sequence[str]
) -> pl.LazyFrame:
    """Select the columns of a quarantine: source, unchanged values and broken rules."""
    origin = [name for name in (SOURCE_FILE, SOURCE_ROW) if name in original_columns]
    number = [] if SOURCE_ROW in origin else [(pl.col(ROW) + 1).alias(SOURCE_ROW)]
    others = [name for name in original_columns if name not in origin]
    unchanged = {name: pl.col(original(name)).alias(name) for name in original_columns}
    return rows.select(
        *(unchanged[name] for name in origin),
        *number,
        *(unchanged[name] for name in others),
        broken_rules.alias(BROKEN_RULES),
    )
