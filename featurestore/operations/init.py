"""Init: write the files of an empty project."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from featurestore.errors import ConfigError
from featurestore.storage.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """\
[tool.featurestore]
schemas = "schemas"
definitions = "feature_repo"
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
    ".dvcignore": "__pycache__\n",
    ".gitignore": "__pycache__/\n/data/\n",
}
# Files that other tools write too: an existing file is kept.
SHARED = {".dvcignore", ".gitignore", "schemas/__init__.py", "feature_repo/__init__.py"}


def init(root: Path) -> tuple[Path, ...]:
    """Write the files of an empty project; returns the paths of the files that were written.

    Raises
    ------
    ConfigError
        If the folder holds a project already; nothing is written then.
    """
    settings = root / "pyproject.toml"
    table = settings.read_text(encoding="utf-8") if settings.exists() else ""
    taken = [name for name in FILES if name not in SHARED and (root / name).exists()]
    if "[tool.featurestore]" in table:
        taken.append("pyproject.toml: [tool.featurestore]")
    if taken:
        raise ConfigError(
            f"{root.resolve()} holds a project already: {', '.join(taken)}",
            hint="name another folder: featurestore init FOLDER",
        )
    contents = {name: text for name, text in FILES.items() if not (root / name).exists()}
    contents["pyproject.toml"] = f"{table.rstrip()}\n\n{TABLE}".lstrip()
    # Feast allows letters, digits and underscores.
    name = re.sub(r"\W+", "_", root.resolve().name.lower(), flags=re.ASCII).strip("_") or "features"
    for path, text in contents.items():
        write_text(text.replace("{name}", name), root / path)
    return tuple(root / path for path in contents)
