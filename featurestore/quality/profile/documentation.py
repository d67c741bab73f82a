"""Documentation of columns: every column needs a description, and every measure a unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from featurestore.definitions.contract import Column, Contract


def undocumented(contract: Contract) -> dict[str, tuple[str, ...]]:
    """Return the columns that lack a ``description`` or a ``unit``, with what they lack.

    A number with a fraction is a measure and needs a unit (``"1"`` for shares and ratios). A whole
    number without a unit is a count or a code.
    """
    missing = {column.name: _missing(column) for column in contract.columns}
    return {name: parts for name, parts in missing.items() if parts}


def require_documentation(contract: Contract, dataset: str) -> None:
    """Check that every column of a dataset is documented.

    Raises
    ------
    DefinitionError
        If a column has no description or a measure has no unit; the message names all of them.
    """
    if missing := undocumented(contract):
        listing = ", ".join(f"{name!r} ({' and '.join(parts)})" for name, parts in missing.items())
        raise DefinitionError(
            f"{dataset}: the documentation of columns in schema {contract.name} is incomplete: {listing}",
            hint='add description="..." and metadata={"unit": "..."}; "1" is the unit of shares and ratios',
        )


def is_measure(column: Column) -> bool:
    """Say whether the values of a column are amounts of something, so that they have a unit."""
    dtype = column.dtype
    return dtype.is_float() or isinstance(dtype, pl.Decimal | pl.Duration)


def _missing(column: Column) -> tuple[str, ...]:
    parts = [] if column.description else ["description"]
    # The dtype of a duration contains its unit.
    if is_measure(column) and not column.unit and not isinstance(column.dtype, pl.Duration):
        parts.append("unit")
    return tuple(parts)
