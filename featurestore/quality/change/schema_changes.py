"""Changes between two schemas, and whom they break: the readers of the data, or the writers.

A reader relies on every rule of a schema, so a looser rule breaks readers. A writer must keep every
rule, so a stricter rule breaks writers.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

    from featurestore.definitions.contract import Column, Contract

_WIDER = {
    "Int8": ("Int16", "Int32", "Int64"),
    "Int16": ("Int32", "Int64"),
    "Int32": ("Int64",),
    "UInt8": ("UInt16", "UInt32", "UInt64", "Int16", "Int32", "Int64"),
    "UInt16": ("UInt32", "UInt64", "Int32", "Int64"),
    "UInt32": ("UInt64", "Int64"),
    "Float32": ("Float64",),
}


Bound: TypeAlias = "float | None"
Values: TypeAlias = tuple[str, ...]
Term: TypeAlias = str | float | bool | tuple[str, ...] | None
Kind = Literal[
    "added",
    "removed",
    "dtype",
    "unit",
    "nullable",
    "unique",
    "min",
    "max",
    "allowed_values",
    "rule",
]
_BOUNDS = {
    "greater_than",
    "greater_than_or_equal_to",
    "less_than",
    "less_than_or_equal_to",
    "in_range",
}


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a contract says about a column, in a form that is kept as JSON.

    Attributes
    ----------
    min, max
        Bounds of numbers; None: no bound.
    allowed_values
        The values that are allowed, as text; None: any value.
    rules
        The names of the other checks.
    """

    dtype: str
    nullable: bool = False
    unique: bool = False
    unit: str | None = None
    min: float | None = None
    max: float | None = None
    allowed_values: tuple[str, ...] | None = None
    rules: tuple[str, ...] = ()


class ContractTerms(msgspec.Struct, frozen=True):
    """What a contract says about each column.

    It is kept beside the data that passed under the contract.
    """

    contract: str
    key: tuple[str, ...]
    columns: dict[str, Terms]


class SchemaChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of a schema.

    Attributes
    ----------
    kind
        What changed: the whole column (``added``, ``removed``), one of its `Terms`, or one of its
        other rules (``rule``).
    before, after
        The value before and after the change; None: there was or is none.
    breaks_readers
        Whether code that reads the data may fail.
    breaks_writers
        Whether data that were valid may be refused.
    """

    column: str
    kind: Kind
    before: Term = None
    after: Term = None
    breaks_readers: bool
    breaks_writers: bool

    @property
    def description(self) -> str:
        """The change in words."""
        return _DESCRIPTIONS[self.kind](self.before, self.after)

    @property
    def effect(self) -> str:
        """Whom the change breaks, in words."""
        parties = [
            party
            for party, breaks in (("readers", self.breaks_readers), ("writers", self.breaks_writers))
            if breaks
        ]
        return f"breaks {' and '.join(parties)}" if parties else "compatible"


def contract_terms(contract: Contract) -> ContractTerms:
    """Return the terms of a contract in a form that can be kept."""
    return ContractTerms(contract.name, contract.key, terms_of(contract))


def terms_of(contract: Contract) -> dict[str, Terms]:
    """Return what a contract says about each column."""
    return {column.name: _terms(column) for column in contract.columns}


def terms_of_frame(schema: pl.Schema) -> dict[str, Terms]:
    """Return what a frame shows about each column: its dtype."""
    return {name: Terms(str(dtype), nullable=True) for name, dtype in schema.items()}


def schema_changes(before: Mapping[str, Terms], after: Mapping[str, Terms]) -> tuple[SchemaChange, ...]:
    """List the changes column by column, in the order of the columns."""
    changes: list[SchemaChange] = []
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            changes.append(_change(name, "removed", before[name].dtype, None, looser=True))
        elif name not in before:
            changes.append(_change(name, "added", None, after[name].dtype, stricter=True))
        else:
            changes += _column_changes(name, before[name], after[name])
    return tuple(changes)


def _change(
    column: str, kind: Kind, before: Term, after: Term, *, looser: bool = False, stricter: bool = False
) -> SchemaChange:
    return SchemaChange(
        column=column,
        kind=kind,
        before=before,
        after=after,
        breaks_readers=looser,
        breaks_writers=stricter,
    )


def _terms(column: Column) -> Terms:
    minimum: Bound = None
    maximum: Bound = None
    allowed_values: Values | None = None
    rules = []
    for check in column.checks:
        statistics = check.statistics or {}
        low = statistics.get("min_value")
        high = statistics.get("max_value")
        if check.name in _BOUNDS and all(x is None or isinstance(x, int | float) for x in (low, high)):
            minimum = low if low is not None else minimum
            maximum = high if high is not None else maximum
            if check.name in ("greater_than", "less_than") or not statistics.get("include_min", True):
                rules.append(str(check.error or check.name))
        elif check.name == "isin":
            allowed_values = tuple(sorted(map(str, statistics["allowed_values"])))
        else:
            rules.append(str(check.error or check.name))
    return Terms(
        dtype=str(column.dtype),
        nullable=column.nullable,
        unique=column.unique,
        unit=column.unit,
        min=minimum,
        max=maximum,
        allowed_values=allowed_values,
        rules=tuple(sorted(rules)),
    )


def _column_changes(column: str, old: Terms, new: Terms) -> Iterator[SchemaChange]:
    change = partial(_change, column)
    if old.dtype != new.dtype:
        wider = new.dtype in _WIDER.get(old.dtype, ())
        narrower = old.dtype in _WIDER.get(new.dtype, ())
        yield change("dtype", old.dtype, new.dtype, looser=not narrower, stricter=not wider)
    if old.unit != new.unit:
        yield change("unit", old.unit, new.unit, looser=True, stricter=True)
    if old.nullable != new.nullable:
        yield change("nullable", old.nullable, new.nullable, looser=new.nullable, stricter=old.nullable)
    if old.unique != new.unique:
        yield change("unique", old.unique, new.unique, looser=old.unique, stricter=new.unique)
    if old.min != new.min:
        stricter = old.min is None or (new.min is not None and new.min > old.min)
        yield change("min", old.min, new.min, looser=not stricter, stricter=stricter)
    if old.max != new.max:
        stricter = old.max is None or (new.max is not None and new.max < old.max)
        yield change("max", old.max, new.max, looser=not stricter, stricter=stricter)
    yield from _allowed_values(column, old.allowed_values, new.allowed_values)
    for rule in sorted({*old.rules} - {*new.rules}):
        yield change("rule", rule, None, looser=True)
    for rule in sorted({*new.rules} - {*old.rules}):
        yield change("rule", None, rule, stricter=True)


def _allowed_values(column: str, old: Values | None, new: Values | None) -> Iterator[SchemaChange]:
    """List the change of the allowed values.

    Values that are added and values that are removed are two changes.
    """
    change = partial(_change, column, "allowed_values")
    if old is None or new is None:
        if old != new:
            yield change(old, new, looser=new is None, stricter=old is None)
        return
    added = tuple(value for value in new if value not in old)
    removed = tuple(value for value in old if value not in new)
    if added:
        yield change((), added, looser=True)
    if removed:
        yield change(removed, (), stricter=True)


def _describe_allowed_values(before: Values | None, after: Values | None) -> str:
    if after is None:
        return "any value allowed"
    if before is None:
        return f"only {', '.join(after)} allowed"
    return f"values {', '.join(after)} allowed" if after else f"values {', '.join(before)} no longer allowed"


_DESCRIPTIONS: dict[Kind, Callable[[Any, Any], str]] = {
    "added": lambda _, after: f"added, {after}",
    "removed": lambda _, __: "removed",
    "dtype": lambda before, after: f"{before} becomes {after}",
    "unit": lambda before, after: f"unit {before} becomes {after}",
    "nullable": lambda _, after: "may now be missing" if after else "may no longer be missing",
    "unique": lambda _, after: "is unique now" if after else "is no longer unique",
    "min": lambda before, after: f"min {before} becomes {after}",
    "max": lambda before, after: f"max {before} becomes {after}",
    "allowed_values": _describe_allowed_values,
    "rule": lambda before, after: f"no longer {before}" if after is None else f"now {after}",
}
