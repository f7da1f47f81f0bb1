"""``python -m config.ops.launcher [--dev]``: run by ``bin/up`` and ``bin/dev`` after installing the requirements."""

import argparse
import signal
import sys
from types import FrameType

from . import StartError
from .logs import say

try:
    from .up import Up
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Run bin/up, which installs the launcher's requirements.")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bin/up",
        description="Start Atrium and run it until Ctrl-C. Set PORT (8000), ATRIUM_HOME (.atrium) and every other "
        "variable of .env.example in the environment or in .env.",
    )
    parser.add_argument("--dev", action="store_true", help="DEBUG, reload on changes, a mail viewer (bin/dev)")
    options = parser.parse_args()
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, _stop)
    try:
        Up(dev=options.dev).run()
    except KeyboardInterrupt:
        say("Stopped.")
    except StartError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


def _stop(number: int, frame: FrameType | None) -> None:
    """Stop at the first signal and ignore the others: some terminals deliver one Ctrl-C twice."""
    for each in SIGNALS:
        signal.signal(each, lambda *_: None)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
