"""Start Atrium on one machine: private servers, a supervisor and every process, as ``bin/up`` does.

No module here reads Django's settings: the launcher makes the keys and addresses that the settings need.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCALHOST = "127.0.0.1"


class StartError(Exception):
    """Atrium cannot start. The message says why and what to do."""
