"""The project: every verb as a method."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.config import KEEP_RELEASES, LEAK_CUTS, PROVE_CASES, PROVE_SEED
from featurestore.operations.add.add import Added, add
from featurestore.operations.apply.apply import ApplyPlan, apply, plan_apply, registry_changes
from featurestore.operations.audit.audit import audit
from featurestore.operations.build.build import build
from featurestore.operations.check.check import check
from featurestore.operations.check.expired import OnlyExpired, only_expired
from featurestore.operations.check.reproducible import check_reproducible
from featurestore.operations.check.rolling_features import RollingFeature, rolling_features
from featurestore.operations.check.timeless import Timeless, timeless
from featurestore.operations.check.uncompiled import uncompiled
from featurestore.operations.check.unversioned import Unversioned, unversioned
from featurestore.operations.check_leaks.check_leaks import LeakRecord, check_leaks
from featurestore.operations.dataset import dataset
from featurestore.operations.delete import DeletePlan, delete, plan_delete
from featurestore.operations.example import example
from featurestore.operations.explain import explain
from featurestore.operations.get_online import get_online
from featurestore.operations.ingest import ingest
from featurestore.operations.materialize import (
    MaterializePlan,
    MaterializeRecord,
    MaterializeRun,
    Progress,
    materializations,
    materialize,
    plan_materialize,
)
from featurestore.operations.overview import overview
from featurestore.operations.pipeline.pipeline import pipeline
from featurestore.operations.pipeline.stale_pipeline import StalePipeline, stale_pipeline
from featurestore.operations.prove.prove import ProofRecord, prove
from featurestore.operations.prove.sandbox import Sandbox, sandbox
from featurestore.operations.push.push import Pushed, push
from featurestore.operations.read.read import read
from featurestore.operations.reader import reader
from featurestore.operations.release.prune import PrunePlan, plan_prune, prune
from featurestore.operations.release.release import ReleasePlan, plan_release, release
from featurestore.operations.release.releases import Release, active_release, releases
from featurestore.operations.release.rollback import RollbackPlan, plan_rollback, rollback
from featurestore.operations.replay.replay import ReplayRecord, replay
from featurestore.operations.report import report
from featurestore.operations.run import Run, run
from featurestore.operations.summary import Summary, summary
from featurestore.operations.validate.validate import validate
from featurestore.project.quality import Quality
from featurestore.project.training import Training
from featurestore.storage.layout import Layout
from featurestore.values.checked_calls import checked_methods

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from featurestore.config import Settings
    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.operations.audit.record import AuditRecord
    from featurestore.ports import OnlineStore
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.vectors.reader import VectorReader

Rows = pl.DataFrame | pl.LazyFrame


@checked_methods
class Project(Training):
    """Everything that can be done with a project's data, from Python. Made by `featurestore.open`.

    Every method delegates to the function of its name in `featurestore.operations`, whose docstring names all errors.

    Parameters
    ----------
    workspace
        The settings, definitions, data and adapters of the project.
    """

    def _repr_html_(self) -> str:
        return overview(self._workspace)

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self._workspace.settings

    @property
    def layout(self) -> Layout:
        """Where the data are."""
        return self._workspace.layout

    @property
    def catalog(self) -> Catalog:
        """All definitions."""
        return self._workspace.catalog

    @cached_property
    def quality(self) -> Quality:
        """The quality of datasets: verdicts, profiles, history, quarantine."""
        return Quality(self._workspace)

    def with_data(self, folder: Path) -> Project:
        """Return a project with the same definitions and the data of another folder."""
        return Project(self._workspace.with_data(Layout(folder)))

    def check(self) -> int:
        """Type-check all definitions without data; returns how many definitions were checked."""
        return check(self._workspace)

    def uncompiled(self) -> dict[str, str]:
        """Find on-demand views, checks and fitted steps that Polars computes at each request; returns the reason by name."""
        return uncompiled(self._workspace)

    def timeless(self) -> Timeless:
        """Find inputs of feature views without a timestamp: static facts, and what cannot be proven."""
        return timeless(self._workspace)

    def rolling_features(self) -> tuple[RollingFeature, ...]:
        """Find features that `rolling` or `group_by_dynamic` computes at each event, and that do not slide."""
        return rolling_features(self._workspace)

    def check_reproducible(self, names: Iterable[str] = ()) -> tuple[str, ...]:
        """Build definitions (all, if none are given) twice, on shuffled rows and other threads, and compare every bit."""
        return check_reproducible(self._workspace, names)

    def add(self, target: str, *, name: str | None = None, owner: str | None = None) -> Added:
        """Version a file, a pattern, a folder or the result of a query, and draft a source for it.

        Open the project again to see the new source.
        """
        return add(self._workspace, target, name=name, owner=owner)

    def unversioned(self, names: Collection[str] | None = None) -> tuple[Unversioned, ...]:
        """Find raw files (of all sources, or of those named) and pushed rows that nobody keeps a version of."""
        return unversioned(self._workspace, names)

    def run(self, *, progress: Callable[[str], None] = lambda _: None) -> Run:
        """Run the stages of dvc.yaml that are out of date, in this process, and keep DVC's records of them."""
        return run(self._workspace, progress=progress)

    def ingest(self, name: str) -> Path:
        """Fetch the raw file of a source from its origin; returns the path of the file."""
        return ingest(self._workspace, name)

    def validate(self, name: str) -> Verdict:
        """Let the raw file of a source through the gate, or check a built dataset in place."""
        return validate(self._workspace, name)

    def build(self, name: str) -> Verdict:
        """Build a dataset or feature view from its inputs."""
        return build(self._workspace, name)

    def dataset(self, name: str) -> pl.LazyFrame:
        """Scan the rows of a source, dataset or feature view."""
        return dataset(self._workspace, name)

    def plan_apply(self) -> ApplyPlan:
        """Return what `apply` would change; nothing changes."""
        return plan_apply(self._workspace)

    def apply(self, *, allow_removal: bool = False, allow_breaking: bool = False) -> ApplyPlan:
        """Register the definitions with Feast; returns the plan that was executed."""
        return apply(self._workspace, allow_removal=allow_removal, allow_breaking=allow_breaking)

    def explain(
        self, entity_row: Any, features: str | Sequence[str] | FeatureService
    ) -> dict[str, pl.DataFrame]:
        """Show which stored row gives one entity row its features, and why the others do not."""
        return explain(self._workspace, entity_row, features)

    def get_online(
        self,
        entity_rows: Rows | Sequence[Mapping[str, Any]],
        features: str | Sequence[str] | FeatureService,
        *,
        as_of: datetime | str | None = None,
        statuses: bool = False,
    ) -> pl.DataFrame:
        """Look up features (as for `historical`) in the online store, now or `as_of` a timestamp."""
        return get_online(self._workspace, entity_rows, features, as_of=as_of, statuses=statuses)

    def reader(self, features: str | Sequence[str] | FeatureService) -> VectorReader:
        """Prepare lookups of vectors in microseconds: rows as dictionaries in, Python values and statuses out."""
        return reader(self._workspace, features)

    def plan_materialize(
        self, views: Iterable[str] = (), *, until: datetime | str | None = None, full: bool = False
    ) -> MaterializePlan:
        """Return what `materialize` would do; nothing changes."""
        return plan_materialize(self._workspace, views, until=until, full=full)

    def materialize(
        self,
        views: Iterable[str] = (),
        *,
        until: datetime | str | None = None,
        full: bool = False,
        progress: Progress = lambda *_: None,
    ) -> MaterializeRecord:
        """Bring views (all, if none are given) to a timestamp (the current time, if none is given) in the online store."""
        return materialize(self._workspace, views, until=until, full=full, progress=progress)

    def materializations(self) -> list[MaterializeRun]:
        """List all materializations, the oldest first."""
        return materializations(self._workspace)

    def push(self, view: str, rows: Rows | Path) -> Pushed:
        """Write rows of a view, or of a file, to the online store and to the offline log at once."""
        return push(self._workspace, view, rows)

    def plan_delete(self, view: str, keys: Rows) -> DeletePlan:
        """Return what `delete` would do; nothing changes."""
        return plan_delete(self._workspace, view, keys)

    def delete(self, view: str, keys: Rows) -> int:
        """Delete entities from a view of the online store, and from the active release; returns how many keys."""
        return delete(self._workspace, view, keys)

    def plan_release(self, *, keep: int = KEEP_RELEASES) -> ReleasePlan:
        """Return what `release` would do; nothing changes."""
        return plan_release(self._workspace, keep=keep)

    def release(self, *, keep: int = KEEP_RELEASES) -> Release:
        """Freeze definitions and online data as a release, make it the active one, and remove old releases."""
        return release(self._workspace, keep=keep)

    def plan_rollback(self, to: str | None = None) -> RollbackPlan:
        """Return what `rollback` would do; nothing changes."""
        return plan_rollback(self._workspace, to)

    def rollback(self, to: str | None = None) -> str:
        """Make the former release (or the one that is named) the active one; returns its name."""
        return rollback(self._workspace, to)

    def plan_prune(self, *, keep: int = KEEP_RELEASES) -> PrunePlan:
        """Return what `prune` would do; nothing changes."""
        return plan_prune(self._workspace, keep=keep)

    def prune(self, *, keep: int = KEEP_RELEASES) -> tuple[str, ...]:
        """Remove old releases; returns the names of the removed releases."""
        return prune(self._workspace, keep=keep)

    def releases(self) -> list[Release]:
        """List the releases, the oldest first."""
        return releases(self._workspace)

    def active_release(self) -> str | None:
        """Return the name of the active release; None: the project itself is served."""
        return active_release(self.layout)

    def audit(self, *, feast: bool = False) -> AuditRecord:
        """Compare the online store, each serving path (with `feast`: Feast's too) and training sets with the join."""
        return audit(self._workspace, feast=feast)

    def check_leaks(self, names: Iterable[str] = (), *, cuts: int = LEAK_CUTS) -> LeakRecord:
        """Build each row of views again from what was known when the row became known, and compare them."""
        return check_leaks(self._workspace, names, cuts=cuts)

    def prove(
        self, *, cases: int = PROVE_CASES, seed: int = PROVE_SEED, progress: Progress = lambda *_: None
    ) -> ProofRecord:
        """Prove views and services on cases that are generated from their schemas; the served data are not touched."""
        return prove(self._workspace, cases=cases, seed=seed, progress=progress)

    def sandbox(self, *, embedded: bool = False) -> AbstractContextManager[Sandbox]:
        """Make a sandbox: these definitions, with data, clock and online store of its own, removed at the end."""
        return sandbox(self._workspace, embedded=embedded)

    def replay(self, service: str, *, release: str | None = None) -> ReplayRecord:
        """Compare the logged answers of a server, or of one release, with the historical join at the same timestamps."""
        return replay(self._workspace, service, release=release)

    def summary(self) -> Summary:
        """Read the records of the last run of each step."""
        return summary(self._workspace)

    def report(self, names: Collection[str] = ()) -> Path:
        """Write the HTML pages of datasets (all, if none are given); returns the path of the index page."""
        return report(self._workspace, names)

    def pipeline(self, *, write: bool = False) -> str:
        """Return the text of dvc.yaml, derived from the definitions; with `write`, also write the file."""
        return pipeline(self._workspace, write=write)

    def stale_pipeline(self) -> StalePipeline | None:
        """Compare dvc.yaml with the definitions; None: it follows them, or holds no stage of ours."""
        return stale_pipeline(self._workspace)

    def registry_changes(self) -> ApplyPlan:
        """Return the part of `plan_apply` that decides whether `apply` refuses; it reads no data."""
        return registry_changes(self._workspace)

    def store(self, *, create: bool = False) -> OnlineStore:
        """Open the online store; with `create`, make an embedded store that does not exist yet."""
        return self._workspace.store(create=create)

    def read(self, name: str) -> pl.DataFrame:
        """Read all rows of a source, dataset, feature view or training set."""
        return read(self._workspace, name)

    def only_expired(
        self, answer: pl.DataFrame, features: str | Sequence[str] | FeatureService
    ) -> OnlyExpired | None:
        """Return what is expired if an answer with statuses has expired values alone, as data of the past have; else None."""
        return only_expired(self._workspace, answer, features)

    def example(self, service: str) -> pl.DataFrame:
        """Return the last complete row of a service's training set, as an example to look up."""
        return example(self._workspace, service)
