"""What changed between two schemas, and whom it breaks: those who read the data, or those who write them.

A reader may rely on every promise: what is loosened breaks readers. A writer must keep every promise: what is tightened
breaks writers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is promised of a column, in a form that can be kept.

    Attributes
    ----------
    least, most
        Bounds of numbers; None: none.
    among
        The values that are allowed; None: any.
    rules
        Other checks, by name.
    """

    dtype: str
    nullable: bool = False
    unique: bool = False
    unit: str | None = None
    least: float | None = None
    most: float | None = None
    among: tuple[str, ...] | None = None
    rules: tuple[str, ...] = ()


class Promised(msgspec.Struct, frozen=True):
    """What is promised of a dataset: kept beside the data that passed under it."""

    contract: str
    key: tuple[str, ...]
    columns: dict[str, Terms]


class SchemaChange(msgspec.Struct, frozen=True):
    """One change of a schema.

    Attributes
    ----------
    breaks_readers, breaks_writers
        Whether code that reads the data, or that writes them, may fail or go wrong after it.
    """

    column: str
    change: str
    breaks_readers: bool
    breaks_writers: bool

    @property
    def effect(self) -> str:
        """Say whom it breaks."""
        broken = [
            who for who, yes in (("readers", self.breaks_readers), ("writers", self.breaks_writers)) if yes
        ]
        return f"breaks {' and '.join(broken)}" if broken else "compatible"


def promised(contract: Contract) -> Promised:
    """Put a contract in a form that can be kept."""
    return Promised(contract.name, contract.key, terms_of(contract))


def terms_of(contract: Contract) -> dict[str, Terms]:
    """Read what a contract promises of each column."""
    return {column.name: _terms(column) for column in contract.columns}


def terms_of_frame(schema: pl.Schema) -> dict[str, Terms]:
    """Take what a frame shows of itself: its dtypes."""
    return {name: Terms(str(dtype), nullable=True) for name, dtype in schema.items()}


def schema_changes(before: Mapping[str, Terms], after: Mapping[str, Terms]) -> tuple[SchemaChange, ...]:
    """List what changed, column by column, in the order of the columns."""
    found: list[SchemaChange] = []
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            found.append(SchemaChange(name, "removed", breaks_readers=True, breaks_writers=False))
        elif name not in before:
            found.append(
                SchemaChange(name, f"added, {after[name].dtype}", breaks_readers=False, breaks_writers=True)
            )
        else:
            found += (SchemaChange(name, *told) for told in _column_changes(before[name], after[name]))
    return tuple(found)


def _terms(column: Column) -> Terms:
    least = most = among = None
    rules = []
    for check in column.checks:
        told = check.statistics or {}
        low, high = told.get("min_value"), told.get("max_value")
        if check.name in _BOUNDS and all(x is None or isinstance(x, int | float) for x in (low, high)):
            least, most = (low if low is not None else least), (high if high is not None else most)
            if check.name in ("greater_than", "less_than") or not told.get("include_min", True):
                rules.append(str(check.error or check.name))
        elif check.name == "isin":
            among = tuple(sorted(map(str, told["allowed_values"])))
        else:
            rules.append(str(check.error or check.name))
    return Terms(
        dtype=str(column.dtype),
        nullable=column.nullable,
        unique=column.unique,
        unit=column.unit,
        least=least,
        most=most,
        among=among,
        rules=tuple(sorted(rules)),
    )


_BOUNDS = {
    "greater_than",
    "greater_than_or_equal_to",
    "less_than",
    "less_than_or_equal_to",
    "in_range",
}


def _column_changes(old: Terms, new: Terms) -> Iterator[tuple[str, bool, bool]]:
    if old.dtype != new.dtype:
        told = f"{old.dtype} becomes {new.dtype}"
        wider, narrower = new.dtype in _WIDER.get(old.dtype, ()), old.dtype in _WIDER.get(new.dtype, ())
        yield told, not narrower, not wider
    if old.unit != new.unit:
        yield f"unit {old.unit} becomes {new.unit}", True, True
    if old.nullable != new.nullable:
        yield (
            ("may now be missing", True, False) if new.nullable else ("may no longer be missing", False, True)
        )
    if old.unique != new.unique:
        yield ("is unique now", False, True) if new.unique else ("is no longer unique", True, False)
    yield from _bound("at least", old.least, new.least, tighter=lambda a, b: b > a)
    yield from _bound("at most", old.most, new.most, tighter=lambda a, b: b < a)
    yield from _categories(old.among, new.among)
    for rule in sorted({*old.rules} - {*new.rules}):
        yield f"no longer {rule}", True, False
    for rule in sorted({*new.rules} - {*old.rules}):
        yield f"now {rule}", False, True


def _bound(
    word: str, old: float | None, new: float | None, *, tighter: Any
) -> Iterator[tuple[str, bool, bool]]:
    if old == new:
        return
    is_tighter = old is None or (new is not None and tighter(old, new))
    yield f"{word} {old} becomes {new}", not is_tighter, is_tighter


def _categories(old: tuple[str, ...] | None, new: tuple[str, ...] | None) -> Iterator[tuple[str, bool, bool]]:
    if old == new:
        return
    if old is None or new is None:
        yield ("any value allowed", True, False) if new is None else (f"only {', '.join(new)}", False, True)
        return
    gained, lost = [v for v in new if v not in old], [v for v in old if v not in new]
    if gained:
        yield f"values {', '.join(gained)} allowed", True, False
    if lost:
        yield f"values {', '.join(lost)} no longer allowed", False, True
