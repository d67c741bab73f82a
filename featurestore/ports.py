"""The interfaces between operations and the outside, each a small Protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.catalog import Catalog, Derived
    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.definitions.feature_view import Selection
    from featurestore.definitions.source import Source


class RawReader(Protocol):
    """Reads raw data."""

    def fetch(self, source: Source, target: Path) -> None:
        """Copy the raw file of `source` to `target`."""

    def scan(self, source: Source, path: Path) -> pl.DataFrame | pl.LazyFrame:
        """Read or scan raw rows, with the file and row number of each.

        CSV values stay text: the gate parses them.
        """


@dataclass(frozen=True)
class ViewRows:
    """Selected features of a view, and where its rows are.

    Attributes
    ----------
    files
        The files of the rows, each in order of key and version.
    deleted
        The files of deleted keys: the view's keys, and the time of each deletion as
        ``event_timestamp``.
    """

    selection: Selection
    files: tuple[Path, ...]
    deleted: tuple[Path, ...] = ()

    @property
    def has_log(self) -> bool:
        """Whether rows were pushed or deleted, beside those that were built."""
        return len(self.files) > 1 or bool(self.deleted)


class ComputeEngine(Protocol):
    """Runs transformations and point-in-time joins."""

    def transform(self, derived: Derived | TrainingSet, inputs: Sequence[pl.LazyFrame]) -> pl.DataFrame:
        """Run the function of a definition over its inputs.

        The order of the result's rows is not defined.
        """

    def historical(self, entity_rows: pl.DataFrame, views: Sequence[ViewRows]) -> pl.DataFrame:
        """Join the answers of views to entity rows.

        Returns the entity rows in the same order, with the columns of each view: its features,
        their statuses, and ``<view>__event_timestamp``, which is null where no row was known.
        """


class ViewState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a view in an online store.

    Attributes
    ----------
    definition
        Digest of the view's keys, features and timing.
    source
        Digest of the file of built rows.
    watermark
        Microseconds since 1970-01-01 UTC. All rows that are known by then are applied, and no
        others.
    pushed, deleted
        How many writes of the log of pushed rows, and of deleted keys, were known to the last
        writer: rows of later writes are applied whenever they were known.
    row_format
        The format of the stored rows (`featurestore.values.codec.ROW_FORMAT`).
    """

    definition: str
    source: str
    watermark: int
    pushed: int = 0
    deleted: int = 0
    row_format: int = 1


# Encoded keys by view; and for each view its state, and for each key its row or None.
ViewKeys: TypeAlias = "Sequence[tuple[str, Sequence[bytes]]]"
StoredRows: TypeAlias = "Sequence[tuple[ViewState | None, Sequence[bytes | None]]]"


class RowReader(Protocol):
    """Looks up current rows."""

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys of several views in one snapshot.

        Returns for each view its state, and for each key its row or None.
        """


class OnlineStore(RowReader, Protocol):
    """Holds the current row of each key, by view."""

    def state(self, view: str) -> ViewState | None:
        """Return the state of a view. None: the store does not hold the view."""

    def write(
        self, view: str, rows: Iterable[tuple[bytes, bytes]], state: ViewState, *, replace: bool
    ) -> int:
        """Apply pairs of key and row in one transaction, and return how many changed the store.

        A row replaces the stored one only if its version is greater. With `replace`, the same step
        first removes all stored rows, except the marks of deleted keys
        (`featurestore.values.codec.tombstone`); a damaged mark goes too, and the log brings it back. Readers see the view before the step or after it.
        """

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """Return all rows of a view, with marks of deleted keys, in the order of the keys."""

    def drop(self, views: Sequence[str]) -> None:
        """Remove the rows and the states of views."""


class Channel(Protocol):
    """A connection to an online store for an event loop: no call waits, and one read runs at a time."""

    def fileno(self) -> int:
        """Return the number of the socket."""

    def read(self, views: ViewKeys) -> Generator[int, int, StoredRows]:
        """Look up keys as `RowReader.read`, in steps.

        Yields what the next step waits for, and is sent what is ready: `selectors.EVENT_READ`,
        `selectors.EVENT_WRITE`, or both.

        Raises
        ------
        StoreError
            If the store does not answer, or not as expected. Close the channel then.
        """

    def close(self) -> None:
        """Close the connection. The store then replaces the connections that it opened before."""


@runtime_checkable
class ChannelStore(RowReader, Protocol):
    """An online store on a server, which an event loop can read without threads."""

    def channel(self) -> Channel:
        """Connect to the server; this blocks.

        Raises
        ------
        StoreError
            If the server does not answer.
        """


@runtime_checkable
class StoreClock(Protocol):
    """An online store that has a clock of its own, because it is on another machine."""

    def clock(self) -> datetime:
        """Return the time of the store's clock, in UTC."""


class ServingPath(Protocol):
    """One way in which an application reads features of a project or release online."""

    @property
    def name(self) -> str:
        """The way, for people: ``"get_online"``, ``"reader"``, ``"HTTP /v1/vectors"``."""

    def read(self, entity_rows: pl.DataFrame, service: FeatureService, as_of: datetime) -> pl.DataFrame:
        """Ask for the vector of each entity row.

        Parameters
        ----------
        entity_rows
            Entity keys and the request values of on-demand views.
        as_of
            The timestamp of reading, in UTC.

        Returns
        -------
        pl.DataFrame
            One row for each entity row, in the same order: the features in their declared dtypes, and
            ``<feature>__status`` (`featurestore.timing.join.Status`, UInt8) of each. Features that the
            path refuses to carry, because it cannot carry their values exactly, are left out.

        Raises
        ------
        SkewError
            If the path refuses the rows.
        StoreError
            If the online store does not answer.
        """


class Registry(Protocol):
    """Keeps Feast's registry in step with the definitions."""

    def apply(self, catalog: Catalog) -> None:
        """Register exactly the definitions of the catalog."""


VersionGap: TypeAlias = Literal["no version", "changed", "no repository"]


class StepFinder(Protocol):
    """Finds what a step of the pipeline does."""

    def __call__(self, name: str, command: str, /) -> Callable[[], object] | None:
        """Return what the step does in this process; None: the step is not one of ours."""


class DatasetVersions(Protocol):
    """Keeps versions of data files beside the git repository that holds the code."""

    def start(self, root: Path) -> tuple[str, ...]:
        """Make the repositories that a folder lacks; returns the names of those that were made."""

    def gaps(self, root: Path, files: Sequence[Path]) -> dict[Path, VersionGap]:
        """Return the files whose content in place has no version, each with the reason."""

    def add(self, root: Path, paths: Sequence[Path]) -> tuple[Path, ...]:
        """Version files and folders as they are now; returns the records, which belong into git."""

    def run(self, root: Path, step_of: StepFinder) -> tuple[str, ...]:
        """Run the steps of the pipeline that are out of date; returns the names of those that ran."""

    def fetch(self, root: Path, path: Path, revision: str, target: Path) -> Path:
        """Copy a file or folder, as it was at a revision, to `target`; returns `target`."""
