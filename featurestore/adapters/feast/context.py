"""The project of a Feast configuration: its settings and definitions, which are loaded once."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import ContractError
from featurestore.quality.gate.row_gate import refuse, row_gate
from featurestore.storage.layout import Layout
from featurestore.vectors.complete import compute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.config import Settings
    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.project import Project


_LOADING = RLock()
_AS_OF: ContextVar[datetime | None] = ContextVar("_AS_OF", default=None)
_ANSWERING: ContextVar[Path | None] = ContextVar("_ANSWERING", default=None)


@dataclass(frozen=True)
class Context:
    """The project behind Feast's stores."""

    project: Project

    @property
    def settings(self) -> Settings:
        """The settings of the project."""
        return self.project.settings

    @property
    def catalog(self) -> Catalog:
        """The definitions of the project."""
        return self.project.catalog

    @property
    def layout(self) -> Layout:
        """Where the data of the project are."""
        return Layout(self.settings.data)

    def now(self) -> datetime:
        """Return the timestamp of a read: that of `reading_as_of`, or the project's current time."""
        return _AS_OF.get() or self.settings.now()

    def view(self, name: str) -> FeatureView:
        """Find the definition of a Feast feature view."""
        return self.catalog.view(name)

    def push(self, view: str, rows: pl.DataFrame) -> None:
        """Write rows of a view as ``project.push`` does: gate, log of pushed rows, online store.

        Raises
        ------
        ContractError
            If a row breaks the view's contract; nothing is written then.
        DefinitionError
            If the view's schema has no ``created_timestamp``.
        MissingDataError
            If the view is not built yet.
        """
        self.project.push(view, rows)


def context_of(feast_repo: Path | None) -> Context:
    """Load the project of `feast_repo`, the folder of feature_store.yaml."""
    # Requests come in threads: the first one loads the project, and the others wait for it.
    with _LOADING:
        return _load((feast_repo or Path()).resolve())


@cache
def _load(feast_repo: Path) -> Context:
    # Feast's tools are a door to the project, as the command line is, though Feast loads them from this package.
    from featurestore.project.composition import open as open_project  # noqa: PLC0415 - the layers above

    project = open_project(feast_repo.parent)
    project.catalog  # noqa: B018 - loaded here, under the lock
    return Context(project)


@contextmanager
def answering(feast_repo: Path | None) -> Iterator[None]:
    """Compute on-demand views by the definitions of `feast_repo`, wherever the registry was applied."""
    token = _ANSWERING.set((feast_repo or Path()).resolve())
    try:
        yield
    finally:
        _ANSWERING.reset(token)


@contextmanager
def reading_as_of(as_of: datetime) -> Iterator[None]:
    """Read the online store as of a timestamp, in UTC."""
    token = _AS_OF.set(as_of)
    try:
        yield
    finally:
        _AS_OF.reset(token)


def compute_on_demand(feast_repo: str, name: str, inputs: dict[str, Any]) -> dict[str, list[Any]]:
    """Compute an on-demand view for Feast.

    Parameters
    ----------
    feast_repo
        Folder of feature_store.yaml at the last `apply`. Inside `answering`, the folder of the
        repository that answers counts.
    name
        Name of the on-demand view.
    inputs
        The values of each input column.

    Returns
    -------
    dict
        The values of each feature.
    """
    view = context_of(_ANSWERING.get() or Path(feast_repo)).catalog.on_demand[name]
    columns = []
    for column, dtype in view.input_schema.items():
        if column not in inputs:
            raise ContractError(
                f"on-demand view {name!r}: the request lacks {column!r}",
                hint=f"add {column!r} ({dtype}) to the entity rows",
            )
        values = pl.Series(column, list(inputs[column]), strict=False)
        if dtype.is_temporal() and values.dtype.is_integer():
            values = pl.from_epoch(values, "s").dt.replace_time_zone("UTC")  # Feast's wire has seconds
        columns.append(values.cast(dtype))
    rows = pl.DataFrame(columns)
    refuse([row_gate(view.request).breaches_in(rows.select(view.request.schema.names()))])
    return compute(view, rows).to_dict(as_series=False)
