"""Redis (or Valkey): an online store for many machines.

A view is one hash, ``<project>:<view>:<generation>``; ``<project>:<view>`` holds its state and generation. To write a
view anew is to fill the next generation and then to turn to it, in one step. Who begins to do so takes the place
of whoever was at it, alive or dead: Redis holds two generations at the most. Rows are compared inside Redis, so that
the greater version wins also between concurrent writers.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.errors import ConfigError, StoreError
from featurestore.ports import ViewState
from featurestore.values.codec import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:
    raise ConfigError(
        "the online store is Redis, and its client is not installed", hint="pip install 'featurestore[redis]'"
    ) from error

ROWS_A_CALL = 1_000
# For an answer, asked for twice at the most.
READ_SECONDS, WRITE_SECONDS = 1.5, 10.0
BEGIN = """
local last, current = unpack(redis.call('HMGET', KEYS[1], 'last', 'generation'))
if last and last ~= current then redis.call('UNLINK', KEYS[1] .. ':' .. last) end
return redis.call('HINCRBY', KEYS[1], 'last', 1)
"""
# Lua compares strings by the locale; versions are compared byte by byte. A generation that is being filled vanishes a
# day after its writer did, if nobody begins the next.
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
for i = 2, #ARGV, 2 do
  if newer(ARGV[i + 1], redis.call('HGET', rows, ARGV[i])) then
    redis.call('HSET', rows, ARGV[i], ARGV[i + 1])
    applied = applied + 1
  end
end
if ARGV[1] ~= '' then redis.call('EXPIRE', rows, 86400) end
return applied
"""
# For each view: how many keys, then the keys; back come the state and the rows. A script runs alone: one snapshot.
READ = """
local found, at = {}, 1
for v = 1, #KEYS do
  local held, wanted = redis.call('HMGET', KEYS[v], 'state', 'generation'), tonumber(ARGV[at])
  local rows = {held[1]}
  if held[1] then
    local name = KEYS[v] .. ':' .. (held[2] or '0')
    for i = at + 1, at + wanted, 1000 do
      local part = redis.call('HMGET', name, unpack(ARGV, i, math.min(i + 999, at + wanted)))
      for j = 1, #part do rows[#rows + 1] = part[j] end
    end
  end
  found[v], at = rows, at + wanted + 1
end
return found
"""
TURN = """
if ARGV[2] == '' then
  redis.call('HSET', KEYS[1], 'state', ARGV[1])
  return 0
end
if ARGV[2] ~= redis.call('HGET', KEYS[1], 'last') then return -1 end
local before = redis.call('HGET', KEYS[1], 'generation') or '0'
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'generation', ARGV[2])
redis.call('PERSIST', KEYS[1] .. ':' .. ARGV[2])
redis.call('UNLINK', KEYS[1] .. ':' .. before)
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
            self._reader = _client(url, READ_SECONDS)
            self._begin = self._redis.register_script(BEGIN)
            self._apply = self._redis.register_script(APPLY)
            self._read = self._reader.register_script(READ)
            self._turn = self._redis.register_script(TURN)
        self._url, self._project = url, project

    def state(self, view: str) -> ViewState | None:
        """Say what is held of a view."""
        return self.read([(view, ())])[0][0]

    def write(
        self, view: str, rows: Iterable[tuple[bytes, bytes]], state: ViewState, *, replace: bool
    ) -> int:
        """Apply rows, a thousand in one step, then the view's state; the greater version wins.

        Only a view written anew changes in one step. Of an update that was cut short some rows are there already, each
        whole; the state does not know them yet, and the next run writes the rest.
        """
        name, applied, waiting = self._name(view), 0, iter(rows)
        with _translated(self._url):
            generation = ""
            if replace:
                generation = str(self._begin(keys=[name]))
                deleted = (pair for pair in self.scan(view) if len(pair[1]) == HEADER.size)
                self._put(name, generation, deleted)
            while part := list(islice(waiting, ROWS_A_CALL)):
                applied += self._put(name, generation, part)
            self._in_place(self._turn(keys=[name], args=[msgspec.json.encode(state), generation]), name)
        return applied

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys of several views in one snapshot."""
        asked: list[Any] = [part for _, keys in views for part in (len(keys), *keys)]
        with _translated(self._url):
            answers = self._read(keys=[self._name(view) for view, _ in views], args=asked)
        found: list[tuple[ViewState | None, list[bytes | None]]] = []
        for (_, keys), (state, *stored) in zip(views, answers, strict=True):
            if state is None:
                found.append((None, [None] * len(keys)))
            else:
                found.append((msgspec.json.decode(state, type=ViewState), stored))
        return found

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """List all keys and rows of a view, in the order of the keys."""
        name = self._name(view)
        with _translated(self._url):
            generation = (self._redis.hget(name, "generation") or b"0").decode()
            rows = dict(self._redis.hscan_iter(f"{name}:{generation}", count=ROWS_A_CALL))
        yield from sorted(rows.items())

    def drop(self, views: Sequence[str]) -> None:
        """Remove all of views, and what is known of them."""
        with _translated(self._url):
            for name in map(self._name, views):
                current, last = self._redis.hmget(name, "generation", "last")
                rows = {f"{name}:{(generation or b'0').decode()}" for generation in (current, last)}
                self._redis.unlink(name, *rows)

    def _put(self, name: str, generation: str, rows: Iterable[tuple[bytes, bytes]]) -> int:
        parts = (part for pair in rows for part in pair)
        return self._in_place(self._apply(keys=[name], args=[generation, *parts]), name)

    def _in_place(self, answer: int, name: str) -> int:
        if answer < 0:
            raise StoreError(
                f"Redis at {_shown(self._url)}: another process began to write {name} anew",
                hint="run the command again",
                retry=True,
            )
        return answer

    def _name(self, view: str) -> str:
        return f"{self._project}:{view}"


def _client(url: str, seconds: float) -> Any:
    # A connection that is closed meanwhile, or dead, is opened anew, once and at once.
    return redis.Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 1),
    )


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise StoreError(
            f"Redis at {_shown(url)} does not answer: {error}", hint="start it, or try again", retry=True
        ) from error
    except (redis.RedisError, ValueError) as error:
        raise StoreError(f"Redis at {_shown(url)}: {error}", hint="look at the server's log") from error


def _shown(url: str) -> str:
    # Without the password.
    return url.rpartition("@")[2]
