"""Rows that a write refuses, by their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from featurestore.errors import ContractError
from featurestore.quality.gate.inspection import admit
from featurestore.quality.gate.partition import BROKEN_RULES, SOURCE_ROW
from featurestore.quality.gate.view_rows import inspect_view
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.quality.gate.verdict import Verdict

MAX_SHOWN_ROWS: Final = 5


class RefusedRowsError(ContractError):
    """A view does not accept rows, and nothing was written.

    Attributes
    ----------
    refused_rows
        The numbers of the rows that are refused, from 0.
    """

    def __init__(
        self, message: str, *, hint: str, refused_rows: Iterable[int], verdict: Verdict | None = None
    ) -> None:
        super().__init__(message, hint=hint, verdict=verdict)
        self.refused_rows = tuple(refused_rows)


def refused_text(rows: Iterable[tuple[int, str]], *, first: int) -> str:
    """Name the first rows, each with what is wrong with it, on lines of their own."""
    lines = [f"\n  row {row + first:,}: {reason}" for row, reason in rows]
    others = len(lines) - MAX_SHOWN_ROWS
    return "".join([*lines[:MAX_SHOWN_ROWS], f"\n  … and {counted(others, 'more row')}" * (others > 0)])


def admit_rows(view: FeatureView, rows: pl.DataFrame, *, first: int = 0) -> pl.DataFrame:
    """Return rows of a view, in the order of key and version, if its gate admits all of them.

    Parameters
    ----------
    first
        The number of the first row in messages: 1 for rows of a file.

    Raises
    ------
    RefusedRowsError
        If rows break the contract; names them, and carries the verdict.
    ContractError
        If the rows as a whole break it.
    """
    try:
        return admit(inspect_view(view, rows.lazy()), tolerate=False)
    except ContractError as error:
        if error.verdict is None or not error.verdict.rows_quarantined or SOURCE_ROW in view.contract:
            raise
        # The gate sorts the rows.
        numbered = rows.lazy().drop(SOURCE_ROW, strict=False).with_row_index(SOURCE_ROW)
        refused = inspect_view(view, numbered).quarantined.sort(SOURCE_ROW)
        broken = zip(refused[SOURCE_ROW], refused[BROKEN_RULES].list.join(", "), strict=True)
        raise RefusedRowsError(
            f"{error.message}{refused_text(broken, first=first)}",
            hint=f"nothing was written: correct these rows, counted from {first}, or leave them out",
            refused_rows=refused[SOURCE_ROW],
            verdict=error.verdict,
        ) from error
