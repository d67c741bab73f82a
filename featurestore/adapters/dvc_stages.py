"""DVC's stages, run in this process where they are ours, with the records that ``dvc repro`` keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc.stage.cache import RunCacheNotFoundError

from featurestore.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from dvc.repo import Repo

    from featurestore.ports import StepRunner


def run_stages(repo: Repo, root: Path, execute: StepRunner) -> tuple[str, ...]:
    """Run the stages that are out of date, dependencies first; returns the names of those that ran.

    The steps of ``dvc repro``: data files that changed get a new version; a stage whose inputs are unchanged is left
    alone; a stage whose results DVC's cache has is restored; dvc.lock records the hash of each input and output.

    Parameters
    ----------
    execute
        Gets the name and the command of a stage, runs it in this process and returns True; False: the stage is
        not ours, and DVC runs its command.

    Raises
    ------
    ConfigError
        If the project has no dvc.yaml.
    """
    if not (root / "dvc.yaml").is_file():
        raise ConfigError(f"{root}: has no dvc.yaml", hint="run: featurestore pipeline --write")
    ran = []
    with repo.lock, repo.scm_context(quiet=True):
        repo._reset()  # noqa: SLF001 - as DVC's own commands do, once they hold the lock
        for stage in plan_repro(get_active_graph(repo.index.graph)):
            if stage.frozen or not stage.changed():
                continue
            if not (stage.cmd and isinstance(stage.cmd, str) and _runs(stage, execute)):
                stage.reproduce()
            stage.dump(update_pipeline=False)
            ran.append(stage.name if stage.cmd else stage.outs[0].def_path)
    return tuple(ran)


def _runs(stage: Any, execute: StepRunner) -> bool:
    cached = all(out.use_cache for out in stage.outs)
    if not _restores(stage):
        stage.save_deps()
        if not execute(stage.name, stage.cmd):
            return False
    stage.save(run_cache=cached)
    stage.commit()
    return True


def _restores(stage: Any) -> bool:
    """Take the outputs of a stage from the cache, if it ran with the same inputs before."""
    try:
        stage.repo.stage_cache.restore(stage)
    except RunCacheNotFoundError:
        return False
    return True
