"""The read of PostgreSQL: one prepared, binary statement, in steps between which a thread or an event loop waits."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from featurestore.adapters.postgres_connection import KEY_TYPE, Patient, dump_keys
from featurestore.errors import package_needed_by
from featurestore.storage.stored_state import decode_state

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from featurestore.errors import StoreError
    from featurestore.ports import StoredRows, ViewKeys, ViewState

with package_needed_by("the online store PostgreSQL", extra="postgres"):
    import psycopg
    from psycopg import generators, pq

Steps: TypeAlias = "Generator[Any, Any, StoredRows]"
TEXT_OID = psycopg.postgres.types["text"].oid
BINARY = pq.Format.BINARY
OK = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
# `view` and `keys` are numbers of parameters. The row with the state of the view has no key.
VIEW_QUERY = """
SELECT {place} AS place, NULL::bytea AS key, state FROM {schema}.states WHERE view = ${view}
UNION ALL SELECT {place}, key, row FROM {schema}.rows WHERE view = ${view} AND key = ANY(${keys})
"""
# Otherwise PostgreSQL plans each read, which takes it three times as long as the read. One plan is for all reads by a
# connection; it may be older than most rows, so it reads by the index although the table was small.
ONE_PLAN = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off"


@cache
def statement(schema: str, views: int) -> bytes:
    """Return the statement that reads a number of views.

    Parameters
    ----------
    schema
        The name of the schema, quoted.
    """
    parts = (
        VIEW_QUERY.format(place=place, schema=schema, view=2 * place + 1, keys=2 * place + 2)
        for place in range(views)
    )
    return " UNION ALL ".join(parts).encode()


def read_steps(connection: Patient, schema: str, views: ViewKeys) -> Steps:
    """Look up keys of several views in one statement, and so in one snapshot.

    Yields what psycopg's generators yield.

    Raises
    ------
    psycopg.Error
        If the server does not answer, or refuses the statement.
    """
    server = connection.pgconn
    encoding = connection.encoding
    name = b"featurestore_%d" % len(views)
    if name not in connection.prepared:
        query = statement(schema, len(views))
        server.send_prepare(name, query, [TEXT_OID, KEY_TYPE.array_oid] * len(views))
        yield from _result(server, encoding)
        connection.prepared.add(name)
    values: list[bytes] = []
    dumped_keys: Sequence[bytes] | None = None
    for view, keys in views:
        if keys is not dumped_keys:  # views of the same entity have the same keys
            dumped, dumped_keys = dump_keys(keys), keys
        values += (view.encode(encoding), dumped)
    server.send_query_prepared(name, values, [BINARY] * len(values), result_format=BINARY)
    result = yield from _result(server, encoding)
    rows_by_key: list[dict[bytes | None, Any]] = [{} for _ in views]
    value = result.get_value
    for number in range(result.ntuples):
        place = int.from_bytes(value(number, 0), "big")
        rows_by_key[place][value(number, 1)] = value(number, 2)
    answers = []
    for (view, keys), rows in zip(views, rows_by_key, strict=True):
        state = decode_state(view, rows[None]) if None in rows else None
        answers.append((state, [None if state is None else rows.get(key) for key in keys]))
    return answers


def unwritten(views: ViewKeys) -> list[tuple[ViewState | None, list[bytes | None]]]:
    """Return what a store without tables answers: they are created by the first write."""
    return [(None, [None] * len(keys)) for _, keys in views]


def _result(server: Any, encoding: str) -> Generator[Any, Any, Any]:
    *_, result = yield from generators.execute(server)
    if result.status not in OK:
        raise psycopg.errors.error_from_result(result, encoding)
    return result


class PostgresChannel:
    """A connection for an event loop. It only reads, and plans its statement once.

    Parameters
    ----------
    store_error
        Translates an error of psycopg.
    on_close
        Called when the channel closes.
    """

    def __init__(
        self,
        connection: Patient,
        schema: str,
        store_error: Callable[[psycopg.Error], StoreError],
        on_close: Callable[[], None],
    ) -> None:
        self._connection, self._schema = connection, schema
        self._store_error, self._on_close = store_error, on_close

    def fileno(self) -> int:
        """Return the number of the socket."""
        return self._connection.fileno()

    def read(self, views: ViewKeys) -> Steps:
        """Look up keys, in steps."""
        try:
            return (yield from read_steps(self._connection, self._schema, views))
        except psycopg.errors.UndefinedTable:
            return unwritten(views)
        except psycopg.Error as error:
            # The cause is left out: its own message may quote the password.
            raise self._store_error(error) from None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._on_close()
