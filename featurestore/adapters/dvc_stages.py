"""DVC's stages, run in this process where they are ours, with the records that ``dvc repro`` keeps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.exceptions import StageCmdFailedError

from featurestore.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dvc.repo import Repo

    from featurestore.ports import StepFinder


def run_stages(repo: Repo, root: Path, step_of: StepFinder) -> tuple[str, ...]:
    """Run the stages of a folder that are out of date, dependencies first; returns the names of those that ran.

    The name of data that got a new version is their path in the project.

    The repository may hold more than the folder: of the stages outside, only those run that a stage inside depends on.

    The steps of ``dvc repro``: data files that changed get a new version; a stage whose inputs are unchanged is left
    alone; a stage whose results DVC's cache has is restored; dvc.lock records the hash of each input and output.

    Parameters
    ----------
    step_of
        Returns what a stage of a name and command does in this process. None: the stage is not ours, and DVC runs its
        command.

    Raises
    ------
    ConfigError
        If the project has no dvc.yaml.
    StoreError
        If the command of a stage that is not ours fails.
    """
    if not (root / "dvc.yaml").is_file():
        raise ConfigError(f"{root}: has no dvc.yaml", hint="run: featurestore pipeline --write")
    ran = []
    with repo.lock, repo.scm_context(quiet=True):
        repo._reset()  # noqa: SLF001 - as DVC's own commands do, once they hold the lock
        graph = get_active_graph(repo.index.graph)
        inside = [stage for stage in graph if Path(stage.path).resolve().is_relative_to(root.resolve())]
        # Without any stage to begin with, DVC plans the whole repository.
        for stage in plan_repro(graph, inside) if inside else ():
            if stage.frozen or not stage.changed():
                continue
            step = step_of(stage.name, stage.cmd) if isinstance(stage.cmd, str) else None
            if step is None:
                _reproduce(stage)
            else:
                _run(stage, step)
            stage.dump(update_pipeline=False)
            ran.append(stage.name if stage.cmd else _inside(stage.outs[0].fs_path, root))
    return tuple(ran)


def _inside(path: str, root: Path) -> str:
    return Path(os.path.relpath(path, root.resolve())).as_posix()


def _reproduce(stage: Any) -> None:
    try:
        stage.reproduce()
    except StageCmdFailedError as error:
        raise StoreError(
            f"stage {stage.name!r} of dvc.yaml fails: {stage.cmd}", hint=f"run: dvc repro {stage.name}"
        ) from error


def _run(stage: Any, step: Callable[[], object]) -> None:
    cached = all(out.use_cache for out in stage.outs)
    if not _restores(stage):
        # The hashes of what the step reads, and not of what others write while it runs.
        stage.save_deps()
        step()
    stage.save(run_cache=cached)
    stage.commit()


def _restores(stage: Any) -> bool:
    """Take the outputs of a stage from the cache, if it ran with the same inputs before."""
    try:
        stage.repo.stage_cache.restore(stage)
    except RunCacheNotFoundError:
        return False
    return True
