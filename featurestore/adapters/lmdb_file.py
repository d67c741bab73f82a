"""Whether the file of an LMDB store is whole: run as a program, because a damaged file ends the process that reads it.

LMDB maps the file into memory and has no checksums of its own: a pointer that is wrong, or a file that is too short, is
a signal. The program imports nothing of featurestore, so that it starts quickly.
"""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import lmdb

if TYPE_CHECKING:
    from collections.abc import Iterator

STATES = b"__states__"
# CRC-32 of any bytes that are followed by their own CRC-32: stored rows and states end with one over key and content.
INTACT = 0x2144DF1C
FAULT = 3  # exit code: a fault is printed
MAX_TRIES = 10
# A page begins with 16 bytes. Of the two first pages each holds: magic, version, address, map size, 2 trees of 48
# bytes, the number of the last page, and that of the transaction.
META = struct.Struct("=16x I I Q Q 48s 48s Q Q")
MAGIC = 0xBEEFC0DE
HEAD_BYTES = 2 * 65_536
DIGEST_BYTES = 8


class Meta(NamedTuple):
    """What one of the two first pages says, and the checksum of its bytes."""

    page_bytes: int
    last_page: int
    transaction: int
    checksum: int


class Left(NamedTuple):
    """How a writer left the file."""

    inode: int
    size: int
    changed_ns: int
    transaction: int
    checksum: int


def fault_of(folder: Path, *, trusted: bool = True) -> str | None:
    """Check the file of a store, unless it is as the last writer of featurestore left it.

    Parameters
    ----------
    trusted
        False: check it in any case.

    Returns
    -------
    str or None
        What is wrong with the file. None: every row can be found, and none has changed.
    """
    now = _left(folder)
    if now is None or (trusted and _recorded(folder) == now):
        return None
    command = [sys.executable, "-P", __file__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this file
    if done.returncode < 0:
        return f"a process that read it ended by {signal.Signals(-done.returncode).name}"
    if done.returncode == FAULT:
        return done.stdout.strip()
    if done.returncode != 0:
        raise lmdb.Error(f"the file could not be checked: {done.stderr.strip()[-500:]}")
    _record(folder, now)
    return None


def record(folder: Path) -> None:
    """Record that the file is as featurestore left it."""
    now = _left(folder)
    if now is not None:
        _record(folder, now)


def digest_of(row: bytes) -> int:
    """Return what a row adds to the digest of its view: the sum of the checksums of all rows."""
    return int.from_bytes(row[-4:], "little")


def _record(folder: Path, left: Left) -> None:
    from featurestore.storage.files import write_bytes  # noqa: PLC0415 - the program starts without it

    # Where the folder cannot be written, the next process checks the file again.
    with suppress(OSError):
        write_bytes(json.dumps(left).encode(), folder / "checked.json", private=True, synced=False)


def _recorded(folder: Path) -> Left | None:
    try:
        return Left(*json.loads((folder / "checked.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _left(folder: Path) -> Left | None:
    path = folder / "data.mdb"
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    metas = _metas(path)
    newest = max(metas, key=lambda meta: meta.transaction) if metas else Meta(0, 0, 0, 0)
    return Left(state.st_ino, state.st_size, state.st_mtime_ns, newest.transaction, newest.checksum)


def _metas(path: Path) -> list[Meta]:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    metas = []
    for at in (0, *(1 << power for power in range(9, 17))):
        part = head[at : at + META.size]
        if len(part) == META.size:
            magic, _, _, _, free, _, last_page, transaction = META.unpack(part)
            if magic == MAGIC:
                metas.append(
                    Meta(int.from_bytes(free[:4], sys.byteorder), last_page, transaction, crc32(part))
                )
    return metas


def _fault(folder: Path) -> str | None:
    """Return what is wrong; a file that is too short is noticed before it is mapped."""
    path = folder / "data.mdb"
    metas = _metas(path)
    # Transactions write the two pages in turn.
    if [meta.transaction % 2 for meta in metas] not in ([0, 1], [0, 0]):
        return "its first pages have changed"
    newest = max(metas, key=lambda meta: meta.transaction)
    if newest.transaction - min(meta.transaction for meta in metas) > 1:
        return "its first pages do not follow each other"
    recorded, size = _recorded(folder), path.stat().st_size
    if recorded is not None and recorded.inode == path.stat().st_ino:
        same = [meta for meta in metas if meta.transaction == recorded.transaction]
        if newest.transaction < recorded.transaction or any(m.checksum != recorded.checksum for m in same):
            return "its first pages are not those that were written last"
    if size < newest.page_bytes * (newest.last_page + 1):
        return f"it has {size:,} of {newest.page_bytes * (newest.last_page + 1):,} bytes"
    environment = _opened(folder)
    for _ in range(MAX_TRIES):
        with environment.begin() as transaction:
            reason = next(_faults(environment, transaction), None)
            snapshot = transaction.id()
        # A reader without a lock may have read what a writer wrote over.
        if reason is None or environment.flags()["lock"] or environment.info()["last_txnid"] == snapshot:
            break
    return reason


def _opened(folder: Path) -> lmdb.Environment:
    options: dict[str, Any] = {"max_dbs": 1024, "map_size": 1 << 38, "readonly": True}
    try:
        return lmdb.open(str(folder), **options)
    except lmdb.Error:
        return lmdb.open(str(folder), **options, lock=False)


def _faults(environment: lmdb.Environment, transaction: lmdb.Transaction) -> Iterator[str]:
    names: list[Any] = [key for key, _ in transaction.cursor()]
    if len(names) != transaction.stat()["entries"]:
        yield f"{len(names):,} of {transaction.stat()['entries']:,} views can be listed"
    if not names:
        return
    if STATES not in names:
        yield "the states of the views are missing"
        return
    databases = {name: environment.open_db(name, txn=transaction, create=False) for name in names}
    for name, database in databases.items():
        yield from _faults_of_tree(name, database, transaction)
    pairs: Any = transaction.cursor(db=databases[STATES])
    for view, state in pairs:
        if not _is_intact(view, state):
            # A former version of featurestore wrote no checksums.
            if not _is_former(state):
                yield f"the state of view {view!r} has changed"
        elif view not in databases:
            yield f"view {view!r} is missing"
        else:
            yield from _faults_of_rows(view, state, transaction.cursor(db=databases[view]))


def _faults_of_tree(name: bytes, database: Any, transaction: lmdb.Transaction) -> Iterator[str]:
    count, previous = 0, b""
    pairs: Any = transaction.cursor(db=database)
    for key, row in pairs:
        if key <= previous or transaction.get(key, db=database) != row:
            yield f"a row of {name!r} cannot be found by its key"
        count, previous = count + 1, key
    held = transaction.stat(database)["entries"]
    if count != held:
        yield f"{name!r} has {count:,} of {held:,} rows"


def _faults_of_rows(view: bytes, state: bytes, pairs: Any) -> Iterator[str]:
    digest = 0
    has_checksums = json.loads(state[: -4 - DIGEST_BYTES]).get("row_format", 1) > 1
    for key, row in pairs:
        if has_checksums and not _is_intact(key, row):
            yield f"a row of {view!r} has changed"
        digest += digest_of(row)
    if int.from_bytes(state[-4 - DIGEST_BYTES : -4], "little") != digest:
        yield f"the rows of {view!r} are not those that were written last"


def _is_intact(key: bytes, content: bytes) -> bool:
    return crc32(content, crc32(key)) == INTACT


def _is_former(state: bytes) -> bool:
    """Return whether the state of a view is of a former version of featurestore, which had no checksums."""
    try:
        return "row_format" not in json.loads(state)
    except ValueError:
        return False


if __name__ == "__main__":
    try:
        reason = _fault(Path(sys.argv[1]))
    except lmdb.Error as error:
        reason = str(error)
    if reason is not None:
        sys.stdout.write(reason)
        sys.exit(FAULT)
