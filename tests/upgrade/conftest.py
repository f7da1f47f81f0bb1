from collections.abc import Iterator
from pathlib import Path

import pytest

from ..faults.stack import Stack
from ..run import FOLDER
from . import previous
from .previous import Previous


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Own servers with an empty database; no process runs yet."""
    (tmp_path / "stack").mkdir()
    built = Stack(tmp_path / "stack", CONTACT_WINDOW="3600")
    yield built
    built.close()


@pytest.fixture
def old(stack: Stack) -> Previous:
    """The previous version on the servers of ``stack``; installed once for all runs of this checkout."""
    return Previous(previous.install(FOLDER / "previous" / previous.COMMIT[:7]), stack)
