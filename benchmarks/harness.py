"""Measure candidates in turn and print tables of ratios."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.ops import processes

ROOT = Path(__file__).resolve().parent.parent
Candidates = Mapping[str, Callable[[], object]]
READY_SECONDS = 300  # a server may need minutes to start on a busy machine
STOP_SECONDS = 30


class Server:
    """A web server with a WSGI app of this project or of a benchmark."""

    def __init__(self, url: str, process: subprocess.Popen) -> None:
        self.url, self.process = url, process

    def get(self, path: str | Callable[[], str], headers: Mapping[str, str] | None = None) -> Callable[[], bytes]:
        """Return a function that requests ``path`` (or ``path()``) over one connection; it raises unless 200 or 304.

        It reads only status and length of the response's head. A complete client would take as long as a fast server,
        and every ratio would be closer to one.
        """
        parts = urlsplit(self.url)
        fields = {"Host": parts.netloc, **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def call() -> bytes:
            target = path if isinstance(path, str) else path()
            connection.sendall(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1"))
            return _read_answer(connection, target)

        return call

    def cpu_seconds(self) -> float:
        """Return the CPU seconds (user and system) of the server and its child processes."""
        import psutil

        main = psutil.Process(self.process.pid)
        times = [p.cpu_times() for p in (main, *main.children(recursive=True))]
        return sum(t.user + t.system for t in times)

    def memory(self) -> int:
        """Return the resident bytes of the server and its child processes."""
        import psutil

        main = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in (main, *main.children(recursive=True)))


class Bench:
    """Starts servers, measures and prints tables; passed to every benchmark."""

    def __init__(self, *, quick: bool = False, only: Sequence[str] = (), requests: int = 0) -> None:
        self.quick, self.only, self.requests = quick, only, requests

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print ``rows`` under ``columns``, the first left-aligned, the others right-aligned."""
        cells = [[str(cell) for cell in row] for row in (columns, *rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
        self.say(f"\n{title}")
        for row in cells:
            first, *others = (
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            self.say("  " + "  ".join([first, *others]).rstrip())

    def compare(
        self, title: str, candidates: Candidates, *, rounds: int = 15, calls: int = 20, warmup: int = 3
    ) -> dict[str, float]:
        """Call the candidates in turn, ``calls`` times per round; print and return their median seconds per call.

        The first candidate is the subject, to which the others are compared: a ratio of 3 means that the subject takes
        a third of the time. Ratios are computed per round, so that a slow moment of the machine affects both.
        """
        rounds = max(3, rounds // 5) if self.quick else rounds
        for call in candidates.values():
            for _ in range(warmup):
                call()
        times: dict[str, list[float]] = {name: [] for name in candidates}
        for turn in range(rounds):
            names = list(candidates) if turn % 2 == 0 else list(reversed(candidates))
            for name in names:
                started = time.perf_counter()
                for _ in range(calls):
                    candidates[name]()
                times[name].append((time.perf_counter() - started) / calls)
        subject = next(iter(candidates))
        rows = []
        for name, taken in times.items():
            ratios = sorted(other / own for other, own in zip(taken, times[subject], strict=True))
            ratio = "" if name == subject else f"{statistics.median(ratios):.2f}x"
            spread = "" if name == subject else f"{ratios[0]:.2f}-{ratios[-1]:.2f}"
            median = statistics.median(taken)
            rows.append((name, f"{median * 1000:.3f}", f"{1 / median:,.0f}", ratio, spread))
        self.table(
            f"{title}   ({rounds} rounds of {calls} calls)",
            ("", "median ms", "calls/s", "time / subject's", "min-max"),
            rows,
        )
        return {name: statistics.median(taken) for name, taken in times.items()}

    def latencies(self, call: Callable[[], object], *, seconds: float) -> list[float]:
        """Call ``call`` again and again for ``seconds``; return the duration of each call in seconds, sorted."""
        end, taken = time.perf_counter() + (seconds / 5 if self.quick else seconds), []
        while time.perf_counter() < end:
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
        return sorted(taken)

    @staticmethod
    def percentile(sorted_values: Sequence[float], percent: float) -> float:
        return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * percent / 100))]

    @contextmanager
    def load(self, call: Callable[[], Callable[[], object]], *, threads: int) -> Iterator[list[int]]:
        """Run ``threads`` callers, each made by ``call()``, while the block runs. Yields the count of calls of each."""
        stop, counts = threading.Event(), [0] * threads

        def work(number: int) -> None:
            one = call()
            while not stop.is_set():
                one()
                counts[number] += 1

        workers = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield counts
        finally:
            stop.set()
            for worker in workers:
                worker.join(30)

    @contextmanager
    def serve(
        self,
        app: str = "config.wsgi:application",
        *,
        server: str = "granian",
        threads: int = 4,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[Server]:
        """Run the WSGI ``app`` as the web process does ("granian"), or on ``gunicorn`` with as many threads."""
        port = free_port()
        commands = {
            "granian": [*processes.web_command("benchmarks.buffered:application", port), "--workers", "1"],
            "gunicorn": [
                sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1",
                "--worker-class", "gthread", "--threads", str(threads), "--keep-alive", "75",
                "--log-level", "warning", app,
            ],
        }  # fmt: skip
        own = {"ATRIUM_PROCESS": "web", "ATRIUM_BEHIND_FRONT": "true", "WEB_THREADS": str(threads), "BENCH_APP": app}
        with _process(commands[server], port, {**own, **(env or {})}) as process:
            yield Server(f"http://127.0.0.1:{port}", process)

    @contextmanager
    def front(self, web: Server) -> Iterator[Server]:
        """Run the product's front process before ``web``."""
        port = free_port()
        command = [sys.executable, "-m", "config.ops.processes", "front"]
        settings = {"PORT": str(port), "WEB_PORT": str(urlsplit(web.url).port), "EVENTS_PORT": str(free_port())}
        with _process(command, port, settings) as process:
            yield Server(f"http://127.0.0.1:{port}", process)


@contextmanager
def _process(command: list[str], port: int, env: Mapping[str, str]) -> Iterator[subprocess.Popen]:
    """Run a server process until the end of the block; it listens on ``port`` when the block begins."""
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(port, process)
        yield process
    finally:
        stop(process)


def _read_answer(connection: socket.socket, path: str) -> bytes:
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _more(connection, path)
    head, body = received[:end].lower(), received[end + 4 :]
    if head[9:12] == b"304":
        return b""
    _, _, length = head.partition(b"\r\ncontent-length:")
    left = int(length.partition(b"\r\n")[0]) - len(body)
    pieces = [body]
    while left > 0:
        pieces.append(_more(connection, path))
        left -= len(pieces[-1])
    if head[9:12] != b"200":
        raise RuntimeError(f"GET {path} answered {head[9:12].decode()}: {b''.join(pieces)[:200]!r}")
    return b"".join(pieces)


def _more(connection: socket.socket, path: str) -> bytes:
    got = connection.recv(1 << 18)
    if not got:
        raise RuntimeError(f"GET {path}: the server closed the connection")
    return got


def new_user(name: str, **fields: Any) -> Any:
    """Create a user with a confirmed address."""
    from django.db.models.functions import Now

    from accounts.models import User

    return User.objects.create(
        **{"username": name, "email": f"{name}@example.org", "email_verified_at": Now(), **fields}
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop(process: subprocess.Popen) -> None:
    """End a server that leads its own session, and its children."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_ready(probe: Callable[[], object], process: subprocess.Popen) -> None:
    """Return once ``probe`` raises nothing; raises RuntimeError if the process ends or is not ready in time."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            probe()
            return
        except (OSError, RuntimeError) as error:
            if process.poll() is not None:
                raise RuntimeError(f"the server exited with {process.returncode}") from error
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server was not ready after {READY_SECONDS} s: {error}") from error
            time.sleep(0.1)


def _wait_for(port: int, process: subprocess.Popen) -> None:
    wait_until_ready(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), process)
