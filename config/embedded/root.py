"""Postgres refuses to run as root; this is how root runs it all the same."""

import functools
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from . import Refusal

# initdb insists on a user whose name can be looked up.
NOBODY = next((user.pw_uid for user in pwd.getpwall() if user.pw_name == "nobody"), 65534)

# In a user namespace of its own, where root is called somebody else; the files stay root's.
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}")
# Where namespaces are forbidden, as in most containers: really as somebody else, who may nevertheless enter the folders
# that are root's alone. The files then have to be that user's. Postgres asks by access(2) whether it may run its own
# programs, and that ignores a user's capabilities unless this bit says that a user may have some (capabilities(7)).
OTHER_USER = (
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--securebits=+no_setuid_fixup",
    "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
)  # fmt: skip


def prefix(program: Path, data: Path) -> list[str]:
    """What to put before a command of Postgres; makes ``data``, if it exists, belong to the user this ends up as."""
    if os.geteuid() != 0:
        return []
    way = _way(program, data.parent)
    owner = NOBODY if way == OTHER_USER else 0
    if data.exists() and data.stat().st_uid != owner:
        for place in (data, *data.rglob("*")):
            os.chown(place, owner, owner, follow_symlinks=False)
    return list(way)


@functools.cache
def _way(program: Path, folder: Path) -> tuple[str, ...]:
    """The first way in which ``program`` can be run and ``folder`` be written to."""
    probe = folder / ".probe"
    attempt = ["sh", "-c", '[ "$(id -u)" != 0 ] && "$1" --version && : > "$2"', "sh", str(program), str(probe)]
    try:
        for way in (NAMESPACE, OTHER_USER):
            if shutil.which(way[0]) and subprocess.run([*way, *attempt], capture_output=True).returncode == 0:
                return way
    finally:
        probe.unlink(missing_ok=True)
    raise Refusal(
        "Postgres does not run as root, and this machine lets root neither make a user namespace (unshare) nor change "
        "to another user (setpriv). Run bin/up as an ordinary user, or set DATABASE_URL to a server of your own."
    )
