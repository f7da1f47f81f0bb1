"""``python -m config.embedded`` is what ``bin/up`` runs once the requirements are there."""

import argparse
import importlib.util
import sys


def main() -> int:
    argparse.ArgumentParser(
        prog="bin/up",
        description="Start Atrium and keep it running until Ctrl-C. PORT (8000) and ATRIUM_HOME (.atrium) may be set "
        "in the environment or in .env, and so may everything that .env.example names.",
    ).parse_args()
    for needed in ("supervisor", "psutil"):
        if importlib.util.find_spec(needed) is None:
            print("What runs Atrium is not installed: start it with bin/up, which installs it.", file=sys.stderr)
            return 1
    from . import up

    return up.main()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before it was ready to be stopped
        sys.exit(130)
