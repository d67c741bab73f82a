"""Understandable: every column says what it means, and every measure in what unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from featurestore.definitions.contract import Column, Contract

DIMENSIONLESS = "1"  # as the International System of Units writes it


def undocumented(contract: Contract) -> dict[str, str]:
    """List the columns that do not say enough of themselves, and what is missing.

    A number with a fraction, or a span of time, is a measure and has a unit (``"1"`` for shares and ratios); a whole number
    without one is a count or a code.
    """
    told = {column.name: _lacks(column) for column in contract.columns}
    return {name: lacks for name, lacks in told.items() if lacks}


def require_documentation(contract: Contract, dataset: str) -> None:
    """Refuse a dataset that nobody can understand.

    Raises
    ------
    DefinitionError
        If a column has no meaning or a measure no unit; names all of them.
    """
    if lacking := undocumented(contract):
        listing = ", ".join(f"{name!r} ({lacks})" for name, lacks in lacking.items())
        raise DefinitionError(
            f"{dataset}: schema {contract.name} does not say of its columns what they are: {listing}",
            hint='add description="..." and metadata={"unit": "..."}; "1" is the unit of shares and ratios',
        )


def is_measure(column: Column) -> bool:
    """Say whether a column's values are amounts of something, so that a unit belongs to them."""
    dtype = column.dtype
    return dtype.is_float() or isinstance(dtype, pl.Decimal | pl.Duration)


def _lacks(column: Column) -> str:
    missing = [] if column.description else ["meaning"]
    # A span of time has its unit in its dtype.
    if is_measure(column) and not column.unit and not isinstance(column.dtype, pl.Duration):
        missing.append("unit")
    return " and ".join(missing)
