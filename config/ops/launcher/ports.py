"""Choose local ports."""

import random
import socket
from pathlib import Path

from . import LOCALHOST
from .home import write_private

# Linux takes ports for outgoing connections from 32768 up: such a port could be taken while its server restarts.
LOWEST, HIGHEST = 15000, 32767


def is_free(port: int, host: str = LOCALHOST) -> bool:
    """Return whether ``port`` can be bound on ``host`` and nothing answers there on localhost (IPv4 or IPv6)."""
    for address in (LOCALHOST, "::1"):
        try:
            socket.create_connection((address, port), timeout=1).close()
            return False
        except OSError:
            continue
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError:
        return False
    return True


def choose() -> int:
    """Return a free port between LOWEST and HIGHEST."""
    return next(filter(is_free, random.sample(range(LOWEST, HIGHEST), HIGHEST - LOWEST)))


def reserve(file: Path) -> int:
    """Return the port stored in ``file`` if it is still free; otherwise choose a new port and store it."""
    try:
        port = int(file.read_text())
    except (OSError, ValueError):
        port = 0
    if not port or not is_free(port):
        port = choose()
        write_private(file, f"{port}\n")
    return port
