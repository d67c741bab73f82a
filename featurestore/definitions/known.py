"""When values become known: what a schema declares with ``metadata={"known": ...}``, and a training set by ``matures``.

A declaration is the name of a column that holds the timestamp, or several names (the first value that is not missing
counts), with an optional delay at the end: ``"arrived_at"``, ``("loaded_at", "ordered_at")``,
``("departed_at", timedelta(minutes=15))``. A delay alone counts from the timestamp of the row. ``"always"`` stands for
facts that were known before the first row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.values.wording import duration_text

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract

# One column, several columns with an optional delay at the end, or a delay.
Declaration: TypeAlias = str | timedelta | tuple[str | timedelta, ...]

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

    def __str__(self) -> str:
        columns = " or else ".join(self.columns) or ALWAYS
        return f"{columns} + {duration_text(self.delay)}" if self.delay else columns


def known_of_rows(contract: Contract) -> Known | None:
    """Return when the rows of a schema become known: as its ``Config`` declares, or by its created and event timestamp.

    None: neither tells.

    Raises
    ------
    DefinitionError
        If the declaration is not one, or names a column that holds no timestamp.
    """
    timestamps = tuple(
        name
        for name in (CREATED_TIMESTAMP, EVENT_TIMESTAMP)
        if name in contract and contract[name].dtype == UTC_MICROSECONDS
    )
    by_timestamps = Known(timestamps) if timestamps else None
    declared = contract.metadata.get("known")
    if declared is not None:
        return _parsed(contract, declared, f"schema {contract.name}: known", by_timestamps)
    return by_timestamps


def known_of_columns(contract: Contract) -> dict[str, Known]:
    """Return when columns become known that are known later than their row.

    A column that holds the timestamp of another column is known at that timestamp, unless it declares another one.

    Raises
    ------
    DefinitionError
        As `known_of_rows`.
    """
    of_rows = known_of_rows(contract)
    declared = {
        column.name: _parsed(
            contract,
            column.metadata["known"],
            f"schema {contract.name}, column {column.name!r}: known",
            of_rows,
        )
        for column in contract.columns
        if column.metadata.get("known") is not None
    }
    holders = {known.columns[0]: known for known in declared.values() if known.columns}
    return holders | declared


def known_of_label(contract: Contract, label: str, matures: Declaration | None, where: str) -> Known | None:
    """Return when the label of a training set is known: as `matures` says, or the metadata of the label.

    None: neither says it.

    Parameters
    ----------
    where
        The training set, as messages name it.

    Raises
    ------
    DefinitionError
        If the declaration cannot be read, says another time than the metadata, or a time before the row.
    """
    of_rows = Known((EVENT_TIMESTAMP,))
    by_matures, by_schema = (
        None if declared is None else _parsed(contract, declared, f"{where}: {word}", of_rows)
        for word, declared in (
            ("matures", matures),
            (f"known of the label {label!r}", contract[label].metadata.get("known")),
        )
    )
    if by_matures is not None and by_schema is not None and by_matures != by_schema:
        raise DefinitionError(
            f"{where}: matures is {matures!r}, but the schema {contract.name} says that {label!r} is known at {by_schema}",
            hint="say it in one place: in `matures`, or in the metadata of the label",
        )
    known = by_matures or by_schema
    if known is not None and known.columns == of_rows.columns and known.delay < timedelta(0):
        raise DefinitionError(
            f"{where}: the label {label!r} is known {duration_text(-known.delay)} before {EVENT_TIMESTAMP!r}; expected a time after it",
            hint="a label is known when the outcome is: at 0 or later",
        )
    return known


def _parsed(contract: Contract, declared: Any, where: str, of_rows: Known | None) -> Known:
    """Read a declaration; a delay alone counts from when the rows are known."""
    if declared == ALWAYS:
        return Known()
    if isinstance(declared, timedelta) and of_rows is not None:
        return replace(of_rows, delay=of_rows.delay + declared)
    parts = (declared,) if isinstance(declared, str) else tuple(declared) if _is_sequence(declared) else ()
    delay = parts[-1] if parts and isinstance(parts[-1], timedelta) else timedelta(0)
    columns = parts[:-1] if parts and isinstance(parts[-1], timedelta) else parts
    if not columns or not all(isinstance(name, str) for name in columns):
        raise DefinitionError(
            f"{where} is {declared!r}; expected a column, several columns with an optional delay at the end, {ALWAYS!r}, "
            "or a timedelta after the timestamp of the row",
            hint='examples: "arrived_at", ("arrived_at", timedelta(minutes=5)), timedelta(days=30)',
        )
    for name in columns:
        if name not in contract:
            raise DefinitionError(
                f"{where} names {name!r}, which is not a column of the schema {contract.name}",
                hint=f"columns: {', '.join(contract.schema)}",
            )
        if contract[name].dtype != UTC_MICROSECONDS:
            raise DefinitionError(
                f"{where} names {name!r}, which is {contract[name].dtype}; expected Datetime('us', 'UTC')",
                hint="declare the column as a timestamp, or compute one in the function of a dataset and declare it there",
            )
    return Known(columns, delay)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, list | tuple)
