"""The first query of a request, used as the health check of its connection."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")


def first_query(read: Callable[[], T]) -> T:
    """Return ``read()``, which only reads. If it is the request's first query, it replaces Django's health check.

    A cached response consists of little else than round trips, so one less is a quarter of them. On a broken
    connection ``read`` is repeated on a new one, as after a failed health check.
    """
    own: Any = connection
    if own.connection is None or own.in_atomic_block or own.health_check_done:
        return read()
    own.health_check_done = True
    try:
        return read()
    except (OperationalError, InterfaceError):
        own.close()
        return read()
