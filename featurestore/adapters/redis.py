"""Redis (or Valkey): an online store for many machines.

The rows of a view are one hash, ``<project>:<view>:<generation>``. The hash ``<project>:<view>``
holds the state of the view and its current generation. A writer that replaces a view fills the next
generation and then switches to it, in one step. A new writer takes the place of an earlier one that
has not finished, so that Redis holds two generations at most. Rows are compared inside Redis, so
that the greater version wins also between concurrent writers.

The hash ``<project>:<view>`` also counts the rows of each generation. Redis can lose rows, because it
evicts keys or a person removes them. A view whose rows are not as many as were counted counts as one
that the store does not hold: reads are refused, and the next materialization writes it in full.
"""

from __future__ import annotations

import hashlib
import weakref
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from featurestore.adapters.redis_channel import RedisChannel
from featurestore.adapters.server_url import client_message, without_secrets
from featurestore.errors import StoreError, package_needed_by
from featurestore.storage.stored_state import decode_state, encode_state
from featurestore.timing.epoch import timestamp_of
from featurestore.values.codec import HEADER, is_intact, is_tombstone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from featurestore.ports import ViewKeys, ViewState

with package_needed_by("the online store Redis", extra="redis"):
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

ROWS_PER_CALL = 1_000
KEEPING = "noeviction"
# Timeouts of one call. A call is tried twice at most.
READ_SECONDS = 1.5
WRITE_SECONDS = 10.0
BEGIN = """
local last, current = unpack(redis.call('HMGET', KEYS[1], 'last', 'generation'))
if last and last ~= current then
  redis.call('UNLINK', KEYS[1] .. ':' .. last)
  redis.call('HDEL', KEYS[1], 'count:' .. last)
end
local target = redis.call('HINCRBY', KEYS[1], 'last', 1)
redis.call('UNLINK', KEYS[1] .. ':' .. target)
return target
"""
# Lua compares strings by the locale, so versions are compared byte by byte. A generation that a dead writer left
# incomplete expires after a day. Arguments: the generation, or '' for the current one; the state that the view has with
# these rows, or '' while more are to come; the rows.
APPLY = f"""
local function newer(row, current)
  if not current then return true end
  for i = 1, {HEADER.size} do
    local a, b = string.byte(row, i), string.byte(current, i)
    if a ~= b then return a > b end
  end
  return false
end
local target = ARGV[1]
if target ~= '' and target ~= redis.call('HGET', KEYS[1], 'last') then return -1 end
if target == '' then target = redis.call('HGET', KEYS[1], 'generation') or '0' end
local rows, applied = KEYS[1] .. ':' .. target, 0
local count = redis.call('HGET', KEYS[1], 'count:' .. target) or redis.call('HLEN', rows)
for i = 3, #ARGV, 2 do
  if newer(ARGV[i + 1], redis.call('HGET', rows, ARGV[i])) then
    count = count + redis.call('HSET', rows, ARGV[i], ARGV[i + 1])
    applied = applied + 1
  end
end
redis.call('HSET', KEYS[1], 'count:' .. target, string.format('%.0f', count))
if ARGV[1] ~= '' then redis.call('EXPIRE', rows, 86400) end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'state', ARGV[2]) end
return applied
"""
# Arguments for each view: the number of keys, then the keys. The result is the state and the rows of each view. Redis
# runs one script at a time, so the result is one snapshot.
READ = """
local results, position = {}, 1
for v = 1, #KEYS do
  local held, count = redis.call('HMGET', KEYS[v], 'state', 'generation'), tonumber(ARGV[position])
  local generation = held[2] or '0'
  local name = KEYS[v] .. ':' .. generation
  local counted = redis.call('HGET', KEYS[v], 'count:' .. generation)
  if counted and tonumber(counted) ~= redis.call('HLEN', name) then held[1] = false end
  local rows = {held[1]}
  if held[1] then
    for i = position + 1, position + count, 1000 do
      local part = redis.call('HMGET', name, unpack(ARGV, i, math.min(i + 999, position + count)))
      for j = 1, #part do rows[#rows + 1] = part[j] end
    end
  end
  results[v], position = rows, position + count + 1
end
return results
"""
READ_DIGEST = hashlib.sha1(READ.encode(), usedforsecurity=False).hexdigest()
TURN = """
if ARGV[2] ~= redis.call('HGET', KEYS[1], 'last') then return -1 end
local before = redis.call('HGET', KEYS[1], 'generation') or '0'
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'generation', ARGV[2])
redis.call('PERSIST', KEYS[1] .. ':' .. ARGV[2])
if before ~= ARGV[2] then
  redis.call('UNLINK', KEYS[1] .. ':' .. before)
  redis.call('HDEL', KEYS[1], 'count:' .. before)
end
return 0
"""


class RedisStore:
    """An online store in one Redis database.

    Parameters
    ----------
    url
        Such as ``redis://localhost:6379/0``.
    project
        Prefix of all keys.
    """

    def __init__(self, url: str, project: str) -> None:
        with _translated(url):
            self._redis = _client(url, WRITE_SECONDS)
            self._readers = _client(url, READ_SECONDS).connection_pool
            self._begin = self._redis.register_script(BEGIN)
            self._apply = self._redis.register_script(APPLY)
            self._turn = self._redis.register_script(TURN)
        self._idle: deque[Any] = deque()
        # The pools of redis-py are parts of cycles: without this they would wait for the garbage collection.
        weakref.finalize(self, _disconnect, self._idle, self._redis.connection_pool, self._readers)
        self._url, self._project = url, project
        self._require_no_eviction()

    def state(self, view: str) -> ViewState | None:
        """Return the state of a view. None: the store does not hold the view."""
        return self.read([(view, ())])[0][0]

    def write(
        self, view: str, rows: Iterable[tuple[bytes, bytes]], state: ViewState, *, replace: bool
    ) -> int:
        """Apply rows, 1,000 in one step, the last of them with the state of the view. The greater version wins.

        A replaced view changes in one step, and so do up to 1,000 rows. A longer update that is interrupted leaves
        some of its rows in the store, each of them complete, and the state as it was. The next run writes the rest.
        """
        name = self._name(view)
        remaining = iter(rows)
        applied = 0
        encoded = encode_state(view, state)
        with _translated(self._url):
            generation = ""
            if replace:
                generation = str(self._begin(keys=[name]))
                deleted = (pair for pair in self.scan(view) if is_tombstone(pair[1]) and is_intact(*pair))
                self._put(name, generation, deleted)
            part = list(islice(remaining, ROWS_PER_CALL))
            while further := list(islice(remaining, ROWS_PER_CALL)):
                applied += self._put(name, generation, part)
                part = further
            applied += self._put(name, generation, part, b"" if replace else encoded)
            if replace:
                self._not_overtaken(self._turn(keys=[name], args=[encoded, generation]), name)
        return applied

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys of several views in one snapshot."""
        with _translated(self._url):
            answers = self._evaluate(self._arguments(views))
        return self._rows(views, answers)

    def channel(self) -> RedisChannel:
        """Connect for an event loop."""
        with _translated(self._url):
            connection = self._readers.make_connection()
            connection.connect()
            _answer(connection, "SCRIPT LOAD", READ)
        return RedisChannel(
            connection,
            lambda views: ("EVALSHA", READ_DIGEST, *self._arguments(views)),
            self._rows,
            partial(_store_error, self._url),
            # When one connection is dead, those that wait for their next use may be dead too.
            partial(_disconnect, self._idle),
        )

    def _arguments(self, views: ViewKeys) -> tuple[Any, ...]:
        names = [self._name(view) for view, _ in views]
        return (len(names), *names, *(part for _, keys in views for part in (len(keys), *keys)))

    @staticmethod
    def _rows(views: ViewKeys, answers: Any) -> list[tuple[ViewState | None, list[bytes | None]]]:
        results: list[tuple[ViewState | None, list[bytes | None]]] = []
        for (view, keys), (held, *stored) in zip(views, answers, strict=True):
            state = None if held is None else decode_state(view, held)
            results.append((None, [None] * len(keys)) if state is None else (state, stored))
        return results

    def _evaluate(self, arguments: tuple[Any, ...]) -> Any:
        """Run READ on a connection of its own: the client's `evalsha` takes three times the processor time."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._readers.make_connection()
        try:
            connection.connect()
            try:
                return _answer(connection, "EVALSHA", READ_DIGEST, *arguments)
            except (redis.ConnectionError, redis.TimeoutError):
                return _answer(connection, "EVALSHA", READ_DIGEST, *arguments)
        except redis.exceptions.NoScriptError:  # the server has started since
            return _answer(connection, "EVAL", READ, *arguments)
        finally:
            self._idle.append(connection)

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """Return all keys and rows of a view, in the order of the keys."""
        name = self._name(view)
        with _translated(self._url):
            generation = (self._redis.hget(name, "generation") or b"0").decode()
            rows = dict(self._redis.hscan_iter(f"{name}:{generation}", count=ROWS_PER_CALL))
        yield from sorted(rows.items())

    def clock(self) -> datetime:
        """Return the time of the server's clock."""
        with _translated(self._url):
            seconds, microseconds = self._redis.time()
        return timestamp_of(seconds * 1_000_000 + microseconds)

    def drop(self, views: Sequence[str]) -> None:
        """Remove the rows and the states of views."""
        with _translated(self._url):
            for name in map(self._name, views):
                current, last = self._redis.hmget(name, "generation", "last")
                rows = {f"{name}:{(generation or b'0').decode()}" for generation in (current, last)}
                self._redis.unlink(name, *rows)

    def _require_no_eviction(self) -> None:
        with _translated(self._url):
            policy = self._redis.info("memory").get("maxmemory_policy", KEEPING)
        if policy != KEEPING:
            raise StoreError(
                f"Redis at {without_secrets(self._url)}: maxmemory-policy is {policy}, expected {KEEPING}: a server that "
                "evicts keys loses features, and answers NOT_FOUND for them",
                hint=f"run: redis-cli CONFIG SET maxmemory-policy {KEEPING}, and set it in the server's configuration",
            )

    def _put(
        self, name: str, generation: str, rows: Iterable[tuple[bytes, bytes]], state: bytes = b""
    ) -> int:
        parts = (part for pair in rows for part in pair)
        return self._not_overtaken(self._apply(keys=[name], args=[generation, state, *parts]), name)

    def _not_overtaken(self, answer: int, name: str) -> int:
        if answer < 0:
            raise StoreError(
                f"Redis at {without_secrets(self._url)}: another process began to replace {name}",
                hint="run the command again",
                retry=True,
            )
        return answer

    def _name(self, view: str) -> str:
        return f"{self._project}:{view}"


def _answer(connection: Any, *command: Any) -> Any:
    try:
        connection.send_command(*command)
        return connection.read_response()
    except redis.ResponseError:
        raise
    except BaseException:
        # The next command would get the rest of this answer.
        connection.disconnect()
        raise


def _client(url: str, seconds: float) -> Any:
    # A connection that was closed or is dead is opened again, once, without delay.
    # A Unix socket has no use for keepalive, and its connection refuses the option.
    keepalive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return redis.Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        **keepalive,
        retry=Retry(NoBackoff(), 1),
    )


def _disconnect(idle: deque[Any], *pools: Any) -> None:
    with suppress(IndexError):  # none is left: a thread may take one meanwhile
        while True:
            idle.pop().disconnect()
    for pool in pools:
        pool.disconnect()


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, ValueError) as error:
        # The cause is left out: its own message may quote the password.
        raise _store_error(url, error) from None


def _store_error(url: str, error: Exception) -> StoreError:
    message = client_message(url, error)
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return StoreError(
            f"Redis at {without_secrets(url)} does not answer: {message}",
            hint="start the server, or try again",
            retry=True,
        )
    return StoreError(f"Redis at {without_secrets(url)}: {message}", hint="check the log of the server")
