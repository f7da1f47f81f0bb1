"""``python -m config.embedded.become postgres|valkey``: turns into the server of ``ATRIUM_HOME``."""

import os
import sys
from pathlib import Path

from .postgres import Postgres
from .valkey import Valkey

if __name__ == "__main__":
    home = Path(os.environ["ATRIUM_HOME"])
    {"postgres": Postgres, "valkey": Valkey}[sys.argv[1]](home / sys.argv[1]).run()
