"""Tools for users' own tests: a store in memory, suites for stores, engines and versions, histories."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from featurestore.testing.channels import require_channels
    from featurestore.testing.engines import require_fold, require_windows
    from featurestore.testing.folder_versions import FolderVersions
    from featurestore.testing.memory import MemoryStore
    from featurestore.testing.stores import require_store
    from featurestore.testing.strategies import History, histories, timings
    from featurestore.testing.versions import require_versions
    from featurestore.testing.window_histories import window_histories

# Modules are imported when they are first used: the strategies need Hypothesis, an extra.
_HOMES = {
    "FolderVersions": "folder_versions",
    "History": "strategies",
    "MemoryStore": "memory",
    "histories": "strategies",
    "require_channels": "channels",
    "require_fold": "engines",
    "require_store": "stores",
    "require_versions": "versions",
    "require_windows": "engines",
    "timings": "strategies",
    "window_histories": "window_histories",
}

__all__ = [
    "FolderVersions",
    "History",
    "MemoryStore",
    "histories",
    "require_channels",
    "require_fold",
    "require_store",
    "require_versions",
    "require_windows",
    "timings",
    "window_histories",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"featurestore.testing.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'featurestore.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
