"""Wait for a condition instead of sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, timeout: float = 60, what: str = "") -> T:
    """Call ``condition`` until its result is true and return it; fail after ``timeout`` seconds.

    An AssertionError of the condition counts as false. The last one is shown if the wait fails.
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
            raise AssertionError(f"timed out after {timeout} s: {what or condition}") from last
        time.sleep(0.05)
