"""The seams: what the operations need of the outside, each a small Protocol with interchangeable parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.catalog import Catalog, Derived
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.definitions.feature_view import Selection
    from featurestore.definitions.source import Source


class RawReader(Protocol):
    """Brings raw data in."""

    def fetch(self, source: Source, target: Path) -> None:
        """Put the raw file of `source` at `target`."""

    def scan(self, source: Source, path: Path) -> pl.DataFrame | pl.LazyFrame:
        """Read raw rows, or scan them: text of CSV stays text, the gate parses it; says where each row comes from."""


@dataclass(frozen=True)
class ViewRows:
    """The features wanted of a view, and the Parquet files that hold its rows in the order of key and version."""

    selection: Selection
    files: tuple[Path, ...]


class ComputeEngine(Protocol):
    """Runs transformations and point-in-time joins."""

    def transform(self, derived: Derived | TrainingSet, inputs: Sequence[pl.LazyFrame]) -> pl.DataFrame:
        """Run a definition's function over its inputs; of rows that it leaves unordered, in any order."""

    def historical(self, entity_rows: pl.DataFrame, views: Sequence[ViewRows]) -> pl.DataFrame:
        """Join views to entity rows: the rows given, in their order, then what each view answers.

        Of a view: its features, their statuses, and ``<view>__event_timestamp``, null where no row was known.
        """


class ViewState(msgspec.Struct, frozen=True, kw_only=True):
    """What an online store holds of a view.

    Attributes
    ----------
    definition
        Digest of the view's keys, features and timing.
    source
        Digest of the rows it was materialized from.
    watermark
        Microseconds since 1970 (UTC): every row known by then is applied, none known later.
    """

    definition: str
    source: str
    watermark: int


class RowReader(Protocol):
    """Looks up current rows."""

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys of several views in one consistent snapshot."""


class OnlineStore(RowReader, Protocol):
    """Holds the current row of each key, by view."""

    def state(self, view: str) -> ViewState | None:
        """Say what is held of a view; None: nothing."""

    def write(
        self, view: str, rows: Iterable[tuple[bytes, bytes]], state: ViewState, *, replace: bool
    ) -> int:
        """Apply rows in one transaction; a row replaces the stored one only if its version is greater.

        With `replace`, whatever was there before goes in the same step, except the marks of deleted keys
        (`featurestore.values.codec.tombstone`). Readers see the view before or after. Returns how many rows were applied.
        """

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """List all keys and rows of a view, marks of deleted keys included."""

    def drop(self, views: Sequence[str]) -> None:
        """Remove all of views, and what is known of them."""


class Registry(Protocol):
    """Keeps Feast's registry in step with the definitions."""

    def apply(self, catalog: Catalog) -> None:
        """Register exactly what the catalog defines."""
