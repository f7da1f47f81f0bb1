"""Installed Node.js packages, shared by all test runs of this machine."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def node_modules(package: Path) -> Path:
    """Return a ``node_modules`` with what the folder ``package`` lists, installed once for each list.

    The list is ``package-lock.json``, or ``package.json`` without one. The test is skipped if npm is not installed.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("Node.js with npm is not installed")
    files = [file for name in ("package.json", "package-lock.json") if (file := package / name).exists()]
    key = hashlib.sha256(files[-1].read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atrium" / "node"
    cache.mkdir(parents=True, exist_ok=True)
    installed = cache / key
    # Test processes run at the same time.
    with (cache / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists():
            folder = Path(tempfile.mkdtemp(dir=cache))
            for file in files:
                shutil.copy(file, folder)
            command = [npm, "ci" if len(files) == 2 else "install", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            folder.rename(installed)
    return installed / "node_modules"
