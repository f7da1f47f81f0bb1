"""Measuring in turn, and printing tables of ratios."""

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
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
Candidates = Mapping[str, Callable[[], object]]


class Server:
    """A web server of this project's or of a benchmark's own WSGI app, on a port of its own."""

    def __init__(self, url: str, process: subprocess.Popen) -> None:
        self.url, self.process = url, process

    def get(self, path: str | Callable[[], str], headers: Mapping[str, str] | None = None) -> Callable[[], bytes]:
        """A call that gets ``path``, or what it says, over one connection; raises unless the answer is 200 or 304.

        Of the answer's head it reads the status and the length alone: a client that understands all of it would take as
        long as a fast server, and every ratio would come out nearer to one.
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
        """The processor time (user and system) of the server and of the processes it started."""
        import psutil

        main = psutil.Process(self.process.pid)
        times = [p.cpu_times() for p in (main, *main.children(recursive=True))]
        return sum(t.user + t.system for t in times)

    def memory(self) -> int:
        """Resident bytes of the server and of the processes it started."""
        import psutil

        main = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in (main, *main.children(recursive=True)))


class Bench:
    """What a benchmark module gets: servers to start, and tables to print."""

    def __init__(self, *, quick: bool = False) -> None:
        self.quick = quick

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print ``rows`` under ``columns``: the first to the left, all others to the right."""
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
        """Call the candidates in turn, ``calls`` times each a round; print and return their median seconds a call.

        The first candidate is the subject, the others are what it is compared with: a ratio of 3 says that the subject
        takes a third of the time. Ratios are taken round by round, so that a slow moment of the machine hits both.
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
        """The seconds of each call, one after the other, for ``seconds``; sorted."""
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
        """Keep ``threads`` callers busy while the block runs; ``call()`` makes one caller. Yields a list of counts."""
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
        """Run ``app`` on ``server``: ``granian`` as the product does, or ``gunicorn`` with as many threads."""
        port = free_port()
        commands = {
            "granian": [
                "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
                "--blocking-threads", str(threads), "--no-ws", "--log-level", "warning", app,
            ],
            "gunicorn": [
                "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gthread",
                "--threads", str(threads), "--keep-alive", "75", "--log-level", "warning", app,
            ],
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", *commands[server]],
            cwd=ROOT,
            env={**os.environ, "ATRIUM_PROCESS": "web", **(env or {})},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait_for(port, process)
            yield Server(f"http://127.0.0.1:{port}", process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended by itself with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the server did not listen within 60 s")
