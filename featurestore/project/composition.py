"""Composition: the one place that chooses the adapters of a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from featurestore.adapters.dvc import DvcVersions
from featurestore.adapters.feast.library import load_feast
from featurestore.adapters.files import FileReader
from featurestore.adapters.polars import MIB, PolarsEngine
from featurestore.adapters.stores import open_store
from featurestore.config import load_settings
from featurestore.errors import package_needed_by
from featurestore.operations.adopt.adopt import adopt as adopt_repository
from featurestore.operations.init.init import init as write_project
from featurestore.operations.prove.serving_paths import GetOnlinePath, ReaderPath
from featurestore.operations.release.releases import served
from featurestore.project.project import Project
from featurestore.storage.together import heal
from featurestore.values.checked_calls import checked_call
from featurestore.workspace import Parts, Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from featurestore.config import Settings
    from featurestore.operations.adopt.adopt import Adopted
    from featurestore.operations.release.releases import Release
    from featurestore.ports import ComputeEngine, Registry, ServingPath

# Shares of the memory setting: what a reader holds of a raw file, and a join of the rows that it reads.
READER_SHARE = 8
ENGINE_SHARE = 4


@checked_call
def open(path: str | Path = ".") -> Project:  # noqa: A001 - featurestore.open, as gzip.open
    """Open the project in a folder. If a run was killed while it replaced files, the old files are brought back.

    Raises
    ------
    ConfigError
        If its settings cannot be read.
    StoreError
        If the old files cannot be brought back.
    """
    return Project(_workspace(path))


@checked_call
def init(folder: str | Path = ".", *, example: bool = False) -> tuple[Path, ...]:
    """Write the files of a project, and make the repositories of git and DVC that the folder lacks.

    Parameters
    ----------
    example
        True: also write a small shop, with its data.

    Raises
    ------
    ConfigError
        If the folder holds a project already, or git is not installed.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    return write_project(root, example=example, versions=DvcVersions())


@checked_call
def open_served(path: str | Path = ".") -> tuple[Project, Release | None]:
    """Open what a server of the project in a folder serves: the active release, or the project itself (then None).

    Raises
    ------
    ConfigError
        If the settings cannot be read.
    SkewError
        If the definitions of the release were changed after the release was made.
    """
    workspace, active = served(_workspace(path))
    return Project(workspace), active


@checked_call
def adopt(
    feast_repo: str | Path,
    target: str | Path | None = None,
    *,
    backfills: Mapping[str, timedelta] | None = None,
    write: bool = False,
    version_data: bool = True,
) -> Adopted:
    """Plan a project from a Feast repository; with `write`, write, build and compare it.

    Parameters
    ----------
    feast_repo
        Folder of Feast's ``feature_store.yaml``.
    target
        Folder of the new project. None: ``<feast_repo>_adopted``, beside the repository.
    backfills
        Views whose created timestamps are the time of a backfill; the rows of each are known this
        long after their event.
    version_data
        Whether the copied files get a version in DVC.

    Raises
    ------
    ConfigError
        If the folder is not a Feast repository, or the target holds a project already.
    DefinitionError
        If a module of the repository cannot be imported, or `backfills` names an unknown view.
    MissingPackageError
        If Feast is not installed.
    """
    with package_needed_by("adopting a Feast repository"):
        load_feast()
        from featurestore.adapters.feast.repository import FeastRepository  # noqa: PLC0415 - Feast takes seconds to import

    repository = FeastRepository(Path(feast_repo))
    folder = (
        repository.folder.with_name(f"{repository.folder.name}_adopted") if target is None else Path(target)
    )
    return adopt_repository(
        repository, folder, _workspace, backfills=backfills or {}, write=write, version_data=version_data
    )


def _workspace(path: str | Path) -> Workspace:
    parts = Parts(_reader, _engine, _registry, open_store, _serving_paths, _feast_path, DvcVersions())
    workspace = Workspace.of(load_settings(Path(path)), parts)
    heal(workspace.layout)
    return workspace


def _reader(settings: Settings) -> FileReader:
    return FileReader(settings.memory * MIB // READER_SHARE)


def _engine(settings: Settings) -> ComputeEngine:
    # A span of rows is decoded, joined and gathered: a join takes at most about four times its bytes.
    span_bytes = settings.memory * MIB // ENGINE_SHARE
    if settings.engine == "ray":
        from featurestore.adapters.ray import RayEngine  # noqa: PLC0415 - Ray is an extra

        return RayEngine(settings.ray_address, span_bytes, root=settings.root)
    return PolarsEngine(span_bytes)


def _registry(settings: Settings) -> Registry:
    with package_needed_by("Feast's registry"):
        load_feast()
        from featurestore.adapters.feast.registry import FeastRegistry  # noqa: PLC0415 - Feast takes seconds to import

    return FeastRegistry(settings)


def _serving_paths(workspace: Workspace) -> Sequence[ServingPath]:
    # A server is a door to the project, as the command line is; here the project opens it to see what comes through.
    from featurestore.service.paths import FeastWirePath, VectorsPath  # noqa: PLC0415 - the layer above

    project = Project(workspace)
    return (GetOnlinePath(workspace), ReaderPath(workspace), VectorsPath(project), FeastWirePath(project))


def _feast_path(settings: Settings) -> ServingPath:
    with package_needed_by("Feast's SDK"):
        load_feast()
        from featurestore.adapters.feast.path import FeastPath  # noqa: PLC0415 - Feast takes seconds to import

    return FeastPath(settings)
