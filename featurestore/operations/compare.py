"""Compare two versions of a dataset, or two datasets: what is promised, values by key, distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.operations.drift import drift_between
from featurestore.quality.change.drift import ColumnDrift
from featurestore.quality.change.schema_changes import SchemaChange, schema_changes
from featurestore.quality.change.value_changes import ValueChanges, value_changes

if TYPE_CHECKING:
    from featurestore.operations.locate import Located


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How two datasets differ.

    Attributes
    ----------
    schema
        Changes of what is promised; of files without a contract, of their dtypes.
    values
        Changes of rows; None where there is no key to tell rows apart.
    drifted
        Columns whose distribution has changed.
    """

    before: str
    after: str
    rows: tuple[int, int]
    schema: tuple[SchemaChange, ...]
    values: ValueChanges | None
    drifted: tuple[ColumnDrift, ...]


def compare(
    before: Located, after: Located, *, names: tuple[str, str], key: tuple[str, ...] = ()
) -> Comparison:
    """Compare two datasets.

    Parameters
    ----------
    key
        Columns that tell rows apart; by default those that the later contract says are unique.
    """
    by = key or after.promised.key
    shared = all(name in frame.collect_schema() for name in by for frame in (before.rows, after.rows))
    contracts = [side.contract for side in (before, after) if side.contract is not None]
    personal = {column.name for contract in contracts for column in contract.columns if column.personal}
    return Comparison(
        before=names[0],
        after=names[1],
        rows=(before.profile.rows, after.profile.rows),
        schema=schema_changes(before.promised.columns, after.promised.columns),
        values=value_changes(before.rows, after.rows, by, personal) if by and shared else None,
        drifted=tuple(c for c in drift_between(before, after).columns if c.severity != "none"),
    )
