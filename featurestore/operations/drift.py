"""Drift between two datasets, or between the last days of one and those before; as a whole, and slice by slice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.errors import ContractError, UnknownNameError
from featurestore.quality.change.binning import MISSING
from featurestore.quality.change.drift import Drift, drift, strongest
from featurestore.quality.gate.casting import cast_known_columns
from featurestore.quality.profile.profile import ROWS_AT_ONCE, Profile, profile
from featurestore.timing.columns import EVENT_TIMESTAMP

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract
    from featurestore.operations.locate import Located

MAX_SLICES = 100
_SLICE = "__slice__"


def drift_between(before: Located, after: Located, *, by: str | None = None) -> Drift:
    """Compare two datasets; a file is read as the other's contract says.

    Parameters
    ----------
    by
        Also compare, for each value of this column, the rows that have it.

    Raises
    ------
    ContractError
        If the column by which to slice is personal, or has too many values.
    UnknownNameError
        If a side lacks it.
    """
    contract, sides = before.contract or after.contract, (before, after)
    names = (before.name, after.name)
    if by is None and all(side.contract is not None or contract is None for side in sides):
        return _named(drift(before.profile, after.profile, contract.columns if contract else ()), names)
    rows = [
        s.rows if s.raw is None or contract is None else cast_known_columns(s.raw, contract) for s in sides
    ]
    return _compared(rows[0], rows[1], contract, names, by)


def drift_within(found: Located, days: int, *, at: str | None = None, by: str | None = None) -> Drift:
    """Compare the last days of a dataset with all before; rows without a moment are left out.

    Parameters
    ----------
    at
        The column that says when; by default ``event_timestamp``, or the only one of moments.
    by
        As of `drift_between`.
    """
    moment = at or _moment(found)
    newest = found.rows.select(_column(found.rows, moment, found.name).max()).collect().item()
    if newest is None:
        raise ContractError(f"{found.name}: {moment!r} says no moment, so there are no last days")
    last = newest - timedelta(days=days)
    names = (f"{found.name} until {last}", f"{found.name}, the last {days} days")
    rows = [found.rows.filter(part) for part in (pl.col(moment) <= last, pl.col(moment) > last)]
    return _compared(rows[0], rows[1], found.contract, names, by)


def _moment(found: Located) -> str:
    schema = found.rows.collect_schema()
    moments = [name for name, dtype in schema.items() if isinstance(dtype, pl.Datetime | pl.Date)]
    if EVENT_TIMESTAMP in moments:
        return EVENT_TIMESTAMP
    if len(moments) != 1:
        listing = f"name one of {', '.join(moments)}" if moments else "it has no column of moments"
        raise ContractError(f"{found.name}: which column says when is not known", hint=listing)
    return moments[0]


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
    # The schema's segments are counted of the whole dataset; here a side may lack their columns.
    contract = None if contract is None else replace(contract, metadata={})
    declared = contract.columns if contract else ()
    if by is None:
        sides = [
            profile(r, dataset=n, contract=contract) for r, n in zip((before, after), names, strict=True)
        ]
        return drift(sides[0], sides[1], declared)
    (one, ones), (other, others) = (
        _slices(r, n, by, contract) for r, n in zip((before, after), names, strict=True)
    )
    nothing = [profile(rows.head(0), dataset=by, contract=contract) for rows in (before, after)]
    found = {
        value: drift(ones.get(value, nothing[0]), others.get(value, nothing[1]), declared)
        for value in sorted({*ones, *others})
    }
    whole = drift(one, other, declared)
    severity = strongest([whole.severity, *(part.severity for part in found.values())])
    return msgspec.structs.replace(whole, severity=severity, by=by, slices=found)


def _slices(
    rows: pl.LazyFrame, name: str, by: str, contract: Contract | None
) -> tuple[Profile, dict[str, Profile]]:
    """Profile the rows of each value of a column, and all of them, in one pass."""
    if contract is not None and by in contract and contract[by].personal:
        raise ContractError(f"{name}: {by!r} is personal, so its values cannot name slices")
    wanted = _column(rows, by, name).cast(pl.String).fill_null(MISSING).alias(_SLICE)
    found: dict[str, Profile] = {}
    whole = profile(rows.head(0), dataset=name, contract=contract)
    for batch in rows.with_columns(wanted).collect_batches(chunk_size=ROWS_AT_ONCE):
        for (value,), part in batch.partition_by(_SLICE, as_dict=True, include_key=False).items():
            made = profile(part, dataset=f"{by} {value}", contract=contract)
            found[str(value)] = found[str(value)] + made if value in found else made
            whole = whole + made
            if len(found) > MAX_SLICES:
                raise ContractError(
                    f"{name}: {by!r} has more than {MAX_SLICES} values, too many to compare each",
                    hint="slice by a column of fewer values",
                )
    return whole, found


def _named(found: Drift, names: tuple[str, str]) -> Drift:
    return msgspec.structs.replace(found, before=names[0], after=names[1])
