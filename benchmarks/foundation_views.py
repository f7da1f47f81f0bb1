"""The cost of each layer, and granian compared with gunicorn threads."""

from .harness import Bench

PATHS = {
    "bare WSGI": "/wsgi",
    "bare Django view": "/django/",
    "bare DRF view": "/drf/",
    "one-query view": "/query/",
}


def run(bench: Bench) -> None:
    with (
        bench.serve("benchmarks.apps:application") as granian,
        bench.serve("benchmarks.apps:application", server="gunicorn") as gunicorn,
    ):
        calls = {name: granian.get(path) for name, path in PATHS.items()}
        bench.compare("The layers, on granian", calls, calls=50)
        for name, path in PATHS.items():
            bench.compare(
                f"{name}: granian and gunicorn",
                {"granian": granian.get(path), "gunicorn gthread": gunicorn.get(path)},
                calls=50,
            )
        rows = []
        for name, path in PATHS.items():
            rates = {}
            for label, server in (("granian", granian), ("gunicorn", gunicorn)):
                before = server.cpu_seconds()
                call = server.get(path)
                for _ in range(count := 100 if bench.quick else 1000):
                    call()
                # The kernel measures in hundredths of a second.
                rates[label] = max(server.cpu_seconds() - before, 0.01) / count
            rows.append(
                (name, *(f"{rates[k] * 1e6:.0f}" for k in rates), f"{rates['gunicorn'] / rates['granian']:.2f}x")
            )
        bench.table("CPU time of the server, microseconds per request", ("", "granian", "gunicorn", "ratio"), rows)
