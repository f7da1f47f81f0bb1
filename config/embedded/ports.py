"""Ports of this machine alone."""

import random
import socket
from pathlib import Path

from .home import write_private

LOCALHOST = "127.0.0.1"
LOWEST = 15000
# Above it the kernel takes ports for outgoing connections, so that one could be taken while its server restarts.
HIGHEST = 32767


def is_free(port: int, host: str = LOCALHOST) -> bool:
    """Whether a server could listen on ``port`` of ``host`` now, and nobody answers there under the name localhost."""
    return not any(_answers(port, address) for address in (LOCALHOST, "::1")) and _can_bind(port, host)


def choose() -> int:
    """A free port below the range that the kernel gives to outgoing connections."""
    highest = min(HIGHEST, _first_ephemeral() - 1)
    for port in random.sample(range(LOWEST, highest), 200):
        if is_free(port):
            return port
    raise OSError(f"none of 200 ports tried between {LOWEST} and {highest} is free")


def settle(remembered: Path) -> int:
    """The port that the file ``remembered`` names, if it is still free; else a new one, which it names from then on."""
    try:
        port = int(remembered.read_text())
    except (OSError, ValueError):
        port = 0
    if not port or not is_free(port):
        port = choose()
        write_private(remembered, f"{port}\n")
    return port


def _answers(port: int, address: str) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def _can_bind(port: int, host: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError:
        return False
    return True


def _first_ephemeral() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):  # not Linux
        return HIGHEST + 1
    return first if first > LOWEST + 1000 else HIGHEST + 1
