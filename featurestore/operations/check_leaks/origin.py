"""Where a leak comes from: the values of the inputs with which the leaked value appears, found by bisecting the cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.definitions.known import NEVER, known_of_rows
from featurestore.errors import DefinitionError
from featurestore.operations.check_leaks.inputs import KNOWN, Leaf, Lineage, cut, different_rows
from featurestore.operations.check_leaks.record import Origin, identified
from featurestore.timing.epoch import timestamp_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANK: Final = "__rank"
_LEAF: Final = "__leaf"
_GROUP: Final = "__group"
_ROW: Final = "__row"


@dataclass(frozen=True)
class Subject:
    """A leaked row: its columns that identify it, its feature (None: the whole row), and its row in the full build.

    Attributes
    ----------
    expected
        The row as it is in the build from all rows; empty if it is missing there.
    """

    identity: pl.DataFrame
    feature: str | None
    expected: pl.DataFrame


def origin_of(lineage: Lineage, subject: Subject, at: int) -> Origin | None:
    """Find the values with which a leaked value appears.

    All values of the inputs are ordered by the time at which they become known. The value differs from the full build
    with those that are known at `at`, and equals it with all; between the two is a value that changes the one into the
    other.

    Returns
    -------
    Origin or None
        None: the value differs even if all values are given.
    """
    narrow = _of_key(lineage, subject)
    return _bisected(narrow, subject, at) or _bisected(_numbered(lineage), subject, at)


def _bisected(lineage: Lineage, subject: Subject, at: int) -> Origin | None:
    ordered = _entries(lineage)
    ranked = replace(
        lineage, leaves={name: _ranked(leaf, name, ordered) for name, leaf in lineage.leaves.items()}
    )
    unequal = int(ordered.filter(pl.col(KNOWN) <= at).height)
    equal = ordered.height
    if not _is_equal(ranked, subject, equal) or _is_equal(ranked, subject, unequal):
        return None
    while equal - unequal > 1:
        middle = (equal + unequal) // 2
        if _is_equal(ranked, subject, middle):
            equal = middle
        else:
            unequal = middle
    entry = ordered.row(equal - 1, named=True)
    leaf = lineage.leaves[entry[_LEAF]]
    columns = tuple(
        name
        for name in _blamed(leaf, entry[_GROUP], lineage)
        if _changes(ranked, subject, equal, entry, name)
    )
    known = entry[KNOWN]
    return Origin(
        dataset=entry[_LEAF],
        row=entry[_ROW],
        key=_key(leaf, entry[_ROW]),
        columns=columns,
        known_at=None if known == NEVER else timestamp_of(known),
    )


def _numbered(lineage: Lineage) -> Lineage:
    leaves = lineage.leaves.items()
    return replace(
        lineage, leaves={n: replace(leaf, frame=leaf.frame.with_row_index(_ROW)) for n, leaf in leaves}
    )


def _of_key(lineage: Lineage, subject: Subject) -> Lineage:
    """Keep the rows of the subject's key only, of each input that has the key."""
    keys = list(lineage.view.keys)
    numbered = _numbered(lineage)
    leaves = {
        name: replace(leaf, frame=leaf.frame.join(subject.identity, on=keys, how="semi"))
        if keys and set(keys) <= set(leaf.frame.columns)
        else leaf
        for name, leaf in numbered.leaves.items()
    }
    return replace(numbered, leaves=leaves)


def _entries(lineage: Lineage) -> pl.DataFrame:
    return (
        pl.concat(
            leaf.frame.select(
                pl.lit(name).alias(_LEAF),
                pl.lit(group).alias(_GROUP),
                _ROW,
                pl.col(group).alias(KNOWN),
            )
            for name, leaf in lineage.leaves.items()
            for group in (KNOWN, *leaf.groups)
        )
        .sort(KNOWN, _LEAF, _ROW, _GROUP)
        .with_columns(pl.int_range(pl.len()).alias(_RANK))
    )


def _ranked(leaf: Leaf, name: str, ordered: pl.DataFrame) -> Leaf:
    """Replace the times at which values become known by their ranks, counted from 1."""
    ranks = {
        group: ordered.filter(pl.col(_LEAF) == name, pl.col(_GROUP) == group).sort(_ROW)[_RANK] + 1
        for group in (KNOWN, *leaf.groups)
    }
    return replace(leaf, frame=leaf.frame.with_columns(rank.alias(group) for group, rank in ranks.items()))


def _blamed(leaf: Leaf, group: str, lineage: Lineage) -> tuple[str, ...]:
    """Return the columns that may be the reason: those of a group; or of a row, without what identifies and dates it."""
    if group in leaf.groups:
        return leaf.groups[group]
    contract = leaf.node.contract
    later = {name for names in leaf.groups.values() for name in names}
    row = known_of_rows(contract)
    dates = () if row is None else row.columns
    left_out = {*later, *dates, *contract.key, *lineage.view.keys}
    return tuple(name for name in contract.schema if name not in left_out)


def _changes(lineage: Lineage, subject: Subject, limit: int, entry: Mapping[str, Any], column: str) -> bool:
    try:
        return not _is_equal(lineage, subject, limit, without=(entry[_LEAF], column, entry[_ROW]))
    except DefinitionError:
        return True  # the function needs a value in this column


def _is_equal(
    lineage: Lineage, subject: Subject, limit: int, *, without: tuple[str, str, int] | None = None
) -> bool:
    """Return whether the value comes out as in the full build, from the first values up to a limit.

    `without` blanks one value: a leaf, its column and its row.
    """
    frames: Mapping[str, pl.LazyFrame] = {
        name: _blanked(leaf, name, without, limit) for name, leaf in lineage.leaves.items()
    }
    rebuilt = lineage.build(frames)
    identity = subject.identity.columns
    row = rebuilt.join(subject.identity, on=identity, how="semi", nulls_equal=True)
    compared = set(row.columns) - {KNOWN} if subject.feature is None else {subject.feature}
    lacking, additional = different_rows(
        subject.expected.select(row.columns), row, by=lambda name: name in compared
    )
    return not (lacking.height or additional.height) and (row.height == 0) == (subject.expected.height == 0)


def _blanked(leaf: Leaf, name: str, without: tuple[str, str, int] | None, limit: int) -> pl.LazyFrame:
    rows = leaf.frame.lazy()
    if without is not None and without[0] == name:
        _, column, number = without
        is_row = pl.col(_ROW) == number
        rows = rows.with_columns(pl.when(~is_row).then(pl.col(column)).alias(column))
    return cut(rows, leaf, pl.lit(limit, dtype=pl.Int64))


def _key(leaf: Leaf, row: int) -> str:
    contract = leaf.node.contract
    names = contract.key or tuple(contract.schema)
    values = leaf.frame.row(by_predicate=pl.col(_ROW) == row, named=True)
    return identified({name: values[name] for name in names}, contract)
