"""Adopt: write a project from a Feast repository, and compare what both answer."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Literal

import msgspec

from featurestore.errors import ConfigError, ContractError, DefinitionError, UnknownNameError
from featurestore.operations.adopt.code import modules
from featurestore.operations.adopt.columns import scan
from featurestore.operations.adopt.compare import (
    Comparison,
    compare_historical,
    compare_on_demand,
    compare_online,
)
from featurestore.operations.adopt.names import name_all
from featurestore.operations.adopt.plan import AdoptPlan, Note
from featurestore.operations.adopt.services import plan_on_demand, plan_service
from featurestore.operations.adopt.views import plan_view, warn_of_created
from featurestore.operations.build.build import build
from featurestore.operations.check.check import check
from featurestore.operations.init.init import init
from featurestore.operations.materialize import materialize
from featurestore.operations.validate.validate import validate
from featurestore.storage.files import atomic_write, sink_parquet, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta
    from pathlib import Path

    from featurestore.adapters.feast.inventory import FeastInventory
    from featurestore.adapters.feast.repository import FeastRepository
    from featurestore.operations.adopt.plan import AdoptedSource
    from featurestore.workspace import Workspace


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """What `adopt` reads, writes and finds.

    Attributes
    ----------
    project
        Feast's name of the project.
    read_from
        Where the definitions are from: ``"python"`` or ``"registry"``.
    target
        Folder of the new project.
    views, on_demand, services
        How many are in Feast, and how many of them are written.
    notes
        What is left out or changed, and traps, each with its reason.
    written
        Paths of the written files; empty: nothing is written.
    comparisons
        How the answers of both compare; empty: nothing is written.
    """

    project: str
    read_from: Literal["python", "registry"]
    target: str
    views: tuple[int, int]
    on_demand: tuple[int, int]
    services: tuple[int, int]
    notes: tuple[Note, ...]
    written: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    @property
    def unexplained(self) -> int:
        """Cells that differ for a reason that is not known."""
        return sum(comparison.unexplained for comparison in self.comparisons)


def adopt(
    repository: FeastRepository,
    target: Path,
    open_workspace: Callable[[Path], Workspace],
    *,
    backfills: Mapping[str, timedelta],
    write: bool = False,
    version_data: bool = True,
) -> Adopted:
    """Plan a project from a Feast repository; with `write`, write, build and compare it.

    Parameters
    ----------
    target
        Folder of the new project. Feast's repository stays as it is.
    open_workspace
        Opens the project in a folder.
    backfills
        See `plan_adopt`.
    version_data
        Whether the copied files get a version in DVC; git and DVC repositories are made where there are none.

    Raises
    ------
    ConfigError
        If the folder holds a project already, or is the Feast repository; nothing is written then.
    UnknownNameError
        If `backfills` names a view that does not exist.
    """
    inventory = repository.inventory()
    plan = plan_adopt(inventory, backfills=backfills)
    if not write:
        return _adopted(plan, target)
    if target.resolve() == inventory.repo:
        raise ConfigError(
            f"{target} is the Feast repository, which stays as it is", hint="name another folder with --to"
        )
    written = _write(plan, target)
    workspace = open_workspace(target)
    if version_data:
        versions = workspace.parts.versions
        versions.start(target)
        raw = target / "data/raw"
        records = versions.add(target, sorted(raw.iterdir()) if raw.exists() else [])
        written += tuple(str(record) for record in records)
    comparisons = _compared(plan, repository, workspace) if plan.views else ()
    return _adopted(plan, target, written, comparisons)


def plan_adopt(inventory: FeastInventory, *, backfills: Mapping[str, timedelta]) -> AdoptPlan:
    """Decide what is written.

    Parameters
    ----------
    backfills
        Views whose created timestamps are the time of a backfill, and the delay after which their
        rows are known.

    Raises
    ------
    UnknownNameError
        If `backfills` names a view that does not exist.
    """
    names = [view.name for view in inventory.views]
    for name in backfills:
        if name not in names:
            raise UnknownNameError("view", name, names, within=f"Feast project {inventory.project!r}")
    plan = AdoptPlan(inventory)
    name_all(plan)
    for view in inventory.views:
        plan_view(plan, view, backfills.get(view.name))
    for source in plan.sources.values():
        warn_of_created(plan, source)
    for on_demand in inventory.on_demand:
        plan_on_demand(plan, on_demand)
    for service in inventory.services:
        plan_service(plan, service)
    for entity in inventory.entities:
        if entity.tags:
            plan.note("left_out", f"tags of entity {entity.name}", "entities have no tags here")
    return plan


def _adopted(
    plan: AdoptPlan, target: Path, written: tuple[str, ...] = (), comparisons: tuple[Comparison, ...] = ()
) -> Adopted:
    inventory = plan.inventory
    return Adopted(
        project=inventory.project,
        read_from=inventory.read_from,
        target=str(target),
        views=(len(inventory.views), len(plan.views)),
        on_demand=(len(inventory.on_demand), sum(v.expressions is not None for v in plan.on_demand.values())),
        services=(len(inventory.services), len(plan.services)),
        notes=tuple(plan.notes),
        written=written,
        comparisons=comparisons,
    )


def _write(plan: AdoptPlan, target: Path) -> tuple[str, ...]:
    """Write the project. Files are copied first: a folder without a project can be written again."""
    texts = modules(plan) if plan.views else {}
    taken = [path for path in texts if (target / path).exists()]
    if taken:
        raise ConfigError(f"{target} has {taken[0]} already", hint="name another folder with --to")
    written = [str(path) for path in init(target)]
    for source in plan.sources.values():
        written += _copied(source, target)
    for path, text in texts.items():
        write_text(text, target / path)
        written.append(str(target / path))
    return tuple(written)


def _copied(source: AdoptedSource, target: Path) -> list[str]:
    """Copy the files of a source below ``data/raw``. Of a Delta table, write the rows of its newest version."""
    origin = source.feast.path
    assert origin is not None  # noqa: S101 - a source without a path is left out
    if source.feast.format == "delta":
        sink_parquet(scan(origin, "delta"), target / source.path)
        return [str(target / source.path)]
    folder = target / "data/raw"
    files = sorted(origin.rglob("*.parquet")) if origin.is_dir() else [origin]
    paths = [
        folder / source.name / f.relative_to(origin) if origin.is_dir() else target / source.path
        for f in files
    ]
    for file, path in zip(files, paths, strict=True):
        with atomic_write(path) as partial:
            shutil.copyfile(file, partial)
    return [str(path) for path in paths]


def _compared(plan: AdoptPlan, repository: FeastRepository, workspace: Workspace) -> tuple[Comparison, ...]:
    """Build the views that the gate accepts, and compare their answers with those of Feast."""
    check(workspace)
    refused: dict[str, str] = {}
    for source in plan.sources.values():
        try:
            validate(workspace, source.name)
        except ContractError as error:
            refused[source.name] = error.message
            plan.note(
                "left_out",
                f"rows of source {source.feast.name}",
                error.message,
                f"featurestore validate {source.name}",
            )
    built = []
    for view in plan.views.values():
        if plan.sources[view.source].name in refused:
            continue
        try:
            build(workspace, view.name)
            built.append(view)
        except (ContractError, DefinitionError) as error:
            plan.note(
                "left_out",
                f"rows of view {view.feast.name}",
                error.message,
                f"featurestore build {view.name}",
            )
    if not built:
        return ()
    from featurestore.adapters.feast.original import FeastOriginal  # noqa: PLC0415 - Feast takes seconds to import

    materialize(workspace, [view.name for view in built])
    with FeastOriginal(repository) as original:
        historical = [compare_historical(workspace, original, view) for view in built]
        online = [compare_online(workspace, original, view) for view in built if view.feast.online]
        names = {view.feast.name for view in built}
        on_demand = [
            compare_on_demand(workspace, original, view)
            for view in plan.on_demand.values()
            if view.expressions is not None and names.issuperset(read.view for read in view.reads)
        ]
    return tuple(historical + online + on_demand)
