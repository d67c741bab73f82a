"""Which files belong to the project, and where an import statement leads."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections import defaultdict
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from featurestore.definitions.fingerprint.source_file import read_source
from featurestore.definitions.project_modules import SHARED, gives_way

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from featurestore.definitions.fingerprint.scopes import ImportTarget
    from featurestore.definitions.fingerprint.source_file import SourceFile

SETTINGS_TABLE = "[tool.featurestore]"
OWN_PACKAGE = Path(__file__).parents[2]
_OWN_PREFIX = os.path.join(OWN_PACKAGE, "")  # noqa: PTH118 - a prefix of text
_INSTALLED = ("site-packages", "dist-packages")
_LIBRARY = tuple(os.path.join(sysconfig.get_paths()[name], "") for name in ("stdlib", "platstdlib"))  # noqa: PTH118 - prefixes of text


@lru_cache(maxsize=256)
def project_root(path: Path) -> Path:
    """Find the root of the project that a file belongs to.

    That is the nearest folder above with a pyproject.toml that has a table ``[tool.featurestore]``. Without one it is
    the folder above the file's outermost package.
    """
    for folder in path.parents:
        settings = folder / "pyproject.toml"
        if settings.is_file() and SETTINGS_TABLE in settings.read_text(encoding="utf-8", errors="replace"):
            return folder
    folder = path.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


class ProjectFiles:
    """The Python files below a project's root, read when first asked for.

    Parameters
    ----------
    root
        The project's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prefix = os.path.join(root, "")  # noqa: PTH118 - a prefix of text
        self._sources: dict[Path, SourceFile] = {}
        self._owned: dict[str, Path | None] = {}
        self._packages: dict[Path, tuple[Path, ...]] = {}
        self._names: dict[Path, frozenset[str]] = {}
        self._effects: dict[Path, tuple[Path, ...]] = {}
        self._imported: dict[Path, tuple[Path, ...]] = {}
        self._modules: dict[Path, Path | None] = {}
        self._located: dict[tuple[Path | None, int, str], Path | None] = {}

    def source(self, path: Path) -> SourceFile:
        """Read a file of the project, once."""
        if path not in self._sources:
            self._sources[path] = read_source(path)
        return self._sources[path]

    def changed(self) -> tuple[str, ...]:
        """List the files that changed since they were read: paths relative to the root, sorted."""
        changed = (path for path, source in self._sources.items() if not source.is_text_of(path))
        return tuple(sorted(map(self.relative, changed)))

    def relative(self, path: Path) -> str:
        """Return a file's POSIX path relative to the root."""
        return path.relative_to(self.root).as_posix()

    def owned(self, filename: str | None) -> Path | None:
        """Return the path of a file that belongs to the project; None for any other file.

        Installed packages, the standard library and featurestore itself do not belong to a project, wherever they are.
        """
        if not filename or not filename.endswith(".py"):
            return None
        if filename not in self._owned:
            self._owned[filename] = self._resolved(filename)
        return self._owned[filename]

    def _resolved(self, filename: str) -> Path | None:
        if any(name in filename for name in _INSTALLED):
            return None
        text = (
            filename
            if filename.startswith(self._prefix) and ".." not in filename
            else os.path.realpath(filename)
        )
        outside = not text.startswith(self._prefix) or text.startswith((*_LIBRARY, _OWN_PREFIX))
        if outside or any(name in text for name in _INSTALLED) or not os.path.isfile(text):  # noqa: PTH113 - called for every import
            return None
        return Path(text)

    def packages_of(self, path: Path) -> tuple[Path, ...]:
        """Find the ``__init__.py`` files that run before a file is imported, its own left out."""
        return tuple(init for init in self._inits(path.parent) if init != path)

    def _inits(self, folder: Path) -> tuple[Path, ...]:
        if folder not in self._packages:
            if folder == self.root or self.root not in folder.parents:
                return ()
            init = folder / "__init__.py"
            own = (init,) if "__init__.py" in self._names_in(folder) else ()
            self._packages[folder] = (*own, *self._inits(folder.parent))
        return self._packages[folder]

    def imported_by(self, path: Path) -> tuple[Path, ...]:
        """List the project's files that run when a file is imported, without the file itself and without what those files import."""
        if path not in self._imported:
            source = self.source(path)
            files: set[Path] = set(self.packages_of(path))
            for target in (*(t for targets in source.imports.values() for t in targets), *source.also_run):
                module = self.locate(path, target)
                if module is None:
                    continue
                submodule = self.submodule(module, target.name) if target.name else None
                for imported in (module, submodule):
                    if imported is not None and imported.suffix == ".py":
                        files |= {imported, *self.packages_of(imported)}
            self._imported[path] = tuple(sorted(files))
        return self._imported[path]

    def effect_files(self, path: Path) -> tuple[Path, ...]:
        """List the files that do more than bind names when a file is imported: the file itself and all that it imports."""
        if path not in self._effects:
            seen: set[Path] = set()
            waiting = [path]
            while waiting:
                file = waiting.pop()
                if file not in seen:
                    seen.add(file)
                    waiting += self.imported_by(file)
            self._effects[path] = tuple(sorted(file for file in seen if self.source(file).effects))
        return self._effects[path]

    @cached_property
    def live_modules(self) -> dict[str, list[ModuleType]]:
        """The project's modules that are loaded, by file, the last loaded first."""
        modules: dict[str, list[ModuleType]] = defaultdict(list)
        for module in reversed(list(sys.modules.values())):
            filename = getattr(module, "__file__", None)
            if isinstance(filename, str) and filename.startswith(self._prefix):
                modules[filename].append(module)
        return modules

    def module_beside(self, path: Path, importer: Path, name: str) -> ModuleType | None:
        """Find the loaded module of a file by the name of a module next to it; both may share any prefix.

        Parameters
        ----------
        importer, name
            File and ``__name__`` of a loaded module.
        """
        own, target = (self._dotted(file) for file in (importer, path))
        if name != own and not name.endswith(f".{own}"):
            return None
        module = sys.modules.get(f"{name[: len(name) - len(own)]}{target}")
        return module if getattr(module, "__file__", None) == str(path) else None

    def _dotted(self, path: Path) -> str:
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def locate(self, importer: Path, target: ImportTarget) -> Path | None:
        """Find the file or the folder of the module that an import names; None if it is not the project's.

        Returns
        -------
        Path or None
            A ``.py`` file; of a package without ``__init__.py`` the folder.
        """
        key = (importer.parent if target.level else None, target.level, target.module)
        if key not in self._located:
            parts = target.module.split(".") if target.module else []
            if not target.level and parts[0] in SHARED:
                bases = []  # the package that runs, also where the project's folder holds another copy of it
            elif target.level:
                bases = [importer.parents[target.level - 1]]
            else:
                below = (Path(entry).resolve() for entry in sys.path if entry.startswith(self._prefix))
                bases = list(dict.fromkeys((self.root, *below)))
                bases = [base for base in bases if not gives_way(base / parts[0])]
            candidates = (self._module(base.joinpath(*parts)) for base in bases)
            self._located[key] = next((path for path in candidates if path is not None), None)
        return self._located[key]

    def submodule(self, module: Path, name: str) -> Path | None:
        """Find a module inside a package."""
        if module.name == "__init__.py":
            return self._module(module.parent / name)
        return self._module(module / name) if module.is_dir() else None

    def every_file(self) -> Iterator[Path]:
        """List all files of the project that an import could name, in the order of their paths."""
        for folder, inner, names in os.walk(self.root):
            inner[:] = sorted(
                name
                for name in inner
                if name.isidentifier()
                and name != "__pycache__"
                and not (Path(folder) / name / "pyvenv.cfg").exists()
            )
            for name in sorted(names):
                path = self.owned(os.path.join(folder, name))  # noqa: PTH118 - thousands of files
                if path is not None and path.stem.isidentifier():
                    yield path

    def _module(self, path: Path) -> Path | None:
        if path not in self._modules:
            beside, inside = self._names_in(path.parent), frozenset[str]()
            if path.name in beside:
                inside = self._names_in(path)
            if "__init__.py" in inside:
                module = self.owned(str(path / "__init__.py"))
            elif f"{path.name}.py" in beside:
                module = self.owned(f"{path}.py")
            else:
                # A folder without Python files does not count.
                namespace = path != self.root and any(name.endswith(".py") for name in inside)
                module = path if namespace and OWN_PACKAGE not in (path, *path.parents) else None
            self._modules[path] = module
        return self._modules[path]

    def _names_in(self, folder: Path) -> frozenset[str]:
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))  # noqa: PTH208 - names, not paths
            except OSError:
                self._names[folder] = frozenset()
        return self._names[folder]
