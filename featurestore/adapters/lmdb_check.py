"""Whether the file of an LMDB store is whole: run as a program, because a damaged file ends the process that reads it.

LMDB maps the file into memory and has no checksums of its own: a pointer that is wrong, or a file that is too short, is
a signal. The program imports nothing of featurestore, so that it starts quickly.

It reads the pages of the file (their layout is in the source of LMDB 0.9, `mdb.c`), because a wrong page number in the
list of free pages is seen by no reader: the next writer would write over a page that is in use. Then it reads all
rows as a reader does.
"""

from __future__ import annotations

import json
import mmap
import struct
import sys
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
# A page begins with its number, 2 unused bytes, its kind, and where its free space begins and ends; the first page of a
# long value has the number of its pages instead of the latter two. The places of the nodes follow.
HEAD = struct.Struct("=Q 2x H H H")
LONG_HEAD = struct.Struct("=Q 2x H I")
BRANCH, LEAF, LONG = 1, 2, 4
# A node: the size of its value or, on a branch, the number of a page (48 bits); flags; the size of the key.
NODE = struct.Struct("=I H H")
IS_LONG, IS_TREE = 1, 2
NUMBER = struct.Struct("=Q")
# A tree: unused, flags, depth, numbers of its branches, leaves, pages of long values and entries, and its root.
TREE = struct.Struct("=I H H Q Q Q Q Q")
NO_PAGE = (1 << 64) - 1
# Of the two first pages each holds: magic, version, address, map size, the tree of free pages, that of the databases,
# the number of the last page, and that of the transaction.
META = struct.Struct("=16x I I Q Q 48s 48s Q Q")
MAGIC = 0xBEEFC0DE
HEAD_BYTES = 2 * 65_536
DIGEST_BYTES = 8


class Meta(NamedTuple):
    """What one of the two first pages says, and the checksum of its bytes."""

    free: bytes
    databases: bytes
    last_page: int
    transaction: int
    checksum: int

    @property
    def page_bytes(self) -> int:
        """The size of a page: it is kept where the tree of free pages has an unused field."""
        return int.from_bytes(self.free[:4], sys.byteorder)


class Left(NamedTuple):
    """How a writer left the file."""

    inode: int
    size: int
    changed_ns: int
    transaction: int
    checksum: int


def digest_of(row: bytes) -> int:
    """Return what a row adds to the digest of its view: the sum of the checksums of all rows."""
    return int.from_bytes(row[-4:], "little")


def recorded_at(folder: Path) -> Left | None:
    """Return how the last writer of featurestore left the file; None: there is no record of it."""
    try:
        return Left(*json.loads((folder / "checked.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def left_at(folder: Path) -> Left | None:
    """Return how the file of a store is left; None: there is no file."""
    path = folder / "data.mdb"
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    metas = _metas(path)
    newest = max(metas, key=lambda meta: meta.transaction) if metas else Meta(b"", b"", 0, 0, 0)
    return Left(state.st_ino, state.st_size, state.st_mtime_ns, newest.transaction, newest.checksum)


def _metas(path: Path) -> list[Meta]:
    with path.open("rb") as file:
        return metas_in(file.read(HEAD_BYTES))


def metas_in(head: bytes) -> list[Meta]:
    """Return what the two first pages say, of those that can be read."""
    metas = []
    for at in (0, *(1 << power for power in range(9, 17))):
        part = head[at : at + META.size]
        if len(part) == META.size:
            magic, _, _, _, free, databases, last_page, transaction = META.unpack(part)
            if magic == MAGIC:
                metas.append(Meta(free, databases, last_page, transaction, crc32(part)))
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
    recorded, size = recorded_at(folder), path.stat().st_size
    if recorded is not None and recorded.inode == path.stat().st_ino:
        same = [meta for meta in metas if meta.transaction == recorded.transaction]
        if newest.transaction < recorded.transaction or any(m.checksum != recorded.checksum for m in same):
            return "its first pages are not those that were written last"
    if size < newest.page_bytes * (newest.last_page + 1):
        return f"it has {size:,} of {newest.page_bytes * (newest.last_page + 1):,} bytes"
    environment = _opened(folder)
    for _ in range(MAX_TRIES):
        with environment.begin() as transaction:
            reason = _fault_of_pages(path, transaction.id()) or next(_faults(environment, transaction), None)
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


def _fault_of_pages(path: Path, snapshot: int) -> str | None:
    metas = [meta for meta in _metas(path) if meta.transaction == snapshot]
    if not metas:
        return None  # writers have ended since: they read the list of free pages, and found no fault
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        return Pages(pages, metas[0]).fault()


class _PageError(Exception):
    """A page is not as LMDB writes it."""


class Pages:
    """The pages of a file, as one snapshot uses them."""

    def __init__(self, pages: bytes | mmap.mmap, meta: Meta) -> None:
        self._pages, self._meta, self._size = pages, meta, meta.page_bytes
        self._used = bytearray(meta.last_page + 1)
        self._used[0] = self._used[1] = True

    def fault(self) -> str | None:
        """Return what is wrong: a page that is used twice, or that is not of the kind that its tree needs."""
        try:
            views = [value for flags, _, value in self._entries(self._meta.databases) if flags & IS_TREE]
            for view in views:
                for _ in self._entries(view):
                    pass  # each page that is walked is taken
            self._take_free()
        except (_PageError, struct.error, IndexError) as error:
            return f"its pages have changed: {error}"
        return None

    def _entries(self, tree: bytes) -> Iterator[tuple[int, bytes, bytes]]:
        """Walk a tree from its end, take its pages, and return the flags, the key and the value of each entry."""
        _, _, depth, *counts, entries, root = TREE.unpack(tree)
        page_counts, entry_count = [0, 0, 0], 0
        waiting = [] if root == NO_PAGE else [(root, depth)]
        while waiting:
            number, level = waiting.pop()
            kind, places = self._page(number)
            if kind != (LEAF if level == 1 else BRANCH):
                raise _PageError(f"page {number} has the kind {kind}")
            page_counts[kind - 1] += 1
            for place in reversed(places) if kind == LEAF else places:
                low, flags, key_bytes = NODE.unpack_from(self._pages, place)
                if kind == BRANCH:
                    waiting.append((low | flags << 32, level - 1))
                    continue
                entry_count, at = entry_count + 1, place + NODE.size + key_bytes
                key = self._pages[at - key_bytes : at]
                if flags & IS_LONG:
                    [first] = NUMBER.unpack_from(self._pages, at)
                    page_counts[2] += self._take_long(first, low)
                    at = first * self._size + LONG_HEAD.size
                elif at + low > (number + 1) * self._size:
                    raise _PageError(f"an entry is longer than its page {number}")
                yield flags, key, self._pages[at : at + low]
        if page_counts != counts or entry_count != entries:
            raise _PageError(
                f"{page_counts} pages and {entry_count:,} entries instead of {counts} and {entries:,}"
            )

    def _page(self, number: int) -> tuple[int, list[int]]:
        """Take a page of nodes, and return its kind and where its nodes are in the file."""
        self._take(number)
        start = number * self._size
        own, kind, lower, upper = HEAD.unpack_from(self._pages, start)
        if own != number or not HEAD.size <= lower <= upper <= self._size:
            raise _PageError(f"page {number} has another head")
        places = struct.unpack_from(f"={(lower - HEAD.size) // 2}H", self._pages, start + HEAD.size)
        if places and (min(places) < upper or max(places) + NODE.size > self._size):
            raise _PageError(f"page {number} has other places")
        return kind, [start + place for place in places]

    def _take_long(self, number: int, size: int) -> int:
        count = -(-(LONG_HEAD.size + size) // self._size)
        own, kind, pages = LONG_HEAD.unpack_from(self._pages, number * self._size)
        if (own, kind, pages) != (number, LONG, count):
            raise _PageError(f"page {number} has another head")
        for page in range(number, number + count):
            self._take(page)
        return count

    def _take_free(self) -> None:
        """Take the pages that each transaction let go of."""
        later = self._meta.transaction + 1
        for _, key, value in self._entries(self._meta.free):
            [transaction] = NUMBER.unpack(key)
            count, *numbers = struct.unpack(f"={len(value) // NUMBER.size}Q", value)
            if transaction >= later or count != len(numbers) or numbers != sorted(set(numbers), reverse=True):
                raise _PageError("the list of free pages is out of order")
            later = transaction
            for number in numbers:
                self._take(number)

    def _take(self, number: int) -> None:
        if self._used[number]:
            raise _PageError(f"page {number} is used twice")
        self._used[number] = True


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
        yield f"{name!r} has {count:,} rows of {held:,}"


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
