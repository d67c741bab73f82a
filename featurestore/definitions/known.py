"""When values of raw data become known: what a schema declares with ``metadata={"known": ...}``.

A declaration is the name of a column that holds the timestamp, or several names (the first value that is not missing
counts), with an optional delay at the end: ``"arrived_at"``, ``("loaded_at", "ordered_at")``,
``("departed_at", timedelta(minutes=15))``. ``"always"`` stands for facts that were known before the first row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract

ALWAYS: Final = "always"
# In microseconds since 1970-01-01 UTC: before each timestamp, and after each.
FROM_THE_START: Final = -(2**63) + 1
NEVER: Final = 2**63 - 1


@dataclass(frozen=True)
class Known:
    """When a row or a column becomes known.

    Attributes
    ----------
    columns
        The columns that hold the timestamp; the first value that is not missing counts. Empty: known from the start.
    delay
        Time from that timestamp until the value is known. A negative one: it was known before.
    """

    columns: tuple[str, ...] = ()
    delay: timedelta = timedelta(0)

    def timestamp(self) -> pl.Expr:
        """Return the timestamp in microseconds since 1970; `NEVER` where all columns are missing."""
        if not self.columns:
            return pl.lit(FROM_THE_START, dtype=pl.Int64)
        return (pl.coalesce(self.columns).dt.epoch("us") + self.delay // MICROSECOND).fill_null(NEVER)


def known_of_rows(contract: Contract) -> Known | None:
    """Return when the rows of a schema become known: as its ``Config`` declares, or by its created and event timestamp.

    None: neither tells.

    Raises
    ------
    DefinitionError
        If the declaration is not one, or names a column that holds no timestamp.
    """
    declared = contract.metadata.get("known")
    if declared is not None:
        return _parsed(contract, declared, f"schema {contract.name}")
    columns = tuple(
        name
        for name in (CREATED_TIMESTAMP, EVENT_TIMESTAMP)
        if name in contract and contract[name].dtype == UTC_MICROSECONDS
    )
    return Known(columns) if columns else None


def known_of_columns(contract: Contract) -> dict[str, Known]:
    """Return when columns become known that are known later than their row.

    A column that holds the timestamp of another column is known at that timestamp, unless it declares another one.

    Raises
    ------
    DefinitionError
        As `known_of_rows`.
    """
    declared = {
        column.name: _parsed(
            contract, column.metadata.get("known"), f"schema {contract.name}, column {column.name!r}"
        )
        for column in contract.columns
        if column.metadata.get("known") is not None
    }
    holders = {known.columns[0]: known for known in declared.values() if known.columns}
    return holders | declared


def _parsed(contract: Contract, declared: Any, where: str) -> Known:
    if declared == ALWAYS:
        return Known()
    parts = (declared,) if isinstance(declared, str) else tuple(declared) if _is_sequence(declared) else ()
    delay = parts[-1] if parts and isinstance(parts[-1], timedelta) else timedelta(0)
    columns = parts[:-1] if parts and isinstance(parts[-1], timedelta) else parts
    if not columns or not all(isinstance(name, str) for name in columns):
        raise DefinitionError(
            f"{where}: known is {declared!r}, expected a column, several columns, or {ALWAYS!r}, and an optional delay",
            hint='write "known": "arrived_at", or "known": ("arrived_at", timedelta(minutes=5))',
        )
    for name in columns:
        if name not in contract:
            raise DefinitionError(
                f"{where}: known names {name!r}, which is not a column of the schema",
                hint=f"columns: {', '.join(contract.schema)}",
            )
        if contract[name].dtype != UTC_MICROSECONDS:
            raise DefinitionError(
                f"{where}: known names {name!r}, which is {contract[name].dtype}, but must be Datetime('us', 'UTC')",
                hint="compute the timestamp in the function of a dataset, and declare it there",
            )
    return Known(columns, delay)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, list | tuple)
