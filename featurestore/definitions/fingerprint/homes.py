"""Where a module-level name is bound: the statements, found through imports."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from featurestore.definitions.fingerprint.project_files import ProjectFiles


class Home(NamedTuple):
    """The file in which a module-level name is bound, and the name that it has there."""

    file: Path
    name: str


class Homes:
    """The homes of one name.

    Parameters
    ----------
    file
        Where the name is read.

    Attributes
    ----------
    places
        Homes in the project, the nearest first.
    passed
        Files that imports lead through, the homes included.
    foreign
        Modules outside of the project that imports lead to.
    """

    def __init__(self, files: ProjectFiles, file: Path, name: str) -> None:
        self.places: list[Home] = []
        self.passed: list[Path] = []
        self.foreign: list[str] = []
        self._files = files
        self._seen: set[Home] = set()
        self._search(Home(file, name))

    def _search(self, home: Home) -> None:
        if home in self._seen:
            return
        self._seen.add(home)
        source = self._files.source(home.file)
        targets = [(target, target.name) for target in source.imports.get(home.name, ())]
        if home.name in source.bindings:
            self.places.append(home)
            self.passed.append(home.file)
        elif not targets:
            # A star import may bind it.
            targets = [(target, home.name) for target in source.imports.get("*", ())]
        for target, name in targets:
            module = self._files.locate(home.file, target)
            if module is None:
                self.foreign += [target.module] if target.name != "*" else []
            elif name is not None and module.suffix == ".py":
                self.passed.append(module)
                self._search(Home(module, name))


def literal(statements: Sequence[ast.stmt]) -> tuple[Any] | None:
    """Return the value that one assignment of a literal binds, in a tuple."""
    statement = statements[0]
    simple = isinstance(statement, ast.Assign | ast.AnnAssign) and len(statements) == 1
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    if not simple or len(targets) != 1 or not isinstance(targets[0], ast.Name) or statement.value is None:  # type: ignore[attr-defined]
        return None
    try:
        return (ast.literal_eval(statement.value),)  # type: ignore[attr-defined]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
