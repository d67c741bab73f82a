"""What a check for leaks found."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.errors import DefinitionError, SkewError
from featurestore.operations.check.timeless import STATIC, UNPROVEN
from featurestore.operations.check_leaks.labels import CheckedSet
from featurestore.values.wording import PERSONAL, counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from featurestore.definitions.contract import Contract

MAX_SHOWN = 10
ROW_EXISTS = "a row"
NO_ROW = "no row"


def identified(values: Mapping[str, Any], contract: Contract) -> str:
    """Write the columns that identify a row as ``name=value``, without personal values."""
    return " ".join(f"{name}={text_of(name, value, contract)}" for name, value in values.items())


def text_of(name: str, value: object, contract: Contract) -> str:
    """Write the value of a column, unless it is personal."""
    if contract[name].personal:
        return PERSONAL
    if isinstance(value, datetime):
        return utc_text(value)
    return str(value)


def utc_text(timestamp: datetime) -> str:
    """Write a timestamp in UTC, with as many digits as it needs."""
    return timestamp.isoformat().replace("+00:00", "Z")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The values of an input with which a leak appears.

    Attributes
    ----------
    dataset
        The dataset that holds them.
    row
        Number of the row in the dataset, from 0, in the order in which functions read it.
    key
        The values of the columns that identify the row; of all columns, if the schema declares none unique.
    columns
        The columns that change the value. Empty: the row as a whole does.
    known_at
        When these values became known. None: never.
    """

    dataset: str
    row: int
    key: str
    columns: tuple[str, ...]
    known_at: datetime | None

    def __str__(self) -> str:
        part = f"{', '.join(self.columns)} of " if self.columns else ""
        known = "never known" if self.known_at is None else f"known at {utc_text(self.known_at)}"
        return f"{part}{self.dataset} {self.key}, {known}"


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of one row that depends on what became known later than the row.

    Attributes
    ----------
    view
        The feature view.
    key
        Keys and timestamps of the row.
    known_at
        When the row becomes known.
    feature
        The feature. None: the row as a whole is one that exists only with, or only without the future.
    with_future, without_future
        The value as built, and the value built from what was known `known_at`.
    origin
        Where the future came from. None: not looked for, because there are many leaks.
    """

    view: str
    key: str
    known_at: datetime
    feature: str | None
    with_future: str
    without_future: str
    origin: Origin | None = None

    def __str__(self) -> str:
        origin = "" if self.origin is None else f"; from {self.origin}"
        name = "the row" if self.feature is None else self.feature
        return (
            f"{self.view} {self.key} {name}, known at {utc_text(self.known_at)}: "
            f"{self.with_future} with the future, {self.without_future} without{origin}"
        )


class CheckedView(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked of a feature view.

    Attributes
    ----------
    rows, tested
        The rows of the view, and those that were built again from what was known when they became known.
    leaking
        The tested rows that came out different.
    inputs
        The datasets whose rows were cut, and whose own functions are not checked here: digests of their files, by name.
    known
        When values of each of them become known, in words.
    definition
        Digest of the definition of the view.
    unproven
        The inputs of which nothing tells when their rows become known.
    static
        The inputs that are declared as facts known before the first row, and that no cut can test.
    """

    name: str
    rows: int
    tested: int
    leaking: int
    inputs: dict[str, str]
    known: dict[str, str]
    definition: str
    unproven: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def result(self) -> str:
        """The result in words."""
        if self.leaking:
            return "leaks"
        if self.unproven:
            return f"{UNPROVEN}: {', '.join(self.unproven)}"
        result = "no leak" if self.tested == self.rows else "no leak in the tested rows"
        return f"{result}; {STATIC}: {', '.join(self.static)}" if self.static else result


class LeakRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a check for leaks.

    Attributes
    ----------
    leaks
        The first leaks of each view.
    training_sets
        The training sets, each with the ways in which it reveals its label.
    """

    views: tuple[CheckedView, ...]
    leaks: tuple[Leak, ...] = ()
    training_sets: tuple[CheckedSet, ...] = ()

    def require_none(self) -> None:
        """Raise if a row knows the future, a training set reveals its label, or nothing tells when an input becomes known.

        Raises
        ------
        SkewError
            If a row leaks, or a training set reveals its label. Serving will not have what training has. The message shows
            the first leaks.
        DefinitionError
            If an input does not declare when its rows become known.
        """
        leaking = [view for view in self.views if view.leaking]
        if leaking:
            shown = "\n".join(f"  {leak}" for leak in self.leaks[:MAX_SHOWN])
            names = ", ".join(f"{counted(view.leaking, 'row')} of {view.name}" for view in leaking)
            raise SkewError(
                f"{names} depend on what became known later\n{shown}",
                hint="use only values that are known when the row is, or let the row become known later "
                "(delay, created_timestamp)",
            )
        revealing = [leak for checked in self.training_sets for leak in checked.leaks]
        if revealing:
            shown = "\n".join(f"  {leak}" for leak in revealing[:MAX_SHOWN])
            names = ", ".join(dict.fromkeys(leak.training_set for leak in revealing))
            raise SkewError(
                f"{names}: {counted(len(revealing), 'leak')} of the label\n{shown}",
                hint="leave out a feature that is the label in other words; ask for what is known at the time of the row; "
                "keep equal rows in one split (by=)",
            )
        require_proven({view.name: view.unproven for view in self.views})


def require_proven(unproven: Mapping[str, Collection[str]]) -> None:
    """Raise if a view has an input of which nothing tells when its rows become known.

    Parameters
    ----------
    unproven
        Such inputs, by view.

    Raises
    ------
    DefinitionError
        Names the views, their inputs, and what to declare.
    """
    views = [view for view, inputs in unproven.items() if inputs]
    if views:
        names = ", ".join(dict.fromkeys(name for inputs in unproven.values() for name in inputs))
        raise DefinitionError(
            f"{', '.join(views)}: {UNPROVEN}, because nothing tells when the rows of {names} become known",
            hint='write metadata = {"known": "<column>"} in the Config of the schema, or "always" for facts that were known '
            "before the first row; then run: featurestore check-leaks",
        )
