"""Compare: how two datasets, or two versions of one, differ in schema, values by key, and distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.errors import UnknownNameError
from featurestore.operations.drift import drift_between, rows_as
from featurestore.operations.read.locate import Located, located
from featurestore.quality.change.drift import ColumnDrift
from featurestore.quality.change.schema_changes import SchemaChange, Terms, schema_changes
from featurestore.quality.change.value_changes import ValueChanges, value_changes

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How two datasets differ.

    Attributes
    ----------
    before, after
        The references that were compared.
    rows
        Row counts, before and after.
    schema
        Changes of the schema. If one side has no contract, as files and former versions of training sets: changes of
        columns and dtypes.
    values
        Changes of rows; None if no key identifies rows.
    drifted
        Columns whose distribution changed.
    """

    before: str
    after: str
    rows: tuple[int, int]
    schema: tuple[SchemaChange, ...]
    values: ValueChanges | None
    drifted: tuple[ColumnDrift, ...]


def compare(workspace: Workspace, before: str, after: str, *, key: tuple[str, ...] = ()) -> Comparison:
    """Compare two datasets, two versions of one (``flights@HEAD~1``), or files.

    Parameters
    ----------
    before, after
        References as for `featurestore.operations.read.locate.located`.
    key
        Columns that identify a row; by default the columns that the schema of `after` declares unique, or that of
        `before`.

    Raises
    ------
    MissingDataError
        If the data do not exist.
    UnknownNameError
        If a reference is neither a file nor a dataset, or a column of the key does not exist.
    """
    with located(workspace, before, after) as sides:
        old, new = sides
        by = key or new.terms.key or old.terms.key
        if unknown := [name for name in key if name not in new.rows.collect_schema()]:
            names = new.rows.collect_schema().names()
            raise UnknownNameError("column", unknown[0], names, within=after)
        contract = old.contract or new.contract
        rows = [rows_as(contract, side) for side in sides]
        has_key = all(name in side.rows.collect_schema() for name in by for side in sides)
        contracts = [side.contract for side in sides if side.contract is not None]
        personal = frozenset[str]().union(*(contract.personal for contract in contracts))
        return Comparison(
            before=before,
            after=after,
            rows=(old.profile.rows, new.profile.rows),
            schema=schema_changes(*_comparable_terms(old, new)),
            values=value_changes(rows[0], rows[1], by, personal) if by and has_key else None,
            drifted=tuple(c for c in drift_between(old, new).columns if c.severity != "none"),
        )


def _comparable_terms(old: Located, new: Located) -> tuple[dict[str, Terms], dict[str, Terms]]:
    """Return what is known of both sides: their terms, or only their dtypes."""
    sides = (old.terms.columns, new.terms.columns)
    if not (old.is_declared and new.is_declared):
        sides = (_dtypes(sides[0]), _dtypes(sides[1]))
    return sides


def _dtypes(columns: dict[str, Terms]) -> dict[str, Terms]:
    return {name: Terms(terms.dtype) for name, terms in columns.items()}
