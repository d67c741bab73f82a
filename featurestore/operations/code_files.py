"""The files of the project's own code that definitions depend on."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from featurestore.config import Settings


def code_files(start: Iterable[Path], settings: Settings) -> set[Path]:
    """Find the modules of the project's packages that some modules import, directly or through others.

    Parameters
    ----------
    start
        Modules; they are part of the result.
    """
    packages = {settings.schemas, settings.definitions}
    files: set[Path] = set()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path in files:
            continue
        files.add(path)
        for name in _imported_names(path):
            file = settings.root.joinpath(*name.split(".")).with_suffix(".py")
            if name.partition(".")[0] in packages and file.is_file():
                waiting.append(file.resolve())
    return files


def _imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
