"""Cached responses that are never stale, and the only module that opens connections to Redis.

`responses` stores rendered bytes, `generations` invalidates them, `local` is a cache in the process, `redis` connects.
"""
