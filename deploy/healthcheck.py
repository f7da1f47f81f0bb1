"""Exit with 0 when the role of this container does its work, or say what is amiss and exit with 1.

``healthcheck.py [ROLE]``; without a role, the one that the container's first process was started with. Needs nothing
but the standard library, because it runs every few seconds in every container.
"""

import http.client
import os
import re
import sys
import time
from pathlib import Path

ASKED = {  # roles that answer HTTP, each with its port and path
    "web": (int(os.environ.get("PORT") or 8000), "/healthz/"),
    "events": (int(os.environ.get("EVENTS_PORT") or 8001), "/healthz/"),
    "flower": (5555, "/healthcheck"),
}
SEEN = {  # roles that touch a file while they work (config/pulse.py), each with the age in seconds that is too much
    "worker": 30,
    "beat": 60,
}


def role_of_container() -> str:
    """Read off the first process: the command it was started with, or the title that the running role gave itself."""
    line = Path("/proc/1/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    line = line.replace("config.asgi:application", "events").replace("config.wsgi:application", "web")
    words = re.findall(r"\w+", line)
    return next((word for word in words if word in ASKED or word in SEEN), "web")


def fault(role: str) -> str | None:
    """What is amiss with ``role``, or None."""
    if role in SEEN:
        try:
            age = time.time() - Path(os.environ["ATRIUM_PULSE"]).stat().st_mtime
        except FileNotFoundError:
            return "has not begun to work"
        return f"did nothing for {age:.0f} s" if age > SEEN[role] else None
    port, path = ASKED[role]
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {error!r}"
    # Below 500 it lives: 400 only says that 127.0.0.1 is none of ALLOWED_HOSTS.
    return f"answers {status}" if status >= 500 else None


def main() -> int:
    role = sys.argv[1] if len(sys.argv) > 1 else role_of_container()
    if role not in ASKED and role not in SEEN:
        print(f"healthcheck: there is no role {role!r}")
        return 2
    problem = fault(role)
    print(f"{role} {problem or 'is well'}")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
