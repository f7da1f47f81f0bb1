"""Waiting for something to become true, instead of for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, timeout: float = 30, what: str = "") -> T:
    """Ask ``condition`` until it answers something true, and return that; fails after ``timeout`` seconds.

    An AssertionError of the condition counts as "not yet", and its last one is what the failure shows.
    """
    deadline = time.monotonic() + timeout
    last: AssertionError | None = None
    while True:
        try:
            if result := condition():
                return result
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or condition} was not so within {timeout} s") from last
        time.sleep(0.05)
