"""``python -m config.ops.launcher.exec_server NAME``: replace this process with a private server or a role.

A role waits until ``bin/up`` has prepared the database.
"""

import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    name, home = sys.argv[1], Path(os.environ["ATRIUM_HOME"])
    if name in ("postgres", "valkey"):
        from .postgres import Postgres
        from .valkey import Valkey

        server = {"postgres": Postgres, "valkey": Valkey}[name](home / name)
        command = server.command()
        os.execvpe(command[0], command, server.environment())
    while not (home / "run" / "prepared").exists():
        time.sleep(0.1)
    if os.environ.get("ATRIUM_RELOAD") and name != "front":
        from . import reload

        reload.run(name)
    os.execv(sys.executable, [sys.executable, "-m", "config.ops.processes", name])
