"""LMDB: the embedded online store.

Reads are memory-mapped, one process writes at a time, and a crash loses nothing.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

import lmdb
import msgspec

from featurestore.adapters.lmdb_check import DIGEST_BYTES, digest_of
from featurestore.adapters.lmdb_file import fault_of, record
from featurestore.errors import FeatureStoreError, MissingDataError, StoreError
from featurestore.ports import ViewState
from featurestore.storage.durable import make_folder, sync_folder
from featurestore.storage.files import PRIVATE_FOLDER, file_mode
from featurestore.values.codec import (
    CHECKSUM_BYTES,
    REBUILD,
    ROW_FORMAT,
    is_intact,
    is_tombstone,
    seal,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MAP_BYTES = 1 << 38  # address space, not disk: a store may grow to 256 GiB
MAX_VIEWS = 1024
# A stored state ends with the digest of the view's rows and a checksum.
SEAL_BYTES = DIGEST_BYTES + CHECKSUM_BYTES
STATES_NAME = "__states__"
SPACE_HINT = "free disk space, then run the command again"
DAMAGES = (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError, lmdb.PageNotFoundError)
# LMDB may reuse the pages of a snapshot from the third write after it. They are intact until the second has ended.
SAFE_WRITES = 1
MAX_UNLOCKED_READS = 10
# The snapshot and the state of a view that was not read yet: no snapshot has this number.
_NOT_READ: tuple[int, Any] = (-1, None)
# How long a reader may go on with a file that another one replaced: looking takes longer than reading a row.
LOOK_SECONDS = 1.0
RETRY_HINT = "check the disk and the other processes that use the store, then try again"


class _Opened(NamedTuple):
    """The file of a store that is open, and the databases of the views that were used.

    Attributes
    ----------
    unlocked
        Whether LMDB does not know of this reader.
    states
        The state of each view that was read, and the number of the snapshot that it was read from: the next read of the
        same snapshot reads no state.
    """

    identity: tuple[int, int, int]
    env: lmdb.Environment
    unlocked: bool
    views: dict[str, lmdb._Database]
    states: dict[str, tuple[int, ViewState]]


class LmdbStore:
    """An online store in one LMDB environment, one database for each view.

    A process that may read the folder but not write to it can still read the store. LMDB does not
    know of such a reader, and a writer may overwrite the pages that it reads. The store detects
    this, and reads again. If the file is replaced, because it was damaged and written again, the store opens the
    new one.

    Parameters
    ----------
    path
        The store's folder.
    create
        Create the store if it does not exist. Otherwise a missing store raises `MissingDataError`.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        with _translated(path):
            if create:
                make_folder(path, mode=PRIVATE_FOLDER)
            elif not (path / "data.mdb").exists():
                raise MissingDataError(
                    f"{path}: the online store does not exist yet", hint="run: featurestore materialize"
                )
            self._opened = _environment(path, self)
            if create:
                sync_folder(path)
        self._path, self._looked = path, time.monotonic()

    def state(self, view: str) -> ViewState | None:
        """Return the state of a view. None: the store does not hold the view."""
        return self.read([(view, ())])[0][0]

    def write(
        self, view: str, rows: Iterable[tuple[bytes, bytes]], state: ViewState, *, replace: bool
    ) -> int:
        """Apply rows and the state of the view in one transaction. The greater version wins."""
        applied, digest = 0, 0
        with _translated(self._path), _WRITING:
            env = self._current(look=True).env
            database = env.open_db(view.encode(), create=True)
            states = env.open_db(STATES_NAME.encode(), create=True)
            env.reader_check()  # otherwise the pages of a killed reader stay forever
            with env.begin(write=True) as transaction:
                if replace:
                    deleted = [
                        pair
                        for pair in transaction.cursor(db=database)
                        if is_tombstone(pair[1]) and is_intact(*pair)
                    ]
                    transaction.drop(database, delete=False)
                    for key, mark in deleted:
                        transaction.put(key, mark, db=database)
                        digest += digest_of(mark)
                elif (sealed := transaction.get(view.encode(), db=states)) is not None:
                    digest = int.from_bytes(sealed[-SEAL_BYTES:-CHECKSUM_BYTES], "little")
                for key, row in rows:
                    current = transaction.get(key, db=database)
                    if current is None or version_of(row) > version_of(current):
                        transaction.put(key, row, db=database)
                        applied += 1
                        digest += digest_of(row) - (0 if current is None else digest_of(current))
                content = msgspec.json.encode(state) + digest.to_bytes(DIGEST_BYTES, "little")
                transaction.put(view.encode(), seal(view.encode(), content), db=states)
            record(self._path)
        return applied

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys of several views in one snapshot."""
        for _ in range(MAX_UNLOCKED_READS):
            opened = self._current()
            answers, snapshot = self._read(opened, views)
            if not opened.unlocked or _is_intact(opened, snapshot):
                return answers
        raise self._overwritten()

    def _read(
        self, opened: _Opened, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> tuple[list[tuple[ViewState | None, list[bytes | None]]], int]:
        answers: list[tuple[ViewState | None, list[bytes | None]]] = []
        known = opened.states
        try:
            databases = [opened.views.get(view) or _database(opened, view) for view, _ in views]
            states = opened.views.get(STATES_NAME) or _database(opened, STATES_NAME)
            with opened.env.begin() as transaction:
                get, snapshot = transaction.get, transaction.id()
                for (view, keys), database in zip(views, databases, strict=True):
                    number, state = known.get(view, _NOT_READ)
                    if number != snapshot or opened.unlocked:
                        stored = get(view.encode(), db=states) if states is not None else None
                        if database is None or stored is None:
                            answers.append((None, [None] * len(keys)))
                            continue
                        state = _state_of(view, stored)
                        known[view] = snapshot, state
                    answers.append((state, [get(key, None, database) for key in keys]))
        except lmdb.Error as error:
            raise _translation(error, self._path) from error
        return answers, snapshot

    def drop(self, views: Sequence[str]) -> None:
        """Remove the rows and the states of views."""
        with _translated(self._path), _WRITING:
            opened = self._current(look=True)
            databases = [(view, _database(opened, view)) for view in views]
            states = _database(opened, STATES_NAME)
            with opened.env.begin(write=True) as transaction:
                for view, database in databases:
                    if database is not None and states is not None:
                        transaction.drop(database, delete=False)
                        transaction.delete(view.encode(), db=states)
            record(self._path)

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """Return all keys and rows of a view, in the order of the keys."""
        with _translated(self._path):
            opened = self._current()
            database = _database(opened, view)
            if database is None:
                return
            with opened.env.begin(db=database) as transaction:
                yield from transaction.cursor()
                if opened.unlocked and not _is_intact(opened, transaction.id()):
                    raise self._overwritten()

    def _current(self, *, look: bool = False) -> _Opened:
        """Return the open file; now and then, or with `look`, one that took its place is opened."""
        now = time.monotonic()
        if look or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            identity = _identity(self._path)
            if identity is not None and identity != self._opened.identity:
                with _translated(self._path):
                    self._opened = _environment(self._path, self)
                with _OPENING:
                    _close_unused_stores()
        return self._opened

    def _overwritten(self) -> StoreError:
        return StoreError(
            f"{self._path}: the store was written while this process read it without a lock",
            hint="try again, or grant this process permission to write to the folder",
            retry=True,
        )


def _is_intact(opened: _Opened, snapshot: int) -> bool:
    return opened.env.info()["last_txnid"] - snapshot <= SAFE_WRITES


def _database(opened: _Opened, view: str) -> lmdb._Database | None:
    if view not in opened.views:
        try:
            # The first read of a view waits for the writer, because handles from read transactions do not last.
            with _WRITING:
                opened.views[view] = opened.env.open_db(view.encode(), create=False)
        except lmdb.NotFoundError:
            return None
    return opened.views[view]


# LMDB needs one environment for each store (under any path) and process, and none that survives a fork.
_OPENING = Lock()
# Threads of this process wait here. Otherwise a thread that opens a database waits for the writer while it holds the
# lock of the interpreter. Other processes wait for the lock of LMDB.
_WRITING = RLock()
_ENVIRONMENTS: dict[tuple[int, int, int], lmdb.Environment] = {}
_USERS: dict[tuple[int, int, int], WeakSet[LmdbStore]] = {}


def _environment(path: Path, user: LmdbStore) -> _Opened:
    with _OPENING:
        for users in _USERS.values():
            users.discard(user)  # of a file that was replaced
        identity = _identity(path)
        if identity is None or identity not in _ENVIRONMENTS:
            _close_unused_stores()
            environment = _opened(path)
            identity = _identity(path)
            if identity is None:
                raise lmdb.Error("the store was removed while it was opened")
            _ENVIRONMENTS[identity] = environment
            _USERS[identity] = WeakSet()
        _USERS[identity].add(user)
        environment = _ENVIRONMENTS[identity]
        return _Opened(identity, environment, not environment.flags()["lock"], {}, {})


def _opened(path: Path) -> lmdb.Environment:
    fault = fault_of(path)
    if fault is not None:
        raise _damaged(path, fault)
    options: dict[str, Any] = {
        "map_size": MAP_BYTES,
        "max_dbs": MAX_VIEWS,
        "max_readers": 1024,
        "mode": file_mode(path),
    }
    try:
        return lmdb.open(str(path), **options)
    except lmdb.Error:
        files = [path, *(path / name for name in ("data.mdb", "lock.mdb") if (path / name).exists())]
        if all(os.access(file, os.W_OK) for file in files):
            raise
        # This process may not write here, or the file system is mounted for reading.
        return lmdb.open(str(path), **options, readonly=True, lock=False)


def _identity(path: Path) -> tuple[int, int, int] | None:
    # The identity of the file, which an open environment keeps. The number of a removed folder can be reused.
    try:
        file = (path / "data.mdb").stat()
    except FileNotFoundError:
        return None
    return file.st_dev, file.st_ino, os.getpid()


def _close_unused_stores() -> None:
    # A process has address space for some hundreds of stores, and a removed store takes disk while it is open.
    for identity in list(_ENVIRONMENTS):
        if identity[2] == os.getpid() and not _USERS[identity]:
            del _ENVIRONMENTS[identity], _USERS[identity]


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
    reason = str(error).removeprefix(f"{path}: ")
    if isinstance(error, lmdb.BadValsizeError):
        return StoreError(f"{path}: a key has more than the 511 bytes of LMDB", hint="use a shorter key")
    if isinstance(error, lmdb.ReadonlyError):
        return StoreError(
            f"{path}: cannot be written: {reason}",
            hint="grant this process permission to write to the folder",
        )
    if isinstance(error, DAMAGES):
        return _damaged(path, reason)
    hint = SPACE_HINT if isinstance(error, lmdb.MapFullError | lmdb.DiskError) else RETRY_HINT
    return StoreError(f"{path}: {reason}", hint=hint, retry=True)


def _damaged(path: Path, reason: str) -> StoreError:
    return StoreError(f"{path}: the online store is damaged: {reason}", hint=REBUILD)


@lru_cache(maxsize=MAX_VIEWS)
def _state_of(view: str, stored: bytes) -> ViewState:
    # A state of a former version has no checksum, and is refused for its format.
    content = stored[:-SEAL_BYTES] if is_intact(view.encode(), stored) else stored
    try:
        state = msgspec.json.decode(content, type=ViewState)
    except msgspec.DecodeError as error:
        raise StoreError(
            f"the state of view {view!r} in the online store is damaged: {error}", hint=REBUILD
        ) from error
    if content is stored and state.row_format == ROW_FORMAT:
        raise StoreError(f"the state of view {view!r} in the online store is damaged", hint=REBUILD)
    return state
