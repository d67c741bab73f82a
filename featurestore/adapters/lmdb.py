"""LMDB: the embedded online store. Memory-mapped reads, one writer, safe against a crash at any moment."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

import lmdb
import msgspec

from featurestore.errors import FeatureStoreError, MissingDataError, StoreError
from featurestore.ports import ViewState
from featurestore.values.codec import is_tombstone, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAP_BYTES = 1 << 38  # address space, not disk: a store may grow to 256 GiB
MAX_VIEWS = 1024
STATES_NAME = "__states__"
SPACE_HINT = "free disk space, then run the command again"
DAMAGES = (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError, lmdb.PageNotFoundError)
# A snapshot's pages may be given again from the third write after it; until the second is done they stand.
SAFE_WRITES = 1
UNLOCKED_READS = 10
RETRY_HINT = "check the disk and who else holds the store, then try again"


class LmdbStore:
    """An online store in one LMDB environment, one database for each view.

    Whoever may read the folder and not write to it reads all the same. LMDB then does not know of the reader, and
    may write over what is being read: that is found out, and read again.

    Parameters
    ----------
    path
        The store's folder.
    create
        Make it if it is not there; otherwise reading needs it to be there.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        with _translated(path):
            if create:
                path.mkdir(parents=True, exist_ok=True)
            elif not (path / "data.mdb").exists():
                raise MissingDataError(
                    f"{path}: the online store is not there yet", hint="run: featurestore materialize"
                )
            self._env = _environment(path)
        self._path, self._unlocked = path, not self._env.flags()["lock"]
        self._views: dict[str, lmdb._Database] = {}

    def state(self, view: str) -> ViewState | None:
        """Say what is held of a view."""
        return self.read([(view, ())])[0][0]

    def write(
        self, view: str, rows: Iterable[tuple[bytes, bytes]], state: ViewState, *, replace: bool
    ) -> int:
        """Apply rows and the view's state in one transaction; the greater version wins."""
        applied = 0
        with _translated(self._path), _WRITING:
            database = self._env.open_db(view.encode(), create=True)
            states = self._env.open_db(STATES_NAME.encode(), create=True)
            self._env.reader_check()  # what a reader was reading when it was killed would be kept for ever
            with self._env.begin(write=True) as transaction:
                if replace:
                    deleted = [pair for pair in transaction.cursor(db=database) if is_tombstone(pair[1])]
                    transaction.drop(database, delete=False)
                    for key, mark in deleted:
                        transaction.put(key, mark, db=database)
                for key, row in rows:
                    current = transaction.get(key, db=database)
                    if current is None or version_of(row) > version_of(current):
                        transaction.put(key, row, db=database)
                        applied += 1
                transaction.put(view.encode(), msgspec.json.encode(state), db=states)
        return applied

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys of several views in one snapshot."""
        for _ in range(UNLOCKED_READS):
            found, snapshot = self._read(views)
            if not self._unlocked or self._stands(snapshot):
                return found
        raise self._overwritten()

    def _read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> tuple[list[tuple[ViewState | None, list[bytes | None]]], int]:
        found: list[tuple[ViewState | None, list[bytes | None]]] = []
        try:
            databases = [self._views.get(view) or self._database(view) for view, _ in views]
            states = self._views.get(STATES_NAME) or self._database(STATES_NAME)
            with self._env.begin() as transaction:
                get, snapshot = transaction.get, transaction.id()
                for (view, keys), database in zip(views, databases, strict=True):
                    state = get(view.encode(), db=states) if states is not None else None
                    if database is None or state is None:
                        found.append((None, [None] * len(keys)))
                    else:
                        found.append((_state_of(state), [get(key, db=database) for key in keys]))
        except lmdb.Error as error:
            raise _translation(error, self._path) from error
        return found, snapshot

    def drop(self, views: Sequence[str]) -> None:
        """Remove all rows of views, and what is known of them."""
        with _translated(self._path), _WRITING:
            databases = [(view, self._database(view)) for view in views]
            states = self._database(STATES_NAME)
            with self._env.begin(write=True) as transaction:
                for view, database in databases:
                    if database is not None and states is not None:
                        transaction.drop(database, delete=False)
                        transaction.delete(view.encode(), db=states)

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """List all keys and rows of a view, in the order of the keys."""
        with _translated(self._path):
            database = self._database(view)
            if database is None:
                return
            with self._env.begin(db=database) as transaction:
                yield from transaction.cursor()
                if self._unlocked and not self._stands(transaction.id()):
                    raise self._overwritten()

    def _stands(self, snapshot: int) -> bool:
        return self._env.info()["last_txnid"] - snapshot <= SAFE_WRITES

    def _overwritten(self) -> StoreError:
        return StoreError(
            f"{self._path}: was written while it was read without permission to lock it",
            hint="try again, or ask for permission to write to the folder",
            retry=True,
        )

    def _database(self, view: str) -> lmdb._Database | None:
        if view not in self._views:
            try:
                # The first look at a view waits for whoever writes; handles made in reading transactions do not last.
                with _WRITING:
                    self._views[view] = self._env.open_db(view.encode(), create=False)
            except lmdb.NotFoundError:
                return None
        return self._views[view]


# LMDB wants one environment for each store (however it is named) and process, and none carried over a fork.
_OPENING = Lock()
# Threads of one process wait here: a database opened while another thread writes would wait for it with the
# interpreter's lock held. Other processes wait for LMDB's own lock.
_WRITING = RLock()
_ENVIRONMENTS: dict[tuple[int, int, int], lmdb.Environment] = {}


def _environment(path: Path) -> lmdb.Environment:
    with _OPENING:
        identity = _identity(path)
        if identity is None or identity not in _ENVIRONMENTS:
            _forget_what_is_gone()
            environment = _opened(path)
            identity = _identity(path)
            if identity is None:
                raise lmdb.Error("the store vanished as it was opened")
            _ENVIRONMENTS[identity] = environment
        return _ENVIRONMENTS[identity]


def _opened(path: Path) -> lmdb.Environment:
    options: dict[str, Any] = {"map_size": MAP_BYTES, "max_dbs": MAX_VIEWS, "max_readers": 1024}
    try:
        return lmdb.open(str(path), **options)
    except lmdb.ReadonlyError:
        return lmdb.open(str(path), **options, readonly=True, lock=False)


def _identity(path: Path) -> tuple[int, int, int] | None:
    # Of the file, which an open environment keeps: a folder's number may be given again.
    try:
        file = (path / "data.mdb").stat()
    except FileNotFoundError:
        return None
    return file.st_dev, file.st_ino, os.getpid()


def _forget_what_is_gone() -> None:
    # Their address space is wanted: a process has room for some hundreds. Who still reads one keeps it open.
    for identity, environment in list(_ENVIRONMENTS.items()):
        if identity[2] == os.getpid() and _identity(Path(environment.path())) != identity:
            del _ENVIRONMENTS[identity]


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.Error as error:
        raise _translation(error, path) from error
    except OSError as error:
        if isinstance(error, FeatureStoreError):
            raise
        raise StoreError(f"{path}: {error}", hint="check the folder and its permissions") from error


def _translation(error: lmdb.Error, path: Path) -> StoreError:
    plain = str(error).removeprefix(f"{path}: ")
    if isinstance(error, lmdb.BadValsizeError):
        return StoreError(f"{path}: a key is longer than LMDB's 511 bytes", hint="use a shorter one")
    if isinstance(error, lmdb.ReadonlyError):
        return StoreError(f"{path}: may not be written: {plain}", hint="ask for permission to write to it")
    if isinstance(error, DAMAGES):
        return StoreError(
            f"{path}: the online store is damaged: {plain}",
            hint="remove the folder, then run: featurestore materialize",
        )
    hint = SPACE_HINT if isinstance(error, lmdb.MapFullError | lmdb.DiskError) else RETRY_HINT
    return StoreError(f"{path}: {plain}", hint=hint, retry=True)


@lru_cache(maxsize=MAX_VIEWS)
def _state_of(stored: bytes) -> ViewState:
    return msgspec.json.decode(stored, type=ViewState)
