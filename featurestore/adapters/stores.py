"""The online store that feature_store.yaml names."""

from __future__ import annotations

import os
import shutil
from functools import lru_cache
from typing import TYPE_CHECKING

from featurestore.errors import ConfigError
from featurestore.storage.files import translated_write_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.config import Settings
    from featurestore.ports import OnlineStore

EMBEDDED = "lmdb"


def open_store(settings: Settings, *, create: bool = False) -> OnlineStore:
    """Open the online store of a project. Only the module of the store that is used is imported.

    Parameters
    ----------
    create
        Create an embedded store that does not exist.

    Raises
    ------
    MissingDataError
        If an embedded store does not exist.
    StoreError
        If a server does not answer.
    ConfigError
        If the url of a server is missing, or its client is not installed.
    """
    if settings.online_kind == EMBEDDED:
        from featurestore.adapters.lmdb import LmdbStore  # noqa: PLC0415

        return LmdbStore(settings.online, create=create)
    if settings.online_url is None:
        raise ConfigError(
            f"{settings.feast_repo / 'feature_store.yaml'}: online_store has no url",
            hint="add one, such as redis://localhost:6379/0 or postgresql://user@localhost/features",
        )
    return _connected(settings.online_kind, settings.online_url, settings.name, os.getpid())


def remove_damaged_store(settings: Settings) -> None:
    """Remove an embedded store whose file is damaged, before it is written in full. Other stores stay as they are.

    Raises
    ------
    StoreError
        If the file system refuses to remove it.
    """
    if settings.online_kind == EMBEDDED and settings.online.exists():
        from featurestore.adapters.lmdb_file import fault_of  # noqa: PLC0415

        if fault_of(settings.online, trusted=False) is not None:
            with translated_write_errors(settings.online):
                shutil.rmtree(settings.online)


def remove_store(settings: Settings, views: Sequence[str]) -> None:
    """Remove the online store of a project that was made for one purpose: its rows, states and connections.

    Parameters
    ----------
    views
        The views that the store may hold.

    Raises
    ------
    StoreError
        If the store fails.
    """
    if settings.online_kind == EMBEDDED:
        shutil.rmtree(settings.online, ignore_errors=True)
        return
    store = open_store(settings)
    if settings.online_kind == "postgres":
        from featurestore.adapters.postgres import PostgresStore  # noqa: PLC0415

        if isinstance(store, PostgresStore):
            store.remove_schema()
    else:
        store.drop(views)
    _connected.cache_clear()


# The connections of a store that was not used lately close: a server loads any number of releases.
@lru_cache(maxsize=4)
def _connected(kind: str, url: str, project: str, process: int) -> OnlineStore:  # noqa: ARG001 - no connection survives a fork
    if kind == "redis":
        from featurestore.adapters.redis import RedisStore  # noqa: PLC0415

        return RedisStore(url, project)
    from featurestore.adapters.postgres import PostgresStore  # noqa: PLC0415

    return PostgresStore(url, project)
