"""Packages that a project recorded, for those that are not installed on this machine.

A serving machine computes no view and reads no raw data, so it needs no package that only these use. What they computed
was computed elsewhere, with the versions of the record. Nothing can compute here with a package that is not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.definitions.fingerprint import installed
from featurestore.definitions.fingerprint.installed import NOT_INSTALLED
from featurestore.definitions.fingerprint.parts import value_part
from featurestore.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from featurestore.definitions.fingerprint.parts import Part

FILE = "packages.json"
# Key of the modules whose distributions have other names, such as yaml of PyYAML.
MODULES = "modules"


def package_parts(names: Iterable[str], root: Path) -> list[Part]:
    """Make the parts of distributions: each with its installed version, or else with the version of the record.

    Parameters
    ----------
    names
        Names of distributions. A module that is not installed stands under its own name.
    root
        The project's folder.

    Raises
    ------
    ConfigError
        If a package is not installed, and the record cannot be read.
    """
    current = {name: installed.installed_version(name) for name in names}
    missing = [name for name, version in current.items() if version == NOT_INSTALLED]
    if missing:
        versions, modules = _read(root / FILE)
        for name in missing:
            del current[name]
            for distribution in modules.get(name, [name]):
                current.setdefault(distribution, versions.get(distribution, NOT_INSTALLED))
    return [value_part("package", name, version) for name, version in sorted(current.items())]


def record_of(versions: dict[str, str]) -> bytes:
    """Return the content of the record: the versions by name, and the modules whose distributions have other names."""
    modules: dict[str, list[str]] = {}
    for name in sorted(versions):
        known = installed.modules_of(name)
        for module in known if name not in known else ():
            if not module.startswith("_"):
                modules.setdefault(module, []).append(name)
    content = {**versions, **({MODULES: dict(sorted(modules.items()))} if modules else {})}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _read(path: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    try:
        content = msgspec.json.decode(path.read_bytes(), type=dict[str, str | dict[str, list[str]]])
    except FileNotFoundError:
        return {}, {}
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(
            f"{path}: cannot be read: {error}",
            hint="remove the file, then run: featurestore pipeline --write",
        ) from error
    modules = content.pop(MODULES, {})
    versions = {name: version for name, version in content.items() if isinstance(version, str)}
    return versions, modules if isinstance(modules, dict) else {}
