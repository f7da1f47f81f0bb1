"""Live events and presence.

`events` publishes, `hub` and `server` serve open streams, `tickets` admit to them, `presence` knows who is online.
"""
