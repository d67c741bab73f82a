"""Cast a frame to the columns and dtypes of its contract, and lose no value in silence.

A value that the cast would change becomes null, and the gate counts it as broken
(`featurestore.values.casts`). A column of a wrong kind of dtype (a number where text is declared) is
refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.values.casts import cast_values, nan_to_null
from featurestore.values.names import undeclared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.definitions.contract import Column, Contract


@dataclass(frozen=True)
class CastColumn:
    """A column, cast to its declared dtype.

    Attributes
    ----------
    value
        The column in its declared dtype.
    failed
        True where a value that is not null could not be cast; None where no cast can fail.
    rounded
        True where a fraction was rounded to the nearest float; None where none is rounded.
    """

    value: pl.Expr
    failed: pl.Expr | None
    rounded: pl.Expr | None = None


def cast_plan(schema: pl.Schema, contract: Contract, *, dataset: str) -> dict[str, CastColumn]:
    """Plan how a frame of `schema` is cast to the columns of a contract.

    Parameters
    ----------
    schema
        The frame's columns.
    contract
        The declared columns.
    dataset
        The dataset's name, for messages.

    Raises
    ------
    ContractError
        If columns are missing, of a wrong dtype, or unexpected by a strict contract; names all of
        them.
    """
    missing = [column.name for column in contract.columns if column.name not in schema]
    unexpected = [name for name in schema if name not in contract] if contract.strict or missing else []
    if missing or (unexpected and contract.strict):
        raise ContractError(
            _column_message(dataset, contract, missing, unexpected), hint=_hint(missing, unexpected)
        )
    plan: dict[str, CastColumn] = {}
    wrong: list[str] = []
    for column in contract.columns:
        cast_column = _cast(column, schema[column.name])
        if cast_column is None:
            wrong.append(f"{column.name!r} is {schema[column.name]}, expected {column.dtype}")
        else:
            plan[column.name] = cast_column
    if wrong:
        raise ContractError(
            f"{dataset}: schema {contract.name}: {'; '.join(wrong)}",
            hint="cast these columns, or declare their dtypes in the schema",
        )
    return plan


def fallible_columns(plan: Mapping[str, CastColumn]) -> frozenset[str]:
    """Return the columns of which a value may fail to be cast."""
    return frozenset(name for name, cast_column in plan.items() if cast_column.failed is not None)


def cast_known_columns(rows: pl.LazyFrame, contract: Contract) -> pl.LazyFrame:
    """Cast the declared columns; other columns and those of a wrong dtype stay unchanged."""
    schema = rows.collect_schema()
    known = (
        (column.name, _cast(column, schema[column.name]))
        for column in contract.columns
        if column.name in schema
    )
    return rows.with_columns(
        cast_column.value.alias(name) for name, cast_column in known if cast_column is not None
    )


def _cast(column: Column, actual: pl.DataType) -> CastColumn | None:
    cast = cast_values(pl.col(column.name), actual, column.dtype, column.metadata.get("format"))
    if cast is None:
        return None
    is_missing = column.metadata.get("nan") == "null"
    value = nan_to_null(cast.value, column.dtype) if is_missing else cast.value
    return CastColumn(value, cast.failed, cast.rounded)


def _column_message(dataset: str, contract: Contract, missing: list[str], unexpected: list[str]) -> str:
    parts = []
    if missing:
        parts.append(f"lacks {', '.join(map(repr, missing))}")
    if unexpected:
        # A name may be a value, as where a file has no header. Then it is not shown beside personal columns.
        names = ", ".join(map(repr, unexpected))
        declared = [column.name for column in contract.columns]
        parts.append(f"has unexpected {undeclared(unexpected, declared) if contract.personal else names}")
    return f"{dataset}: breaks schema {contract.name}: {' and '.join(parts)}"


# Names and columns beyond these are in no suggestion: comparing them takes a minute for a few thousand.
_MAX_COMPARED = 200


def _hint(missing: list[str], unexpected: list[str]) -> str | None:
    compared = [name for name in unexpected[:_MAX_COMPARED] if len(name) <= _MAX_COMPARED]
    renamed = [
        f"{nearest[0]!r} may be {name!r} renamed"
        for name in missing[:_MAX_COMPARED]
        if (nearest := get_close_matches(name, compared, n=1))
    ]
    return "; ".join(renamed) or None
