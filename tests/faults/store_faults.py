"""Faults of keys and of what the online store holds."""

from data_faults import OTHER
from market import SALES
from planting import Fault, both, code, edit

WRITE = "adapters.lmdb:LmdbStore.write"
ENCODE_KEY = "values.codec:encode_key"
LESS = edit(SALES, "6,y,x,2024-01-06T11:00:00Z,,60.6,8,6,6.5,y\n", "")

FAULTS = (
    Fault(
        "two keys have one encoding",
        code(ENCODE_KEY, "_ENCODE(key)", '_ENCODE("|".join(map(str, key)).split("|", len(key) - 1))'),
        "audit",
        since="materialize",
    ),
    Fault(
        "keys that differ in case are one",
        code(ENCODE_KEY, "_ENCODE(key)", "_ENCODE([str(value).lower() for value in key])"),
        "audit",
        since="materialize",
    ),
    Fault(
        "the parts of a key in another order",
        code("values.codec:encode_keys", "frame.select(keys)", "frame.select(sorted(keys))"),
        "audit",
        since="materialize",
    ),
    Fault(
        "the parts of a key swapped by the server",
        code("vectors.reader:_ready", "for key in selection.keys]", "for key in reversed(selection.keys)]"),
        "audit",
        since="materialize",
    ),
    Fault(
        "a changed row that an incremental run does not see",
        both(OTHER, code("storage.online:_reason_for_full", "before.source != state.source", "False")),
        "audit",
        trains=True,
    ),
    Fault(
        "a full run that keeps removed keys",
        both(LESS, code(WRITE, "transaction.drop(database, delete=False)", "pass")),
        "audit",
        trains=True,
    ),
    Fault(
        "two views swapped",
        code("adapters.lmdb:LmdbStore._read", "for view, _ in views]", "for view, _ in reversed(views)]"),
        "audit",
        since="materialize",
    ),
    Fault(
        "rows lost when they are written",
        code(WRITE, "for key, row in rows:", "for key, row in list(rows)[1:]:"),
        "audit",
        since="materialize",
    ),
    Fault(
        "a row of history lost at the edge of a part",
        code("adapters.polars:answer", "is_between(first, last)", 'is_between(first, last, closed="left")'),
        "audit",
        since="materialize",
    ),
)  # fmt: skip
