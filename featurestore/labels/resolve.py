"""One label for each row, of the labels that several labellers gave, by a declared policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from featurestore.errors import ContractError
from featurestore.labels.agreement import Agreement, agreement
from featurestore.labels.classes import combinations
from featurestore.values.wording import PERSONAL, counted, named_values

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from featurestore.labels.declare import Labellers

MAX_NAMED: Final = 5
_ROW: Final = "__row"
_AT: Final = "__at"
_VALUE: Final = "__value"
_SCORE: Final = "__score"


class Resolved(NamedTuple):
    """The rows with one label each, and how far the labellers agree."""

    rows: pl.DataFrame
    agreement: Agreement


def resolve(
    labels: pl.DataFrame,
    identity: Sequence[str],
    label: str,
    labellers: Labellers,
    *,
    known_at: pl.Expr,
    where: str,
    personal: Collection[str] = (),
) -> Resolved:
    """Keep one label for each row, and leave out the rows that the policy does not decide.

    A labeller that labels a row again corrects the former label; for ``first``, the oldest label of each counts, corrected
    or not. The agreement is that of the labels that count.

    Parameters
    ----------
    labels
        One row for each label: the columns of the row, the label and the labeller. All of them are known.
    identity
        The columns that identify a row.
    known_at
        When a label was given, in microseconds. If no column says so, the same number for all labels.
    where
        The training set, for messages.
    personal
        The columns whose values are not shown.

    Returns
    -------
    Resolved
        Of each row the label that counts, with all columns of the newest label that says the same (``first``: the
        oldest).

    Raises
    ------
    ContractError
        If a labeller gives a row two different labels at one time; or, for ``priority``, is not in the order.
    """
    column = labellers.column
    _require_in_order(labels, labellers, where, is_personal=column in personal)
    numbered = (
        labels.with_row_index(_ROW)
        .with_columns(
            pl.col(_ROW).min().over(identity),
            known_at.alias(_AT),
            # Several classes of a row are the same label in any order.
            combinations(labels[label]).alias(_VALUE),
        )
        .sort(_ROW, _AT, column, maintain_order=True)
    )
    is_first = labellers.policy == "first"
    # One label of each labeller counts.
    counting_at = pl.col(_AT).min() if is_first else pl.col(_AT).max()
    counting = numbered.filter(pl.col(_AT) == counting_at.over(_ROW, column))
    _require_one_label(counting, identity, column, where=where, personal=personal)
    votes = counting.unique([_ROW, column], keep="first", maintain_order=True)
    best = votes.with_columns(_score(labellers).alias(_SCORE)).filter(
        pl.col(_SCORE) == pl.col(_SCORE).max().over(_ROW)
    )
    decided = best.filter(pl.col(_VALUE).n_unique().over(_ROW) == 1)
    rows = decided.unique(_ROW, keep="first" if is_first else "last", maintain_order=True)
    undecided = votes[_ROW].n_unique() - rows.height
    return Resolved(
        rows.drop(_ROW, _AT, _VALUE, _SCORE), agreement(votes, _ROW, column, _VALUE, undecided=undecided)
    )


def _score(labellers: Labellers) -> pl.Expr:
    """Return a number for each label of a row: those with the greatest decide, if they are equal."""
    if labellers.policy == "latest":
        return pl.col(_AT)
    if labellers.policy == "first":
        return -pl.col(_AT)
    if labellers.policy == "majority":
        return pl.len().over(_ROW, _VALUE)
    if labellers.policy == "unanimous":
        return pl.lit(0)
    ranks = {name: -rank for rank, name in enumerate(labellers.order)}
    return pl.col(labellers.column).cast(pl.String).replace_strict(ranks, return_dtype=pl.Int64)


def _require_in_order(labels: pl.DataFrame, labellers: Labellers, where: str, *, is_personal: bool) -> None:
    if labellers.policy != "priority":
        return
    names = labels[labellers.column].cast(pl.String).unique().sort()
    unknown = names.filter(~names.is_in(labellers.order)).to_list()
    if unknown:
        listing = PERSONAL if is_personal else ", ".join(map(repr, unknown[:MAX_NAMED]))
        raise ContractError(
            f"{where}: {counted(len(unknown), 'labeller')} not in the order of `labelled_by`: {listing}",
            hint="add each labeller to the order, or leave its labels out in the function",
        )


def _require_one_label(
    counting: pl.DataFrame,
    identity: Sequence[str],
    column: str,
    *,
    where: str,
    personal: Collection[str],
) -> None:
    """Refuse two different labels of one labeller for one row at one time: nothing says which corrects the other."""
    clashing = counting.filter(pl.col(_VALUE).n_unique().over(_ROW, column) > 1)
    if clashing.is_empty():
        return
    named = named_values(clashing.row(0, named=True), (*identity, column), personal)
    count = clashing.select(_ROW, column).n_unique()
    raise ContractError(
        f"{where}: {counted(count, 'row')} with two labels of one labeller at one time, first {named}",
        hint="keep one of them in the function; or name the column with the time of a label: matures=...",
    )
