"""Sandbox: the definitions of a project, with data, clock and online store of its own."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.adapters.stores import EMBEDDED, remove_store
from featurestore.errors import MissingDataError, UnknownNameError
from featurestore.operations.delete import delete
from featurestore.operations.historical import historical
from featurestore.operations.materialize import materialize
from featurestore.operations.push.push import push
from featurestore.quality.gate.partition import SOURCE_ROW
from featurestore.quality.gate.view_rows import inspect_view
from featurestore.storage.files import write_parquet
from featurestore.storage.layout import Layout
from featurestore.storage.made_by import metadata_of
from featurestore.storage.parquet import read_files
from featurestore.storage.views import files_of
from featurestore.timestamps import parse_timestamp
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import timestamp_of
from featurestore.values.key_columns import frame_of_columns
from featurestore.values.plain import in_utc_zone, to_series
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.operations.push.push import Pushed
    from featurestore.quality.gate.inspection import Inspection
    from featurestore.workspace import Workspace

    Row = Mapping[str, Any]

# Far from UTC, and not by whole hours.
NAMED_ZONE = "Asia/Kathmandu"


@dataclass(frozen=True)
class Sandbox:
    """The definitions of a project, with data, clock and online store of its own. Made by `sandbox`.

    Each method takes the timestamp at which it happens: there is no other clock. Rows are dictionaries.
    """

    workspace: Workspace

    def at(self, timestamp: datetime | str) -> Workspace:
        """Return the workspace as of a timestamp, or as of the last push if that is later."""
        settings = replace(self.workspace.settings, as_of=parse_timestamp(timestamp))
        return replace(self.workspace, settings=settings)

    def set_rows(self, view: str, rows: Sequence[Row]) -> Inspection:
        """Let rows through the gate of a view, and keep those that pass as its built rows.

        Rules about whole datasets do not count: a sandbox has few rows.

        Returns
        -------
        Inspection
            What the gate found; ``source_row`` of a row that fails is its number, from 0.

        Raises
        ------
        ContractError
            If columns are missing, unexpected or of a wrong dtype.
        UnknownNameError
            If there is no such view.
        """
        definition = self.workspace.catalog.view(view)
        frame = view_frame(definition, rows).with_row_index(SOURCE_ROW)
        inspection = inspect_view(definition, frame.lazy())
        path = self.workspace.layout.features(view)
        write_parquet(inspection.passed, path, metadata=metadata_of(definition))
        return inspection

    def pushed(self, view: str) -> list[dict[str, Any]]:
        """Return the rows of a view in the log of pushes."""
        _, *logged = files_of(self.workspace.catalog.view(view), self.workspace.layout)
        return in_utc_zone(read_files(logged)).to_dicts() if logged else []

    def materialize(self, view: str, until: datetime | str) -> datetime:
        """Bring a view to a timestamp in the online store. Errors as of `materialize`; returns the watermark."""
        materialize(self.at(until), [view], until=until)
        return self.watermark(view)

    def push(self, view: str, rows: Sequence[Row], at: datetime | str) -> Pushed:
        """Push rows at a timestamp. Errors as of `push`."""
        return push(self.at(at), view, view_frame(self.workspace.catalog.view(view), rows))

    def delete(self, view: str, keys: Sequence[Row], at: datetime | str) -> int:
        """Delete keys from the online store at a timestamp. Errors as of `delete`."""
        schema = self.workspace.catalog.view(view).key_schema
        return delete(self.at(at), view, frame_of_rows(keys, schema))

    def watermark(self, view: str) -> datetime:
        """Return the timestamp that a view was brought to.

        Raises
        ------
        MissingDataError
            If the view is not materialized.
        """
        state = self.workspace.store().state(view)
        if state is None:
            raise MissingDataError(
                f"view {view!r} is not in the online store",
                hint=f"call first: sandbox.materialize({view!r}, timestamp)",
            )
        return timestamp_of(state.watermark)

    def read(
        self,
        features: str | Sequence[str] | FeatureService,
        entity_rows: Sequence[Row],
        as_of: datetime | str,
        path: str = "get_online",
    ) -> pl.DataFrame:
        """Read features as applications do.

        Parameters
        ----------
        features
            A feature service or its name; or a list of ``"view:feature"`` and ``"view"``.
        entity_rows
            Entity keys and request values.
        path
            The way to read: ``"get_online"``, ``"reader"``, or the name of another serving path.

        Returns
        -------
        pl.DataFrame
            One row for each entity row: the features, and ``<feature>__status`` of each.

        Raises
        ------
        UnknownNameError
            If there is no such path.
        """
        workspace = self.at(as_of)
        paths = {known.name: known for known in workspace.serving_paths()}
        if path not in paths:
            raise UnknownNameError("serving path", path, paths)
        service = workspace.service(features)
        schema = pl.Schema({**service.key_schema, **service.request_schema})
        return paths[path].read(frame_of_rows(entity_rows, schema), service, parse_timestamp(as_of))

    def historical(
        self,
        features: str | Sequence[str] | FeatureService,
        entity_rows: Sequence[Row],
        as_of: datetime | str | None = None,
    ) -> pl.DataFrame:
        """Join features as training does, with their statuses. Errors as of `historical`.

        Parameters
        ----------
        as_of
            The timestamp of every row. None: each row has its own ``event_timestamp``. Training is asked
            in a named time zone, as the rows of a user may be.
        """
        service = self.workspace.service(features)
        schema = pl.Schema(
            {**service.key_schema, **service.request_schema, EVENT_TIMESTAMP: UTC_MICROSECONDS}
        )
        if as_of is not None:
            entity_rows = [{**row, EVENT_TIMESTAMP: parse_timestamp(as_of)} for row in entity_rows]
        frame = frame_of_rows(entity_rows, schema)
        local = frame.with_columns(pl.col(EVENT_TIMESTAMP).dt.convert_time_zone(NAMED_ZONE))
        return historical(self.workspace, local, service, statuses=True)

    def changes(self, view: str, start: datetime | str, end: datetime | str) -> list[dict[str, Any]]:
        """List each key of a view with the timestamps after `start` and up to `end` at which a row became known."""
        frame = historical(self.workspace, None, [view], start=start, end=end)
        keys = self.workspace.catalog.view(view).keys
        return in_utc_zone(frame.select(*keys, EVENT_TIMESTAMP)).to_dicts()


@contextmanager
def sandbox(workspace: Workspace, *, embedded: bool = False) -> Iterator[Sandbox]:
    """Make a sandbox in a temporary folder, and remove it at the end, with all that it stored.

    Its online store is of the kind that the project is configured with, under a name of its own. What
    the project serves is not touched.

    Parameters
    ----------
    embedded
        True: use the embedded store, also where the project is configured with a server.

    Raises
    ------
    StoreError
        If the configured server does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="featurestore-") as folder:
        data = Path(folder)
        settings = replace(
            workspace.settings,
            data=data,
            online=data / "online" / "store.lmdb",
            name=f"sandbox_{secrets.token_hex(8)}",
        )
        if embedded:
            settings = replace(settings, online_kind=EMBEDDED, online_url=None)
        _copy_states(workspace, Layout(data))
        try:
            yield Sandbox(replace(workspace, settings=settings, layout=Layout(data)))
        finally:
            remove_store(settings, tuple(workspace.catalog.views))


def _copy_states(workspace: Workspace, layout: Layout) -> None:
    """Take what the steps of services learned along: a sandbox has no training sets."""
    for name, service in workspace.catalog.services.items():
        path = workspace.layout.fitted(name)
        if service.steps and path.exists():
            layout.fitted(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, layout.fitted(name))


def view_frame(view: FeatureView, rows: Sequence[Row]) -> pl.DataFrame:
    """Return rows as a frame as it comes to the gate of a view: Float32 columns have all digits."""
    schema = {
        name: pl.Float64() if isinstance(dtype, pl.Float32) else dtype
        for name, dtype in view.contract.schema.items()
    }
    return frame_of_rows(rows, pl.Schema(schema))


def frame_of_rows(rows: Sequence[Row], schema: pl.Schema) -> pl.DataFrame:
    """Return rows of Python values as a frame of declared dtypes. Timestamps are in UTC."""
    columns = [to_series(name, [row.get(name) for row in rows], dtype) for name, dtype in schema.items()]
    return frame_of_columns(columns, len(rows))
