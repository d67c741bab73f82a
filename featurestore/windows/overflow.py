"""The error of a value of a window that does not fit into 64 bits, and what helps against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from featurestore.windows.aggregation import Aggregation

WIDEST: Final = (pl.Int64(), pl.Float64())


class WindowOverflowError(OverflowError):
    """A value does not fit into 64 bits.

    Parameters
    ----------
    window
        The name of the window.
    reason
        What does not fit.

    Attributes
    ----------
    window
        As the parameter.
    """

    def __init__(self, window: str, reason: str) -> None:
        super().__init__(f"window {window!r}: {reason}")
        self.window = window


def overflow_hint(window: Aggregation, dtype: pl.DataType) -> str:
    """Return what to do about a value of a window that does not fit into the dtype of its feature."""
    if dtype not in WIDEST:
        return "declare a wider dtype, or cast the column to Float64 in the function of the view"
    if window.kind == "sum":
        return "declare the window as a mean, or make it shorter"
    return (
        "if such values are wrong, bound the column in the schema of the events (ge=, le=); if not, divide it in the "
        "function of the view"
    )
