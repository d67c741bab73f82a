"""Whether dvc.yaml and packages.json follow the definitions. DVC runs what is in the files, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.errors import ConfigError
from featurestore.operations.pipeline.own_stages import own_stages
from featurestore.operations.pipeline.packages import package_versions, packages_path
from featurestore.operations.pipeline.pipeline import stages_of

if TYPE_CHECKING:
    from featurestore.workspace import Workspace

# What pipeline derives of a stage; people may add other keys, such as `frozen`.
DERIVED = ("cmd", "deps", "outs")


class StalePipeline(msgspec.Struct, frozen=True, kw_only=True):
    """How dvc.yaml differs from the definitions.

    Attributes
    ----------
    missing
        Stages of definitions that dvc.yaml does not have.
    changed
        Stages that would now run another command, or depend on or write other files.
    removed
        Stages of dvc.yaml whose definitions are gone.
    packages
        Packages whose installed version is not that of packages.json.
    """

    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def error(self) -> ConfigError:
        """Return the error that names the differences and the command."""
        parts = [
            ("it lacks", self.missing),
            ("it is out of date in", self.changed),
            ("it still has", self.removed),
            ("packages.json has other versions of", self.packages),
        ]
        described = "; ".join(f"{words} {', '.join(names)}" for words, names in parts if names)
        return ConfigError(
            f"dvc.yaml does not follow the definitions: {described}",
            hint="run: featurestore pipeline --write; or featurestore run, which also runs what is out of date",
        )


def stale_pipeline(workspace: Workspace) -> StalePipeline | None:
    """Compare dvc.yaml with the definitions; None: it follows them, or holds no stage of ours.

    Raises
    ------
    ConfigError
        If dvc.yaml cannot be read.
    """
    written = own_stages(workspace.root / "dvc.yaml")
    if not written:
        return None
    derived = stages_of(workspace)
    path = packages_path(workspace)
    versions = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}
    installed = package_versions(workspace)
    stale = StalePipeline(
        missing=tuple(name for name in derived if name not in written),
        changed=tuple(
            name
            for name, stage in derived.items()
            if name in written and _canonical(stage) != _canonical(written[name])
        ),
        removed=tuple(name for name in written if name not in derived),
        packages=tuple(sorted(n for n in {*versions, *installed} if versions.get(n) != installed.get(n))),
    )
    return stale if any(msgspec.structs.astuple(stale)) else None


def _canonical(stage: dict[str, Any]) -> dict[str, Any]:
    """Return what pipeline derives of a stage, with its files and their settings in order."""
    values = {key: stage.get(key, []) for key in DERIVED}
    return {
        key: value if isinstance(value, str) else sorted(map(_sorted_text, value))
        for key, value in values.items()
    }


def _sorted_text(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
