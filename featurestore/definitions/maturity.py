"""When the label of a training set is known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from featurestore.errors import DefinitionError
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from featurestore.definitions.contract import Contract


def maturity_of(
    name: str, contract: Contract, label: str, matures: str | timedelta | None
) -> str | timedelta | None:
    """Return when a label is known, from `matures` or the metadata of the label.

    Raises
    ------
    DefinitionError
        If they differ, are before the row's timestamp, or name no column of timestamps.
    """
    declared = contract[label].metadata.get("known")
    if matures is not None and declared is not None and matures != declared:
        raise DefinitionError(
            f"training set {name!r}: matures is {matures!r}, but the schema {contract.name} says that {label!r} is known "
            f"at {declared!r}",
            hint="say it in one place: in `matures`, or in the metadata of the label",
        )
    known = declared if matures is None else matures
    if isinstance(known, timedelta):
        if known < timedelta(0):
            raise DefinitionError(
                f"training set {name!r}: matures is {known}; expected a time after {EVENT_TIMESTAMP!r}",
                hint="a label is known when the outcome is: at 0 or later",
            )
    elif known is not None:
        if not isinstance(known, str):
            raise DefinitionError(
                f"training set {name!r}: matures is {known!r}; expected a timedelta or the name of a column",
                hint="example: matures=timedelta(days=30)",
            )
        if known not in contract or contract[known].dtype != UTC_MICROSECONDS:
            actual = f"{contract[known].dtype}" if known in contract else "missing"
            raise DefinitionError(
                f"training set {name!r}: {known!r}, which tells when {label!r} is known, is {actual} in schema "
                f"{contract.name}; expected {UTC_MICROSECONDS}",
                hint=f"add to the schema: {known}: {UTC_MICROSECONDS}, nullable where a label may never be known",
            )
    return known
