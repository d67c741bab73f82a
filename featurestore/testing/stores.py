"""The suite of online stores: each must hold the fold, and show no partial write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from featurestore.ports import OnlineStore, ViewState
from featurestore.values.codec import HEADER, MAX_KEY_BYTES, encode_key, is_tombstone, tombstone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Store = TypeVar("Store", bound=OnlineStore)


def row(version: int, value: bytes) -> bytes:
    """Return a stored row with a version."""
    return HEADER.pack(version, version) + value


def state(watermark: int) -> ViewState:
    """Return the state of a view at a watermark."""
    return ViewState(definition="definition", source="source", watermark=watermark)


def require_store(open_store: Callable[[], OnlineStore]) -> None:
    """Prove an online store.

    Parameters
    ----------
    open_store
        Opens the same store each time, as another process would. Views ``one`` and ``two`` are
        removed.

    Raises
    ------
    AssertionError
        If a law does not hold. The message is the law.
    """
    laws = (
        _empty,
        _greater_version_wins,
        _created_decides,
        _replace,
        _deleted_stays_deleted,
        _views_apart,
        _empty_key,
        _too_long_key,
        _many_rows,
        _drop,
        _threads,
    )
    require_laws(open_store, laws)


def require_laws(open_store: Callable[[], Store], laws: Iterable[Callable[[Store, Store], bool]]) -> None:
    """Try each law on a store without the views ``one`` and ``two``, and on the same store opened once more.

    Raises
    ------
    AssertionError
        If a law does not hold. The message is the law.
    """
    for law in laws:
        store, reopened = open_store(), open_store()
        store.drop(["one", "two"])
        if not law(store, reopened):
            raise AssertionError(f"{type(store).__name__}: {(law.__doc__ or '').strip()}")


def _empty(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Have no state and no rows for a view that was never written."""
    return (
        store.state("one") is None
        and store.read([("one", [b"a"])]) == [(None, [None])]
        and list(reopened.scan("one")) == []
    )


def _greater_version_wins(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Keep the greater version in any order of arrival, and change nothing for an equal version."""
    first = store.write("one", [(b"a", row(2, b"x")), (b"a", row(1, b"y"))], state(1), replace=False)
    second = reopened.write("one", [(b"a", row(1, b"z")), (b"b", row(0, b""))], state(2), replace=False)
    third = store.write("one", [(b"a", row(2, b"w")), (b"b", row(2**64 - 1, b"v"))], state(3), replace=False)
    rows = reopened.read([("one", [b"b", b"c", b"a", b"a"])])
    expected = [row(2**64 - 1, b"v"), None, row(2, b"x"), row(2, b"x")]
    return (first, second, third) == (1, 1, 1) and rows == [(state(3), expected)]


def _created_decides(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Take the row that was created later, of two rows of one event, also where another event was created last."""
    old, correction, late = (
        HEADER.pack(*version) + b"x" for version in ((2**40, 1), (2**40, 2**33), (7, 2**60))
    )
    store.write("one", [(b"a", correction), (b"b", old), (b"c", late)], state(1), replace=False)
    applied = reopened.write("one", [(b"a", old), (b"b", correction), (b"c", old)], state(2), replace=False)
    return applied == 2 and dict(store.scan("one")) == {b"a": correction, b"b": correction, b"c": old}  # noqa: PLR2004


def _replace(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Hold no former rows of a replaced view, and take older versions after it."""
    store.write("one", [(b"a", row(9, b"x")), (b"b", row(9, b"x"))], state(1), replace=False)
    applied = reopened.write("one", [(b"a", row(1, b"y"))], state(2), replace=True)
    return applied == 1 and store.read([("one", [b"a", b"b"])]) == [(state(2), [row(1, b"y"), None])]


def _deleted_stays_deleted(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Bring a deleted key back only with a newer event, also when the view is replaced."""
    mark = tombstone(b"b", 0)
    store.write("one", [(b"a", row(5, b"x")), (b"b", mark)], state(1), replace=False)
    older, newer = mark[:7] + b"\x00" + mark[8:] + b"x", tombstone(b"b", 1) + b"x"
    reopened.write("one", [(b"b", older)], state(2), replace=True)
    kept = dict(store.scan("one"))
    reopened.write("one", [(b"b", newer)], state(3), replace=False)
    return is_tombstone(kept[b"b"]) and kept == {b"b": mark} and dict(store.scan("one")) == {b"b": newer}


def _views_apart(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Keep the rows of views separate, and read several views at once."""
    store.write("one", [(b"\x00\xff", row(1, b"\x00"))], state(1), replace=False)
    reopened.write("two", [(b"\x00\xff", row(2, b"\xff"))], state(2), replace=False)
    rows = store.read([("two", [b"\x00\xff"]), ("none", [b"a"]), ("one", [b"\x00\xff"])])
    return rows == [(state(2), [row(2, b"\xff")]), (None, [None]), (state(1), [row(1, b"\x00")])]


def _empty_key(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Hold the one row of a view without an entity, whose key has no parts."""
    key = encode_key(())
    store.write("one", [(key, row(1, b"x"))], state(1), replace=True)
    applied = reopened.write("one", [(key, row(2, b"y")), (key, row(1, b"z"))], state(2), replace=False)
    rows = store.read([("one", [key, key]), ("two", [key])])
    scanned = list(reopened.scan("one"))
    return (
        applied == 1
        and rows == [(state(2), [row(2, b"y")] * 2), (None, [None])]
        and scanned == [(key, row(2, b"y"))]
    )


def _too_long_key(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Have no row of a key that is too long, and read the keys beside it."""
    key, long_key = encode_key((1,)), encode_key(("x" * MAX_KEY_BYTES,))
    store.write("one", [(key, row(1, b"a"))], state(1), replace=True)
    return reopened.read([("one", [key, long_key, key])])[0][1] == [row(1, b"a"), None, row(1, b"a")]


def _many_rows(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Take more rows than any batch, and scan them in the order of their keys."""
    pairs = [(number.to_bytes(4, "big"), row(number, b"x" * 100)) for number in range(5_000)]
    applied = store.write("one", reversed(pairs), state(1), replace=True)
    return applied == len(pairs) and list(reopened.scan("one")) == pairs


def _drop(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Treat a dropped view like one that was never written."""
    store.write("one", [(b"a", row(1, b"x"))], state(1), replace=True)
    reopened.drop(["one", "none"])
    return store.state("one") is None and list(store.scan("one")) == []


def _threads(store: OnlineStore, reopened: OnlineStore) -> bool:
    """Show complete batches to each of many threads while others write."""
    keys = [b"a", b"b", b"c"]
    store.write("one", [(key, row(0, b"0")) for key in keys], state(0), replace=False)

    def write(version: int) -> bool:
        pairs = [(key, row(version, b"%d" % version)) for key in keys]
        (store if version % 2 else reopened).write("one", pairs, state(version), replace=False)
        return True

    def read(_: int) -> bool:
        rows = store.read([("one", keys)])[0][1]
        return len(set(rows)) == 1 and rows[0] is not None

    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(read if i % 4 else write, i) for i in range(1, 200)]
        complete = all(task.result() for task in tasks)
    return complete and store.read([("one", keys)])[0][1] == [row(196, b"196")] * 3
