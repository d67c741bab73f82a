"""Init: write the files of a project, empty or with an example, beside what a folder holds already."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from featurestore.errors import ConfigError
from featurestore.operations.init.example_project import EXAMPLE, EXAMPLE_DATA
from featurestore.operations.init.gitignore import FILE as GITIGNORE
from featurestore.operations.init.gitignore import add_lines, show_records
from featurestore.storage.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.ports import DatasetVersions

TABLE = """\
[tool.featurestore]
schemas = "schemas"
definitions = "{definitions}"
data = "data"
"""
FILES = {
    "schemas/__init__.py": '"""What every dataset must look like: Pandera schemas, one class for each dataset."""\n',
    "feature_repo/__init__.py": '"""Sources, datasets, feature views and services."""\n',
    "feature_repo/feature_store.yaml": """\
# Feast's settings. Paths are relative to this folder.
project: {name}
provider: local
registry:
  registry_type: file
  path: ../data/registry/registry.db
offline_store:
  type: featurestore.adapters.feast.offline.PolarsOfflineStore
online_store:
  type: featurestore.adapters.feast.online.LmdbOnlineStore
  path: ../data/online/store.lmdb
  # A fixed time that stands for now, for data of the past. Without it, all values older than the ttl of their view are
  # expired (OUTSIDE_MAX_AGE) as soon as the data end. Leave it out for live data.
  # as_of: "2013-12-31T12:00:00Z"
entity_key_serialization_version: 3
""",
    "feature_repo/feast_objects.py": '''\
"""What Feast sees: the objects compiled from the definitions beside this file."""

from pathlib import Path

from featurestore.adapters.feast.objects import expose

globals().update(expose(Path(__file__).parent))
''',
    "feature_repo/.feastignore": """\
# Feast reads feast_objects.py alone: the other modules hold our definitions, which it compiles.
[!f]*.py
f[!e]*.py
""",
}
REPO = "feature_repo"
# Where definitions go if the folder holds a Feast repository in the usual place.
OTHER_REPOS = ("features", "feature_definitions")


def init(root: Path, *, example: bool = False, versions: DatasetVersions | None = None) -> tuple[Path, ...]:
    """Write the files of a project; returns the paths of the files that were written or changed.

    An existing file is kept. Lines that are missing are added to pyproject.toml, .gitignore and .dvcignore. If the
    folder holds a Feast repository in ``feature_repo``, the definitions go into another folder beside it.

    Parameters
    ----------
    example
        True: also write a small shop with data, contracts, views, a training set, a test, a CI file and a README.
    versions
        Makes the repositories of git and DVC that the folder lacks, and versions the data of the example.
        None: neither.

    Raises
    ------
    ConfigError
        If `root` is a file or is below one, the folder holds a project of featurestore already, or the example would
        replace a file; nothing is written then.
    MissingPackageError
        If `versions` needs a package that is not installed; nothing is written then.
    """
    if file := next((path for path in (root, *root.parents) if path.exists() and not path.is_dir()), None):
        raise ConfigError(
            f"{file.resolve()} is a file; expected a folder, which may be missing",
            hint="name another folder: featurestore init FOLDER",
        )
    settings = root / "pyproject.toml"
    table = settings.read_text(encoding="utf-8") if settings.exists() else ""
    if "[tool.featurestore]" in table:
        raise ConfigError(
            f"{root.resolve()} holds a project already: pyproject.toml has the table [tool.featurestore]",
            hint="name another folder: featurestore init FOLDER",
        )
    definitions = _definitions_folder(root)
    texts = {**FILES, **EXAMPLE} if example else FILES
    contents = {path.replace(f"{REPO}/", f"{definitions}/", 1): text for path, text in texts.items()}
    contents = {
        path: text for path, text in contents.items() if path not in FILES or not (root / path).exists()
    }
    if existing := [path for path in contents if (root / path).exists()]:
        raise ConfigError(
            f"{root.resolve()} holds {existing[0]} already",
            hint="name an empty folder: featurestore init FOLDER",
        )
    if versions is not None:
        versions.start(root)
    # Feast allows letters, digits and underscores.
    name = re.sub(r"\W+", "_", root.resolve().name.lower(), flags=re.ASCII).strip("_") or "features"
    # YAML reads some names, such as 2026 and true, as other than text.
    written_name = name if isinstance(yaml.safe_load(name), str) else f'"{name}"'
    for path, template in contents.items():
        text = template.replace("project: {name}", f"project: {written_name}").replace("{name}", name)
        write_text(text.replace("{definitions}", definitions), root / path)
    write_text(f"{table.rstrip()}\n\n{TABLE.replace('{definitions}', definitions)}".lstrip(), settings)
    written = [*contents, "pyproject.toml"]
    hidden = [GITIGNORE] if add_lines(root / GITIGNORE, ("__pycache__/",)) else []
    written += dict.fromkeys([*hidden, *show_records(root)])
    if versions is not None and example:
        records = versions.add(root, [root / path for path in EXAMPLE_DATA])
        written += [path.resolve().relative_to(root.resolve()).as_posix() for path in records]
    return tuple(root / path for path in written)


def _definitions_folder(root: Path) -> str:
    """Return the first folder for definitions that holds nothing of other people."""
    for name in (REPO, *OTHER_REPOS):
        if not {path.name for path in (root / name).glob("*")} - {"__init__.py", "__pycache__"}:
            return name
    raise ConfigError(
        f"{root.resolve()}: the folders {', '.join((REPO, *OTHER_REPOS))} hold other files",
        hint="rename one of them, or name another folder: featurestore init FOLDER",
    )
