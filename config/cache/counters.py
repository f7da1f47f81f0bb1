"""Counters of requests in Redis, each with a window that begins with the first request."""

from typing import NamedTuple

from .redis import guarded, run_script

# A Lua function. count(key, period): count one request in the key's window of `period` ms; return the count.
COUNT = """
local function count(key, period)
  redis.call('SET', key, 0, 'PX', period, 'NX')
  return redis.call('INCR', key)
end
"""
_COUNT = f"{COUNT} return {{count(KEYS[1], ARGV[1]), redis.call('PTTL', KEYS[1])}}"


class Window(NamedTuple):
    """What a client may do: ``limit`` requests in ``milliseconds``, counted under ``key``."""

    key: str
    limit: int
    milliseconds: int


class Count(NamedTuple):
    number: int
    remaining: int  # milliseconds until the window ends


def count(key: str, milliseconds: int) -> Count | None:
    """Count one request under ``key`` in its window; None if Redis is away."""
    counted = guarded(lambda: run_script(_COUNT, [key], [milliseconds]))
    return Count(*counted) if counted else None
