"""How far labellers agree: the share of rows, and kappa, which subtracts the agreement that chance gives.

Two labellers: Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960).
More: Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin 76 (1971), with the share of
each class taken by row, so that rows may have different numbers of labellers (Gwet, "Handbook of Inter-Rater Reliability",
4th edition, 2014). Rows with one labeller say nothing about agreement, and do not count.
"""

from __future__ import annotations

from collections import Counter
from math import fsum
from typing import Literal

import msgspec
import polars as pl


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far labellers agree on the rows of a training set.

    Attributes
    ----------
    labellers
        How many labellers there are.
    rows
        Rows with a label.
    shared
        Rows with labels of several labellers.
    equal
        Of these, rows on which all labellers agree.
    kappa
        1: they always agree; 0: as often as chance. None: there is no shared row, all labels are equal, or the label is
        a quantity.
    measure
        ``cohen``: Cohen's kappa, for two labellers. ``fleiss``: that of Fleiss, for more; rows may have different numbers
        of labellers. None: `kappa` is None.
    undecided
        Rows that were left out, because the policy decides no label.
    """

    labellers: int
    rows: int
    shared: int
    equal: int
    kappa: float | None
    measure: Literal["cohen", "fleiss"] | None
    undecided: int

    @property
    def measure_name(self) -> str:
        """The measure as it is written in text; empty without one."""
        return {"cohen": "Cohen's kappa", "fleiss": "Fleiss' kappa", None: ""}[self.measure]


def agreement(votes: pl.DataFrame, row: str, labeller: str, label: str, *, undecided: int) -> Agreement:
    """Measure the agreement of labellers.

    Parameters
    ----------
    votes
        One row for each label that one labeller gave one row.
    row, labeller, label
        The columns with the number of the row, the labeller and the label.
    undecided
        How many rows were left out.
    """
    shared = votes.filter(pl.len().over(row) > 1)
    equal = shared.group_by(row).agg(pl.col(label).n_unique() == 1)[label].sum()
    labellers = votes[labeller].n_unique()
    is_pair = labellers == 2  # noqa: PLR2004 - kappa of Cohen is for two
    kappa = None
    if shared.height and not votes.schema[label].is_float():
        kappa = _cohen(shared, row, labeller, label) if is_pair else _fleiss(shared, row, label)
    return Agreement(
        labellers=labellers,
        rows=votes[row].n_unique(),
        shared=shared[row].n_unique(),
        equal=int(equal),
        kappa=kappa,
        measure=None if kappa is None else "cohen" if is_pair else "fleiss",
        undecided=undecided,
    )


def _cohen(shared: pl.DataFrame, row: str, labeller: str, label: str) -> float | None:
    """Compare two labellers: both labelled each shared row."""
    pairs = shared.sort(row, labeller).group_by(row, maintain_order=True).agg(label)[label].to_list()
    first, second = (Counter(labels) for labels in zip(*pairs, strict=True))
    observed = sum(left == right for left, right in pairs) / len(pairs)
    expected = sum(count * second[value] for value, count in first.items()) / len(pairs) ** 2
    return _beyond_chance(observed, expected)


def _fleiss(shared: pl.DataFrame, row: str, label: str) -> float | None:
    counts = shared.group_by(row, label).len("votes").with_columns(all=pl.col("votes").sum().over(row))
    rows = counts[row].n_unique()
    votes, every = counts["votes"].to_list(), counts["all"].to_list()
    # Sums that do not depend on the order of the rows.
    observed = fsum(n * (n - 1) / (m * (m - 1)) for n, m in zip(votes, every, strict=True)) / rows
    shares = counts.with_columns(share=pl.col("votes") / pl.col("all")).group_by(label).agg("share")["share"]
    expected = fsum((fsum(values) / rows) ** 2 for values in shares.to_list())
    return _beyond_chance(observed, expected)


def _beyond_chance(observed: float, expected: float) -> float | None:
    return None if expected >= 1 else (observed - expected) / (1 - expected)
