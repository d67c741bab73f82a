"""What `adopt` writes, as records: definitions here beside those of Feast, and notes about the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from datetime import timedelta

    import polars as pl

    from featurestore.adapters.feast.inventory import (
        FeastInventory,
        FeastOnDemandView,
        FeastRead,
        FeastService,
        FeastSource,
        FeastView,
    )
    from featurestore.operations.adopt.columns import AdoptedColumn

NoteKind = Literal["left_out", "changed", "trap"]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a person should know about one definition.

    Attributes
    ----------
    kind
        ``left_out``: not written; ``changed``: written, and not the same as in Feast; ``trap``: the
        same definition gives other values here.
    name
        The definition in Feast, such as ``"view driver_stats"``.
    remedy
        What to do, or an empty text.
    """

    kind: NoteKind
    name: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True)
class AdoptedSource:
    """A file that becomes a source. `columns` are those that views read."""

    name: str
    schema: str
    feast: FeastSource
    path: str
    columns: dict[str, tuple[pl.DataType, bool]]
    required: frozenset[str]
    missing_share: float


@dataclass(frozen=True)
class AdoptedView:
    """A view with its columns.

    Attributes
    ----------
    entity
        None: the view has one row for all.
    created
        None: rows are known at their event plus `delay`.
    """

    name: str
    schema: str
    feast: FeastView
    source: str
    entity: str | None
    keys: tuple[AdoptedColumn, ...]
    features: tuple[AdoptedColumn, ...]
    event: AdoptedColumn
    created: AdoptedColumn | None
    delay: timedelta
    latest_by: str
    conflicting_share: float


@dataclass(frozen=True)
class AdoptedOnDemand:
    """An on-demand view.

    Attributes
    ----------
    reads
        The features that its function reads.
    expressions
        The Polars expression of each feature, as source; None: a person writes it.
    """

    name: str
    schema: str
    feast: FeastOnDemandView
    reads: tuple[FeastRead, ...]
    expressions: dict[str, str] | None


@dataclass
class AdoptPlan:
    """All that `adopt` writes, and notes about the rest."""

    inventory: FeastInventory
    entities: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sources: dict[str, AdoptedSource] = field(default_factory=dict)
    views: dict[str, AdoptedView] = field(default_factory=dict)
    on_demand: dict[str, AdoptedOnDemand] = field(default_factory=dict)
    services: dict[str, tuple[FeastService, tuple[FeastRead, ...]]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    names: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, kind: NoteKind, name: str, reason: str, remedy: str = "") -> None:
        """Add a note."""
        self.notes.append(Note(kind=kind, name=name, reason=reason, remedy=remedy))
