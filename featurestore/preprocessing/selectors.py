"""The columns of a step: names, or every column of some dtypes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import polars as pl

from featurestore.errors import DefinitionError, UnknownNameError
from featurestore.values.arguments import names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SelectorKind: TypeAlias = Literal["numeric", "strings", "booleans", "timestamps"]

_HOLDS: Final[Mapping[SelectorKind, Callable[[pl.DataType], bool]]] = {
    "numeric": lambda dtype: dtype.is_integer() or dtype.is_float(),
    "strings": lambda dtype: isinstance(dtype, pl.String),
    "booleans": lambda dtype: isinstance(dtype, pl.Boolean),
    "timestamps": lambda dtype: isinstance(dtype, pl.Date | pl.Datetime),
}


@dataclass(frozen=True)
class Selector:
    """Every column of some dtypes that a step finds when it is its turn.

    Attributes
    ----------
    excluded
        Names that it does not select.
    """

    kind: SelectorKind
    excluded: tuple[str, ...] = ()

    def exclude(self, *names: str) -> Selector:
        """Return a selector that leaves some names out. Raises `DefinitionError` if they are not names."""
        named = names_of(f"{self.kind}: exclude", names, example='numeric().exclude("amount")')
        return replace(self, excluded=(*self.excluded, *named))

    def __str__(self) -> str:
        excluded = f".exclude({', '.join(map(repr, self.excluded))})" if self.excluded else ""
        return f"{self.kind}(){excluded}"


Columns: TypeAlias = tuple[str, ...] | Selector


def numeric() -> Selector:
    """Select integers and floats."""
    return Selector("numeric")


def strings() -> Selector:
    """Select text."""
    return Selector("strings")


def booleans() -> Selector:
    """Select booleans."""
    return Selector("booleans")


def timestamps() -> Selector:
    """Select dates and timestamps."""
    return Selector("timestamps")


def columns_of(columns: str | Iterable[str] | Selector, step: str) -> Columns:
    """Return the columns that a step was declared with.

    Raises
    ------
    DefinitionError
        If no column is named, one is named twice, or a name is not text.
    """
    if isinstance(columns, Selector):
        return columns
    return names_of(f"step {step}: columns", columns, example='columns=["amount"], or columns=numeric()')


def selected(columns: Columns, schema: Mapping[str, pl.DataType], place: str) -> tuple[str, ...]:
    """Return the names of the columns of a schema that a step reads.

    Raises
    ------
    UnknownNameError
        If a name is not in the schema.
    DefinitionError
        If a selector selects nothing.
    """
    names = columns.excluded if isinstance(columns, Selector) else columns
    for name in names:
        if name not in schema:
            raise UnknownNameError("feature", name, schema, within=place)
    if not isinstance(columns, Selector):
        return columns
    holds = _HOLDS[columns.kind]
    matches = tuple(name for name, dtype in schema.items() if holds(dtype) and name not in columns.excluded)
    if not matches:
        raise DefinitionError(
            f"{place}: {columns} selects no column",
            hint=f"it is applied to {', '.join(f'{name} ({dtype})' for name, dtype in schema.items())}",
        )
    return matches
