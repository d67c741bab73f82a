"""Drift: how far distributions moved between two datasets, or between the last days of one and the days before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from featurestore.errors import ContractError, UnknownNameError
from featurestore.operations.read.locate import Located, located
from featurestore.quality.change import drift as change
from featurestore.quality.change.binning import MISSING
from featurestore.quality.change.drift import Drift, max_severity
from featurestore.quality.gate.casting import cast_known_columns
from featurestore.quality.profile.profile import ROWS_AT_ONCE, Profile, Profiler, profile
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract
    from featurestore.workspace import Workspace

MAX_SLICES = 100
_SLICE = "__slice__"
_NAME_ANOTHER: Final = "name another column of timestamps with --at, or at= in Python"


def drift(
    workspace: Workspace,
    before: str,
    after: str | None = None,
    *,
    days: int | None = None,
    at: str | None = None,
    by: str | None = None,
) -> Drift:
    """Measure how far the distribution of each column moved.

    Parameters
    ----------
    before, after
        A dataset or training set; a split (``departures:test``); an earlier version (``flights@HEAD~1``); ``served:SERVICE``, the logged answers of a
        service; or a Parquet or CSV file, or a pattern or folder of such files.
    days
        Without `after`: compare the last days of `before` with all earlier rows.
    at
        The column of timestamps for `days`; by default ``event_timestamp``, or the only such column.
    by
        Also compare the rows of each value of this column.

    Raises
    ------
    ContractError
        If neither or both of `after` and `days` are given, a side has no rows, the timestamps are ambiguous, or the column
        to slice by is personal or has too many values.
    MissingDataError
        If the data do not exist.
    UnknownNameError
        If a dataset or column does not exist.
    """
    if (after is None) == (days is None) or (at is not None and days is None):
        raise ContractError(
            f"{before}: the data to compare with are missing or ambiguous",
            hint="name a second dataset, or say how many of the last days (--days, or days= in Python); --at needs --days",
        )
    if days is not None:
        with located(workspace, before) as (data,):
            return _drift_within(data, days, at=at, by=by)
    with located(workspace, before, str(after)) as (old, new):
        result = drift_between(old, new, by=by)
    if empty := [name for name, rows in zip((before, after), result.rows, strict=True) if not rows]:
        raise ContractError(
            f"{empty[0]} has no rows, so there is nothing to compare",
            hint="name data that have rows; `featurestore compare` shows which rows were removed or added",
        )
    return result


def drift_between(before: Located, after: Located, *, by: str | None = None) -> Drift:
    """Compare two datasets; a file is read with the contract of the other side. Parameters as of `drift`."""
    contract = before.contract or after.contract
    sides = (before, after)
    names = (before.name, after.name)
    if by is None and all(side.contract is not None or contract is None for side in sides):
        columns = contract.columns if contract else ()
        result = change.drift(before.profile, after.profile, columns)
        return msgspec.structs.replace(result, before=names[0], after=names[1])
    rows = [rows_as(contract, side) for side in sides]
    return _compared(rows[0], rows[1], contract, names, by)


def rows_as(contract: Contract | None, side: Located) -> pl.LazyFrame:
    """Return the rows of one side; a file has the dtypes of the contract of the other side."""
    return side.rows if side.raw is None or contract is None else cast_known_columns(side.raw, contract)


def _drift_within(data: Located, days: int, *, at: str | None, by: str | None) -> Drift:
    """Compare the last days of a dataset with all earlier rows; rows without a timestamp are left out."""
    timestamp = at or _timestamp_column(data)
    expression = _column(data.rows, timestamp, data.name)
    dtype = data.rows.collect_schema()[timestamp]
    if not isinstance(dtype, pl.Datetime | pl.Date):
        raise ContractError(
            f"{data.name}: column {timestamp!r} is {dtype}, expected timestamps or dates",
            hint=_NAME_ANOTHER,
        )
    newest = data.rows.select(expression.max()).collect().item()
    if newest is None:
        raise ContractError(
            f"{data.name}: column {timestamp!r} has no values, so there are no last days to compare",
            hint=_NAME_ANOTHER,
        )
    start = newest - timedelta(days=days)
    names = (f"{data.name} until {start}", f"{data.name}, the last {counted(days, 'day')}")
    rows = [data.rows.filter(part) for part in (pl.col(timestamp) <= start, pl.col(timestamp) > start)]
    if not rows[0].select(pl.len()).collect().item():
        raise ContractError(
            f"{data.name}: all its rows are of the last {counted(days, 'day')}, so there are no earlier rows",
            hint="compare fewer days",
        )
    return _compared(rows[0], rows[1], data.contract, names, by)


def _timestamp_column(data: Located) -> str:
    schema = data.rows.collect_schema()
    candidates = [name for name, dtype in schema.items() if isinstance(dtype, pl.Datetime | pl.Date)]
    if EVENT_TIMESTAMP in candidates:
        return EVENT_TIMESTAMP
    if len(candidates) != 1:
        if not candidates:
            raise ContractError(
                f"{data.name}: no column has timestamps or dates, so there are no last days to compare",
                hint="name a second dataset to compare with",
            )
        listing = ", ".join(candidates)
        raise ContractError(
            f"{data.name}: the column of timestamps is ambiguous: {listing}",
            hint=f"name one, such as: --at {candidates[0]}, or at={candidates[0]!r} in Python",
        )
    return candidates[0]


def _column(rows: pl.LazyFrame, column: str, name: str) -> pl.Expr:
    if column not in (names := rows.collect_schema().names()):
        raise UnknownNameError("column", column, names, within=name)
    return pl.col(column)


def _compared(
    before: pl.LazyFrame,
    after: pl.LazyFrame,
    contract: Contract | None,
    names: tuple[str, str],
    by: str | None,
) -> Drift:
    # The schema's segments are counted of the whole dataset; a side may lack their columns.
    contract = None if contract is None else replace(contract, metadata={})
    declared = contract.columns if contract else ()
    sides = (before, after)
    if by is None:
        old, new = (
            profile(rows, dataset=name, contract=contract) for rows, name in zip(sides, names, strict=True)
        )
        return change.drift(old, new, declared)
    (old, old_slices), (new, new_slices) = (
        _slices(rows, name, by, contract) for rows, name in zip(sides, names, strict=True)
    )
    no_old, no_new = (profile(rows.head(0), dataset=by, contract=contract) for rows in sides)
    slices = {
        value: change.drift(old_slices.get(value, no_old), new_slices.get(value, no_new), declared)
        for value in sorted({*old_slices, *new_slices})
    }
    total = change.drift(old, new, declared)
    severity = max_severity([total.severity, *(part.severity for part in slices.values())])
    return msgspec.structs.replace(total, severity=severity, by=by, slices=slices)


def _slices(
    rows: pl.LazyFrame, name: str, by: str, contract: Contract | None
) -> tuple[Profile, dict[str, Profile]]:
    """Profile the rows of each value of a column, and all rows, in one pass."""
    if contract is not None and by in contract and contract[by].personal:
        raise ContractError(
            f"{name}: column {by!r} is personal; its values cannot name slices",
            hint="slice by a column that is not personal",
        )
    column = _column(rows, by, name)
    dtype = rows.collect_schema()[by]
    if dtype.is_nested() or isinstance(dtype, pl.Binary | pl.Object):
        raise ContractError(
            f"{name}: the values of column {by!r} are {dtype}, which cannot name slices",
            hint="slice by a column of text, numbers, booleans, dates or times",
        )
    value_of = column.cast(pl.String).fill_null(MISSING).alias(_SLICE)
    profilers: dict[str, Profiler] = {}
    for batch in rows.with_columns(value_of).collect_batches(chunk_size=ROWS_AT_ONCE):
        for (value,), part in batch.partition_by(_SLICE, as_dict=True, include_key=False).items():
            key = str(value)
            if key not in profilers:
                profilers[key] = Profiler(part.schema, dataset=f"{by} {value}", contract=contract)
            profilers[key].add(part)
            if len(profilers) > MAX_SLICES:
                raise ContractError(
                    f"{name}: column {by!r} has more than {MAX_SLICES:,} values; at most {MAX_SLICES:,} can be compared",
                    hint="slice by a column with fewer values",
                )
    slices = {value: profiler.profile() for value, profiler in profilers.items()}
    return sum(slices.values(), profile(rows.head(0), dataset=name, contract=contract)), slices
