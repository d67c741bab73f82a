"""A project: the composition root, where definitions, settings and parts come together."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.adapters.entity_rows import frame_of, rows_given
from featurestore.adapters.files import FileReader
from featurestore.adapters.polars import MIB, PolarsEngine
from featurestore.adapters.stores import open_store
from featurestore.config import load_settings, parse_timestamp
from featurestore.data_quality import Quality
from featurestore.definitions.catalog import load_catalog
from featurestore.definitions.feature_service import FeatureService
from featurestore.definitions.source import Source
from featurestore.errors import ContractError, DefinitionError
from featurestore.operations import build as building
from featurestore.operations import check as checking
from featurestore.operations import validate as validating
from featurestore.operations.apply import Changes, apply
from featurestore.operations.audit import AuditRecord, audit
from featurestore.operations.delete import delete
from featurestore.operations.get_online import online
from featurestore.operations.materialize import MaterializeRecord, MaterializeRun, Progress, materialize
from featurestore.operations.pipeline import pipeline
from featurestore.operations.push import push
from featurestore.operations.release import Release, current, release_project, rollback
from featurestore.operations.replay import replay
from featurestore.operations.report import Summary, report, summarize
from featurestore.operations.training_set import TrainingManifest, training_set
from featurestore.quality.gate.inspection import inspect, require
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.storage.files import append_record, scan_parquet, write_record
from featurestore.storage.layout import Layout
from featurestore.storage.lock import locked
from featurestore.storage.views import rows_of
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import timestamp_of
from featurestore.vectors.explain import explain
from featurestore.vectors.historical import changes, historical
from featurestore.vectors.reader import VectorReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from featurestore.config import Settings
    from featurestore.definitions.catalog import Catalog
    from featurestore.operations.materialize import Materialized
    from featurestore.ports import ComputeEngine, OnlineStore
    from featurestore.quality.gate.verdict import Verdict

Rows = pl.DataFrame | pl.LazyFrame


class Project:
    """Everything that can be done with a project's data, from Python. Made by `featurestore.open`.

    Parameters
    ----------
    settings
        Where things are.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.layout = Layout(settings.data)
        self._reader = FileReader(settings.memory * MIB // 8)

    @cached_property
    def _engine(self) -> ComputeEngine:
        # A span is decoded, joined and gathered: about four times its bytes at the most.
        span_bytes = self.settings.memory * MIB // 4
        if self.settings.engine == "ray":
            from featurestore.adapters.ray import RayEngine  # noqa: PLC0415 - only who asks for Ray needs it

            return RayEngine(self.settings.ray_address, span_bytes, root=self.settings.root)
        return PolarsEngine(span_bytes)

    @cached_property
    def quality(self) -> Quality:
        """What is known of datasets, and of what is wrong with them."""
        return Quality(self.settings, self.catalog, self.layout, self._reader)

    @cached_property
    def catalog(self) -> Catalog:
        """All definitions."""
        settings = self.settings
        return load_catalog(settings.root, settings.definitions)

    def check(self) -> int:
        """Type-check all definitions without data; returns how many."""
        return checking.check(self.catalog)

    def ingest(self, name: str) -> Path:
        """Fetch the raw file of a source."""
        return validating.ingest(self._source(name), self.settings.root, self._reader)

    def validate(self, name: str) -> Verdict:
        """Let a source's raw file through the gate, or check a built dataset again where it lies."""
        node = self.catalog.node(name)
        if isinstance(node, Source):
            return validating.validate(
                node, self.settings.root, self.layout, self._reader, self.quality.around(name)
            )
        inspection = inspect(
            building.scan(node, self.layout),
            node.contract,
            dataset=name,
            context=self.quality.around(name),
        )
        require(inspection.verdict)
        return inspection.verdict

    def build(self, name: str) -> Verdict:
        """Build a dataset or feature view from its inputs."""
        node = self.catalog.node(name)
        if isinstance(node, Source):
            raise DefinitionError(f"{name!r} is a source", hint=f"run: featurestore validate {name}")
        return building.build(node, self.catalog, self.layout, self._engine, self.quality.around(name))

    def dataset(self, name: str) -> pl.LazyFrame:
        """Scan the rows of a source, dataset or feature view."""
        return building.scan(self.catalog.node(name), self.layout)

    def apply(self, *, allow_removal: bool = False, allow_breaking: bool = False) -> Changes:
        """Register the definitions with Feast."""
        from featurestore.adapters.feast.registry import FeastRegistry  # noqa: PLC0415 - Feast takes seconds to import

        registry = FeastRegistry(self.settings)
        allowed = {"allow_removal": allow_removal, "allow_breaking": allow_breaking}
        return apply(self.catalog, self.layout, registry, **allowed)

    def historical(
        self,
        entity_rows: Any = None,
        features: str | Sequence[str] | FeatureService = (),
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        statuses: bool = False,
        times: bool = False,
        full_names: bool = False,
    ) -> pl.DataFrame:
        """Join features to entity rows, each at its ``event_timestamp``, as they were known then.

        Parameters
        ----------
        entity_rows
            A frame of Polars, pandas or Arrow; the path of a Parquet file; or SQL over the project's datasets. None:
            every key at every moment after `start` and up to `end` at which one of the features became known anew.
        features
            A feature service or its name; or a list of ``"view:feature"`` and ``"view"``.
        start, end
            Only without entity rows; `end` is now, if none is given.
        statuses, times, full_names
            See `featurestore.vectors.historical.historical`.
        """
        service = self._service(features)
        views = [rows_of(selection, self.layout) for selection in service.reads]
        if entity_rows is None:
            first = None if start is None else parse_timestamp(start)
            rows = changes(service, views, start=first, end=self._moment(end))
        elif start is not None or end is not None:
            raise ContractError(
                "entity rows say their own moments", hint="leave out start and end, or the rows"
            )
        else:
            rows = frame_of(entity_rows, self._tables())
        return historical(
            rows,
            service,
            views,
            self._engine,
            check=RequestGate(service).check_frame,
            statuses=statuses,
            times=times,
            full_names=full_names,
        )

    def explain(
        self, entity_row: Any, features: str | Sequence[str] | FeatureService
    ) -> dict[str, pl.DataFrame]:
        """Show which stored row gives one entity row its features, and why the others do not.

        See `featurestore.vectors.explain.explain`.
        """
        service = self._service(features)
        views = [rows_of(selection, self.layout) for selection in service.reads]
        return explain(frame_of(entity_row, self._tables()), service, views)

    def online(
        self,
        entity_rows: Rows | Sequence[Mapping[str, Any]],
        features: str | Sequence[str] | FeatureService,
        *,
        as_of: datetime | str | None = None,
        statuses: bool = False,
    ) -> pl.DataFrame:
        """Look up features (as for `historical`) for entity rows, now or `as_of` a moment.

        See `featurestore.operations.get_online.online`.
        """
        service = self._service(features)
        return online(
            rows_given(entity_rows, service.name),
            service,
            self.store(),
            moment=self._moment(as_of),
            statuses=statuses,
        )

    def reader(self, features: str | Sequence[str] | FeatureService) -> VectorReader:
        """Make ready to look up vectors in microseconds: rows as dictionaries in, Python values and statuses out.

        See `featurestore.vectors.reader.VectorReader`.
        """
        service = self._service(features)
        return VectorReader(service, self.store(), check=RequestGate(service).check_rows)

    def training_set(self, name: str) -> TrainingManifest:
        """Build a training set."""
        return training_set(self.catalog.training_set(name), self.catalog, self.layout, self._engine)

    def materialize(
        self,
        views: Iterable[str] = (),
        *,
        until: datetime | str | None = None,
        full: bool = False,
        progress: Progress = lambda *_: None,
    ) -> MaterializeRecord:
        """Bring views (all, if none are named) to a moment (now, if none is named) in the online store."""
        moment = self._moment(until)
        store = self.store(create=True)
        done, since = [], {}
        for view in [self.catalog.view(name) for name in views] or self.catalog.views.values():
            with locked(self.layout.lock(view.name)):
                before = store.state(view.name)
                since[view.name] = None if before is None else timestamp_of(before.watermark)
                made = materialize(view, moment, self.layout, store, full=full, progress=progress)
                done.append(made)
        record = MaterializeRecord(until=moment, views=tuple(done))
        run = MaterializeRun(at=datetime.now(UTC), since=since, views=record.views)
        append_record(run, self.layout.materializations)
        write_record(record, self.layout.materialized)
        return record

    def push(self, view: str, rows: Rows) -> Materialized:
        """Write rows of a view to the online store and to the offline log at once.

        See `featurestore.operations.push.push`.
        """
        found = self.catalog.view(view)
        return push(
            found, rows.lazy().collect(), self.layout, self.store(create=True), now=self.settings.now()
        )

    def delete(self, view: str, keys: Rows) -> int:
        """Delete entities from a view of the online store, and of the one that is served.

        See `featurestore.operations.delete.delete`.
        """
        found, rows = self.catalog.view(view), keys.lazy().collect()
        count = delete(found, rows, self.layout, self.store(), now=self.settings.now())
        if served := current(self.layout):
            release = open(self.layout.releases / served)
            if view in release.catalog.views:
                release.delete(view, rows)
        return count

    def release(self, *, keep: int = 5) -> Release:
        """Freeze definitions and online data as a release, and serve it from now on; of the others the last stay."""
        make = partial(open_store, create=True)
        return release_project(self.settings, self.catalog, self.store(), make, keep=keep)

    def rollback(self, to: str | None = None) -> str:
        """Serve the former release (or the one named) from now on; returns its name."""
        return rollback(self.layout, to, open_store)

    def audit(self) -> AuditRecord:
        """Compare the online store with the historical join, cell by cell."""
        services = [
            (training.service, pl.read_parquet(self.layout.training(training.name)))
            for training in self.catalog.training_sets.values()
            if self.layout.training(training.name).exists()
        ]
        record = audit(self.catalog.views.values(), services, self.layout, self._engine, self.store())
        write_record(record, self.layout.audit)
        return record

    def replay(self, service: str) -> AuditRecord:
        """Compare what a server logged that it served with the historical join at the same moments, cell by cell."""
        return replay(self._service(service), self.layout, self._engine)

    def summary(self) -> Summary:
        """Gather what the records say of the last run."""
        return summarize(self.catalog, self.layout)

    def report(self, names: Collection[str] = ()) -> Path:
        """Write the HTML pages of datasets (all, if none are named) and the one over all; returns the path of that."""
        return report(self.catalog, self.layout, names)

    def pipeline(self) -> str:
        """Derive dvc.yaml from the definitions."""
        return pipeline(self.catalog, self.settings, self.layout)

    def store(self, *, create: bool = False) -> OnlineStore:
        """Open the online store."""
        return open_store(self.settings, create=create)

    def example(self, service: str) -> pl.DataFrame:
        """Take from a service's training set the last complete row asked by now, as an example to look up."""
        found = self._service(service)
        for training in self.catalog.training_sets.values():
            if training.service is found:
                rows = scan_parquet(
                    self.layout.training(training.name), made_by=f"featurestore training-set {training.name}"
                )
                keys = [*found.key_schema, *found.request_schema]
                asked = rows.filter(pl.col(EVENT_TIMESTAMP) <= self.settings.now())
                return asked.select(keys).drop_nulls().tail(1).collect()
        raise DefinitionError(f"service {service!r} has no training set to take an example from")

    def _source(self, name: str) -> Source:
        node = self.catalog.node(name)
        if not isinstance(node, Source):
            raise DefinitionError(f"{name!r} is not a source", hint=f"run: featurestore build {name}")
        return node

    def _service(self, features: str | Sequence[str] | FeatureService) -> FeatureService:
        if isinstance(features, FeatureService):
            return features
        if isinstance(features, str) and ":" not in features:
            return self.catalog.service(features)
        return self.catalog.request([features] if isinstance(features, str) else features)

    def _tables(self) -> dict[str, Path]:
        return {name: building.path_of(node, self.layout) for name, node in self.catalog.nodes.items()}

    def _moment(self, moment: datetime | str | None) -> datetime:
        return self.settings.now() if moment is None else parse_timestamp(moment)


def open(path: str | Path = ".") -> Project:  # noqa: A001 - featurestore.open, as gzip.open
    """Open the project in a folder.

    Raises
    ------
    ConfigError
        If its settings cannot be read.
    """
    return Project(load_settings(Path(path)))
