"""The columns of a training set that another tool made: which nothing declares, and which have values of another kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.errors import ContractError
from featurestore.nearest import nearest
from featurestore.splits.declare import SPLIT
from featurestore.timing.columns import CREATED_TIMESTAMP

if TYPE_CHECKING:
    from featurestore.workspace import Workspace

# What other tools call a label.
LABEL_LIKE: Final = {"label", "target", "y"}


def ignored_columns(
    workspace: Workspace, columns: list[str], known: set[str], features: list[str]
) -> dict[str, str | None]:
    """Return the columns that nothing declares, each with the feature that its name resembles."""
    declared = {
        column
        for training in workspace.catalog.training_sets.values()
        for column in training.entity_rows.schema
    }
    known = known | declared | LABEL_LIKE | {CREATED_TIMESTAMP, SPLIT}
    return {name: nearest(name, features) for name in columns if name not in known}


def require_kind(name: str, actual: pl.DataType, expected: pl.DataType) -> None:
    """Refuse a column of a feature whose values are of another kind: no cell of it could be equal.

    Raises
    ------
    ContractError
        If they are.
    """
    if isinstance(actual, pl.Null) or _kind(actual) == _kind(expected):
        return
    raise ContractError(
        f"the training set: {name!r} is {actual}, expected {expected}",
        hint=f"convert the column, as in pl.col({name!r}).cast(pl.{expected}), or drop it",
    )


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_numeric() or isinstance(dtype, pl.Boolean):
        return "number"
    if isinstance(dtype, pl.Date | pl.Datetime):
        return "time"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    return "nested" if dtype.is_nested() else str(dtype)
