"""Hosts in network namespaces on one bridge, for drills with several machines. Needs root and iproute2.

The names contain the process id of the test run, so that the next run can remove what a killed run left.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ..sentinels import Place

NAME = "atrium-drill"
# A network namespace and a host name, as on a machine of its own.
INSIDE = ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"')


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=30).stdout


def why_unavailable() -> str:
    """Return why this machine cannot run hosts in namespaces, or an empty string."""
    if os.geteuid() != 0:
        return "only root can create network namespaces"
    if missing := [name for name in ("ip", "ss", "unshare") if not shutil.which(name)]:
        return f"not installed: {', '.join(missing)}"
    try:
        network = Network()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"ip cannot create a bridge: {getattr(error, 'stderr', error)}"
    try:
        network.add("probe")
    except subprocess.CalledProcessError as error:
        return f"ip cannot create a network namespace: {error.stderr}"
    finally:
        network.close()
    return ""


class Host:
    """A machine: an address, a cable, and programs that start with it.

    ``programs`` are functions that start a program and return once it accepts work.
    """

    def __init__(self, name: str, ip: str, namespace: str, cable: str) -> None:
        self.name, self.ip, self.namespace, self.cable = name, ip, namespace, cable
        self.place = Place(ip, ("ip", "netns", "exec", namespace, *INSIDE, name))
        self.programs: list[Callable[[], object]] = []

    def start(self) -> None:
        """Start every program, in order."""
        for start in self.programs:
            start()

    def disconnect(self) -> None:
        """Pull the cable: packets in both directions are lost, and nobody is notified."""
        _ip("link", "set", self.cable, "down")

    def reconnect(self) -> None:
        _ip("link", "set", self.cable, "up")

    def freeze(self) -> None:
        """Stop every process. The kernel still accepts connections, which then get no answer."""
        self._send(signal.SIGSTOP)
        self._send(signal.SIGSTOP)  # again, for a process that was started meanwhile

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """End every process at once, without a warning."""
        deadline = time.monotonic() + 15
        while self.pids():
            self._send(signal.SIGKILL)
            assert time.monotonic() < deadline, f"{self.name} has processes that do not end"

    def pids(self) -> list[int]:
        return [int(each) for each in _ip("netns", "pids", self.namespace).split()]

    def is_connected_to(self, ip: str, port: int) -> bool:
        """Return whether a program of this host has an open connection to ``ip:port``."""
        command = ["ss", "--no-header", "--tcp", "--numeric", "state", "established", f"dst {ip}:{port}"]
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, *command], check=True, capture_output=True, text=True, timeout=30
        )
        return bool(done.stdout.strip())

    def _send(self, number: int) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class Network:
    """A bridge with hosts. The test itself has the address ``gateway``."""

    def __init__(self) -> None:
        remove_leftovers()
        self.bridge = f"atr{os.getpid()}"
        self.prefix = f"10.213.{os.getpid() % 250}"
        self.gateway, self.subnet = f"{self.prefix}.1", f"{self.prefix}.0/24"
        self.hosts: list[Host] = []
        _ip("link", "add", self.bridge, "type", "bridge")
        try:
            _ip("address", "add", f"{self.gateway}/24", "dev", self.bridge)
            _ip("link", "set", self.bridge, "up")
        except subprocess.CalledProcessError:
            self.close()
            raise

    def add(self, name: str) -> Host:
        """Add a host that runs nothing yet."""
        number = len(self.hosts) + 10
        namespace, cable = f"{NAME}-{os.getpid()}-{name}", f"{self.bridge}-{number}"
        host = Host(name, f"{self.prefix}.{number}", namespace, cable)
        _ip("netns", "add", namespace)
        self.hosts.append(host)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("link", "set", cable, "master", self.bridge, "up")
        _ip("-n", namespace, "address", "add", f"{host.ip}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", namespace, "link", "set", device, "up")
        return host

    def close(self) -> None:
        """End every process of every host and remove the hosts and the bridge."""
        for host in self.hosts:
            _remove_namespace(host.namespace)
        for device in (*(host.cable for host in self.hosts), self.bridge):  # a cable may be gone with its namespace
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("link", "delete", device)


def remove_leftovers() -> None:
    """Remove hosts and bridges of test runs that were killed."""
    for line in _ip("netns", "list").splitlines():
        namespace = line.split()[0]
        if namespace.startswith(f"{NAME}-") and _is_abandoned(namespace.removeprefix(f"{NAME}-").partition("-")[0]):
            _remove_namespace(namespace)
    for line in _ip("-brief", "link", "show", "type", "bridge").splitlines():
        bridge = line.split()[0]
        if bridge.startswith("atr") and _is_abandoned(bridge.removeprefix("atr")):
            _ip("link", "delete", bridge)


def _is_abandoned(pid: str) -> bool:
    return pid.isdigit() and int(pid) != os.getpid() and not Path(f"/proc/{pid}").exists()


def _remove_namespace(namespace: str) -> None:
    host = Host(namespace, "", namespace, "")
    with contextlib.suppress(subprocess.CalledProcessError, AssertionError):
        host.kill()
    with contextlib.suppress(subprocess.CalledProcessError):
        _ip("netns", "delete", namespace)
