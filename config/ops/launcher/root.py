"""Run Postgres for root, which it refuses by itself."""

import functools
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from . import StartError

# initdb needs a user with a name.
NOBODY = next((user.pw_uid for user in pwd.getpwall() if user.pw_name == "nobody"), 65534)

# First choice: a user namespace in which root has another id. The files stay root's.
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}")
# Where namespaces are forbidden, as in most containers: another user, who may enter root's folders and owns the data.
# Postgres checks its own programs with access(2), which ignores capabilities without this secure bit (capabilities(7)).
OTHER_USER = (
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--securebits=+no_setuid_fixup",
    "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
)  # fmt: skip


def prefix(program: Path, data: Path) -> list[str]:
    """Return the command prefix for a Postgres program, and change the owner of ``data`` to match it."""
    if os.geteuid() != 0:
        return []
    command = _command(program, data.parent)
    owner = NOBODY if command == OTHER_USER else 0
    if data.exists() and data.stat().st_uid != owner:
        for path in (data, *data.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)
    return list(command)


@functools.cache
def _command(program: Path, folder: Path) -> tuple[str, ...]:
    """Return the first prefix with which ``program`` runs and ``folder`` is writable; raises StartError."""
    probe = folder / ".probe"
    script = ["sh", "-c", '[ "$(id -u)" != 0 ] && "$1" --version && : > "$2"', "sh", str(program), str(probe)]
    try:
        for command in (NAMESPACE, OTHER_USER):
            if shutil.which(command[0]) and subprocess.run([*command, *script], capture_output=True).returncode == 0:
                return command
    finally:
        probe.unlink(missing_ok=True)
    raise StartError(
        "Postgres does not run as root, and on this machine root may neither create a user namespace (unshare) nor "
        "change to another user (setpriv). Run bin/up as an ordinary user, or set DATABASE_URL to an existing server."
    )
