"""Which parts of a dvc.yaml are ours to write, and which the project's people wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from featurestore.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

Stage: TypeAlias = dict[str, Any]
Stages: TypeAlias = dict[str, Stage]

MARK = {"made_by": "featurestore pipeline"}
STAGES = "stages"
VERBS = ("ingest", "validate", "build", "training-set")
# The stages of all definitions together, in files from before stages carried a mark.
WHOLE = {
    "apply": "featurestore apply",
    "materialize": "featurestore materialize --full",
    "audit": "featurestore audit",
    "report": "featurestore report",
}


def with_others(path: Path, stages: Stages) -> dict[str, Any]:
    """Return the content of a dvc.yaml: our stages, then all of the file that is not ours.

    A stage is ours if its ``meta`` carries `MARK`, or if name and command are those that we gave before there was a
    mark. Comments are lost.

    Raises
    ------
    ConfigError
        If the file is not a dvc.yaml, or a stage of other people has the name of one of ours.
    """
    content = _read(path)
    others = {name: stage for name, stage in content.pop(STAGES, {}).items() if not _is_ours(name, stage)}
    if clashes := sorted(stages.keys() & others.keys()):
        raise ConfigError(
            f"{path}: the stages {', '.join(clashes)} are not made by featurestore, and have the names of stages "
            "that are",
            hint="rename them, then run: featurestore pipeline --write",
        )
    marked = {name: {**stage, "meta": dict(MARK)} for name, stage in stages.items()}
    return {STAGES: {**marked, **others}, **content}


def own_stages(path: Path) -> Stages:
    """Return the stages of a dvc.yaml that are ours; none, if there is no such file.

    Raises
    ------
    ConfigError
        If the file is not a dvc.yaml.
    """
    return {name: stage for name, stage in _read(path).get(STAGES, {}).items() if _is_ours(name, stage)}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {error}", hint="repair the file") from error
    if not isinstance(content, dict) or not isinstance(content.get(STAGES, {}), dict):
        raise ConfigError(f"{path}: expected a mapping with a mapping of stages", hint="repair the file")
    return content


def _is_ours(name: str, stage: Any) -> bool:
    if not isinstance(stage, dict):
        return False
    meta = stage.get("meta")
    if isinstance(meta, dict) and MARK.items() <= meta.items():
        return True
    verb = next((verb for verb in VERBS if name.startswith(f"{verb}-")), None)
    former = WHOLE.get(name) if verb is None else f"featurestore {verb} {name.removeprefix(f'{verb}-')}"
    return "meta" not in stage and former is not None and stage.get("cmd") == former
