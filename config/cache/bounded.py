"""A Lua function for scripts that store keys in Redis: it bounds the bytes of all keys of one store.

Redis runs without eviction, so that counters, tickets and streams are never dropped. What could fill it is bounded here
(docs/decisions/redis-never-evicts.md).
"""

# bound(store, key, bytes, ttl, limit): count `bytes` more for `key`, which Redis deletes after `ttl` seconds. While the
# keys of the store have more than `limit` bytes together, delete those that expire first.
BOUND = """
local function bound(store, key, bytes, ttl, limit)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
  redis.call('HINCRBY', store .. ':sizes', key, bytes)
  redis.call('ZADD', store .. ':index', now + ttl, key)
  local total = redis.call('INCRBY', store .. ':bytes', bytes)
  for _ = 1, 1000 do
    local first = redis.call('ZRANGE', store .. ':index', 0, 0, 'WITHSCORES')
    if not first[1] or (total <= limit and tonumber(first[2]) > now) then break end
    total = redis.call('DECRBY', store .. ':bytes', redis.call('HGET', store .. ':sizes', first[1]) or 0)
    redis.call('HDEL', store .. ':sizes', first[1])
    redis.call('ZREM', store .. ':index', first[1])
    redis.call('UNLINK', first[1])
  end
end
"""
