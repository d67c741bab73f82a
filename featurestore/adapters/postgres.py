"""PostgreSQL: an online store for many machines, in two tables of a database."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from featurestore.adapters.postgres_connection import Patient, SilenceError, connect
from featurestore.adapters.postgres_read import ONE_PLAN, PostgresChannel, read_steps, unwritten
from featurestore.adapters.server_url import client_message, without_secrets
from featurestore.errors import StoreError, package_needed_by
from featurestore.storage.stored_state import encode_state
from featurestore.timing.epoch import in_utc
from featurestore.values.codec import HEADER, TOMBSTONE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from featurestore.ports import ViewState

with package_needed_by("the online store PostgreSQL", extra="postgres"):
    import psycopg
    from psycopg import sql

MAX_NAME_BYTES = 63  # PostgreSQL truncates longer names without an error
TABLES = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.states (view text PRIMARY KEY, state bytea NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.rows (
    view text NOT NULL, key bytea NOT NULL, row bytea NOT NULL, PRIMARY KEY (view, key)
);
"""
ARRIVED = "CREATE TEMPORARY TABLE arrived (key bytea NOT NULL, row bytea NOT NULL) ON COMMIT DROP"
# Writers of a view take turns, from this statement to their commit. Otherwise a writer that replaces a view would not
# see, and not remove, the rows of another one.
TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
# PostgreSQL compares bytea byte by byte, which is the order of versions.
MERGE = f"""
INSERT INTO {{schema}}.rows AS held (view, key, row)
SELECT DISTINCT ON (key) %s, key, row FROM arrived ORDER BY key, substring(row FROM 1 FOR {HEADER.size}) DESC
ON CONFLICT (view, key) DO UPDATE SET row = EXCLUDED.row
WHERE substring(EXCLUDED.row FROM 1 FOR {HEADER.size}) > substring(held.row FROM 1 FOR {HEADER.size})
"""  # noqa: S608 - our own number
# The marks of deleted keys have no values, and the greatest created timestamp.
NO_TOMBSTONE = (
    f"(octet_length(row) <> {TOMBSTONE_BYTES} OR substring(row FROM {HEADER.size // 2 + 1} FOR {HEADER.size // 2}) <> "
    "'\\xffffffffffffffff'::bytea)"
)
EMPTY = f"DELETE FROM {{schema}}.rows WHERE view = %s AND {NO_TOMBSTONE}"  # noqa: S608
LIMITS = "54"  # class of errors: the statement exceeds a limit of PostgreSQL, and a retry does not help
KEEP = """
INSERT INTO {schema}.states (view, state) VALUES (%s, %s) ON CONFLICT (view) DO UPDATE SET state = EXCLUDED.state
"""


IDLE = psycopg.pq.TransactionStatus.IDLE
# Timeout of a read. Writes have no timeout.
READ_SECONDS = 3.0


class PostgresStore:
    """An online store in one schema of a PostgreSQL database.

    Parameters
    ----------
    url
        Such as ``postgresql://user@localhost:5432/features``.
    project
        Name of the schema.
    """

    def __init__(self, url: str, project: str) -> None:
        self._schema = sql.Identifier(schema_name(project))
        self._url = url
        self._quoted = self._schema.as_string()
        self._has_written = False
        # A connection has one transaction at a time, so each thread has its own.
        self._own = threading.local()
        self._opened: list[Patient] = []
        # When one connection is dead, the others of its generation may be dead too.
        self._generation = 0
        weakref.finalize(self, _close, self._opened)
        with _translated(url):
            self._connection.execute("SELECT 1")

    @property
    def _connection(self) -> Patient:
        """The connection of this thread.

        It is a new one if the last is closed, or if one of its generation was dead.
        """
        held: Patient | None = getattr(self._own, "connection", None)
        if (
            held is not None
            and self._own.generation != self._generation
            and held.info.transaction_status == IDLE
        ):
            held.close()
        if held is None or held.closed:
            generation = self._generation
            held = self._connect()
            self._own.connection = held
            self._own.generation = generation
        return held

    def _connect(self) -> Patient:
        """Open a connection that closes with the store."""
        connection = connect(self._url)
        self._opened[:] = [connection, *(opened for opened in self._opened if not opened.closed)]
        return connection

    @contextlib.contextmanager
    def _in_time(self) -> Iterator[Patient]:
        # Taken once: a read elsewhere that was not answered may replace it at any time.
        connection = self._connection
        connection.seconds = READ_SECONDS
        try:
            yield connection
        except SilenceError:
            self._distrust()
            raise
        finally:
            connection.seconds = None

    def state(self, view: str) -> ViewState | None:
        """Return the state of a view. None: the store does not hold the view."""
        return self.read([(view, ())])[0][0]

    def write(
        self, view: str, rows: Iterable[tuple[bytes, bytes]], state: ViewState, *, replace: bool
    ) -> int:
        """Apply rows and the state of the view in one transaction. The greater version wins."""
        self._look_alive()
        with _translated(self._url), self._connection.transaction():
            self._make_tables()
            self._connection.execute(ARRIVED)
            with self._connection.cursor().copy("COPY arrived (key, row) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["bytea", "bytea"])
                for pair in rows:
                    copy.write_row(pair)
            self._connection.execute(TAKE_TURN, [f"{self._schema.as_string()} {view}"])
            if replace:
                self._run(EMPTY, view)
            applied = self._run(MERGE, view).rowcount
            self._run(KEEP, view, encode_state(view, state))
        self._has_written = True
        return int(applied)

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys of several views in one statement, and so in one snapshot."""
        if not views:
            return []
        used = getattr(self._own, "connection", None)
        try:
            return self._answered(views)
        except StoreError as error:
            # The server may have restarted since this connection was last used. A new connection is tried once.
            if not error.retry or used is None or not used.closed:
                raise
            return self._answered(views)

    def _answered(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        with _translated(self._url), self._in_time() as connection:
            try:
                return [*connection.wait(read_steps(connection, self._quoted, views))]
            except psycopg.errors.UndefinedTable:
                return unwritten(views)

    def channel(self) -> PostgresChannel:
        """Connect for an event loop."""
        with _translated(self._url):
            connection = self._connect()
            connection.execute(ONE_PLAN)
        return PostgresChannel(connection, self._quoted, partial(_store_error, self._url), self._distrust)

    def _distrust(self) -> None:
        """Have each connection that is open now replaced before its next use."""
        self._generation += 1

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """Return all keys and rows of a view, in the order of the keys."""
        self._look_alive()
        with _translated(self._url):
            yield from self._rows("SELECT key, row FROM {schema}.rows WHERE view = %s ORDER BY key", view)

    def clock(self) -> datetime:
        """Return the time of the server's clock."""
        self._look_alive()
        with _translated(self._url):
            [(timestamp,)] = self._connection.execute("SELECT clock_timestamp()").fetchall()
        return in_utc(timestamp)

    def drop(self, views: Sequence[str]) -> None:
        """Remove the rows and the states of views."""
        self._look_alive()
        with _translated(self._url), self._connection.transaction():
            for table in ("rows", "states") if self._has_tables() else ():
                self._run(f"DELETE FROM {{schema}}.{table} WHERE view = ANY(%s)", list(views))  # noqa: S608 - our names

    def remove_schema(self) -> None:
        """Remove the schema of the project with all that it holds."""
        self._look_alive()
        with _translated(self._url):
            self._run("DROP SCHEMA IF EXISTS {schema} CASCADE")
        self._has_written = False

    def _look_alive(self) -> None:
        # An iterator of rows cannot be read twice, so a dead connection must be detected before.
        with contextlib.suppress(psycopg.OperationalError), self._in_time() as connection:
            connection.execute("SELECT 1")

    def _make_tables(self) -> None:
        # The first writer creates the tables, because readers may lack the permission.
        if not (self._has_written or self._has_tables()):
            # Without the lock, two writers that start at once would both create the tables.
            self._connection.execute(TAKE_TURN, [self._schema.as_string()])
            self._run(TABLES)

    def _has_tables(self) -> bool:
        rows = f"{self._schema.as_string()}.rows"
        return bool(self._connection.execute("SELECT to_regclass(%s) IS NOT NULL", [rows]).fetchone()[0])  # type: ignore[index]

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        try:
            rows: list[Any] = self._run(statement, *values).fetchall()
        except psycopg.errors.UndefinedTable:
            return []  # no view was written yet
        return rows

    def _run(self, statement: str, *values: Any) -> Any:
        query = self._query(statement, has_values=bool(values))
        return self._connection.execute(query, values or None, binary=bool(values))

    def _query(self, statement: str, *, has_values: bool) -> sql.Composed:
        schema: sql.Composable = self._schema
        if has_values:
            # psycopg reads a percent sign of a statement with values as a placeholder, also inside a name.
            schema = sql.SQL(self._schema.as_string().replace("%", "%%"))
        return sql.SQL(statement).format(schema=schema)


def schema_name(project: str) -> str:
    """Return the name of the schema of a project.

    A name that is too long is cut, and gets a digest of the complete name.
    """
    name = f"featurestore_{project}".encode()
    if len(name) > MAX_NAME_BYTES:
        digest = hashlib.sha256(name).hexdigest()[:16].encode()
        name = name[: MAX_NAME_BYTES - len(digest) - 1] + b"_" + digest
    return name.decode(errors="ignore")


def _close(connections: list[Patient]) -> None:
    for connection in connections:
        connection.close()


@contextlib.contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        # The cause is left out: its own message may quote the password.
        raise _store_error(url, error) from None


def _store_error(url: str, error: psycopg.Error) -> StoreError:
    message = client_message(url, error)
    limited = (error.sqlstate or "").startswith(LIMITS)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not limited:
        return StoreError(
            f"PostgreSQL at {without_secrets(url)} does not answer: {message}",
            hint="start the server, or try again",
            retry=True,
        )
    return StoreError(f"PostgreSQL at {without_secrets(url)}: {message}")
