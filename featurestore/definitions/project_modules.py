"""Import the modules of a project apart from all other modules of the process.

A working copy and each of its releases are projects of their own, and their packages have the same
names. Each project therefore gets a package of its own below this module, and its modules become
members of that package::

    /home/me/shop/schemas/orders.py  ->
    featurestore.definitions.project_modules./home/me/shop.schemas.orders

Python imports these members as any others, so that tracebacks, `inspect.getsource` and relative
imports work. A process that unpickles a function or class of the project, such as a Ray worker,
finds the module by this name. An absolute import in a module of the project (``from schemas.orders
import Orders``) finds the project's own modules first, but an installed module before a folder of
its name without ``__init__.py``. `sys.path` and all other entries of `sys.modules` stay as they are.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

# Makes this module a package, whose members the finder below supplies.
__path__: list[str] = []

# These are never a project's own modules, although the project's folder may hold folders of the same names.
SHARED = sys.stdlib_module_names | {"featurestore"}
# Folders of installed packages.
INSTALLED = frozenset({"site-packages", "dist-packages"})
LOADING = RLock()


def package_of(root: Path) -> str:
    """Return the full name of the package that holds the modules of the project in `root`."""
    name = str(root.resolve()).replace("%", "%25").replace(".", "%2E")
    return f"{__name__}.{name}"


def import_module(root: Path, name: str) -> ModuleType:
    """Import a module of a project.

    Parameters
    ----------
    root
        The project's folder.
    name
        The module's name inside the project, such as ``"schemas.orders"``.
    """
    return importlib.import_module(f"{package_of(root)}.{name}")


def forget(root: Path) -> None:
    """Remove the modules of a project, so that the next import reads its files again.

    Objects that were defined by the removed modules stay usable.
    """
    package = package_of(root)
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
    vars(sys.modules[__name__]).pop(package.removeprefix(f"{__name__}."), None)
    importlib.invalidate_caches()
    gives_way.cache_clear()


@cache
def gives_way(folder: Path) -> bool:
    """Say whether an installed module comes before a folder of its name, as in Python: the folder has no ``__init__.py``."""
    if (
        not folder.is_dir()
        or (folder / "__init__.py").is_file()
        or folder.with_name(f"{folder.name}.py").is_file()
    ):
        return False
    spec = PathFinder.find_spec(folder.name)
    origin = None if spec is None else spec.origin
    return origin is not None and not INSTALLED.isdisjoint(Path(origin).parts)


def local_names(text: str, root: Path) -> str:
    """Write the names of modules in a message as the project's author writes them."""
    return text.replace(f"{package_of(root)}.", "")


def missing_module(error: Exception, root: Path) -> Path | None:
    """Return the file, relative to the project, whose absence an error is about; None: the error is about something else."""
    prefix = f"{package_of(root)}."
    if not isinstance(error, ModuleNotFoundError) or not (error.name or "").startswith(prefix):
        return None
    return Path(*str(error.name).removeprefix(prefix).split(".")).with_suffix(".py")


class _Finder(MetaPathFinder):
    """Finds the modules of projects, with a loader that redirects absolute imports."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{__name__}."):
            return None
        project, _, module = fullname.removeprefix(f"{__name__}.").partition(".")
        root = Path(unquote(project))
        if not module:
            package = ModuleSpec(fullname, None, is_package=True)
            package.submodule_search_locations = [str(root)] if root.is_dir() else []
            return package
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, root)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, root: Path) -> None:
        super().__init__(name, path)
        self._root = root

    def exec_module(self, module: ModuleType) -> None:
        # An import statement, also one inside a function, calls `__import__` of its module's builtins.
        vars(module)["__builtins__"] = _builtins(self._root)
        super().exec_module(module)


@cache
def _builtins(root: Path) -> dict[str, Any]:
    package = package_of(root)
    own: dict[str, bool] = {}

    def import_(
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of `__import__`
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of `__import__`
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        first = name.partition(".")[0]
        if level or first in SHARED:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        if first not in own:
            own[first] = _holds(root, first)
        if not own[first]:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = builtins.__import__(f"{package}.{name}", globals, locals, fromlist or (), 0)
        # `import a.b` binds `a`.
        return module if fromlist else sys.modules[f"{package}.{first}"]

    return {**vars(builtins), "__import__": import_}


def _holds(root: Path, name: str) -> bool:
    folder = root / name
    return folder.with_name(f"{name}.py").is_file() or (any(folder.glob("*.py")) and not gives_way(folder))


# Before the finder of Python, which finds the same files and would import them without the redirection.
sys.meta_path.insert(0, _Finder())
