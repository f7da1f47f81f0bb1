"""Check the role of this container: exit with 0 if it works, otherwise print the problem and exit with 1.

``healthcheck.py [ROLE]``; the default is the role of the container's first process. It uses only the standard library,
because it runs every few seconds in every container.
"""

import http.client
import os
import re
import sys
import time
from pathlib import Path

HTTP_ROLES = {  # roles that answer HTTP: port and path
    "front": (int(os.environ.get("PORT") or 8000), "/healthz/"),
    "web": (int(os.environ.get("WEB_PORT") or 8002), "/healthz/"),
    "events": (int(os.environ.get("EVENTS_PORT") or 8001), "/healthz/"),
    "flower": (5555, "/healthcheck"),
}
MAX_AGE = {  # roles that touch a liveness file (config/jobs/liveness.py): its highest age in seconds
    "worker": 30,
    "webhooks": 30,
    "beat": 60,
}


def role_of_container() -> str:
    """Return the role of the first process, from its command line or its process title."""
    line = Path("/proc/1/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    for title, role in (("asgi:application", " events "), ("buffering:application", " web "), ("caddy run", " front ")):
        line = line.replace(title, role)
    words = re.findall(r"\w+", line)
    return next((word for word in words if word in HTTP_ROLES or word in MAX_AGE), "web")


def find_problem(role: str) -> str | None:
    """Return the problem of ``role``, or None."""
    if role in MAX_AGE:
        try:
            age = time.time() - Path(os.environ["ATRIUM_LIVENESS_FILE"]).stat().st_mtime
        except FileNotFoundError:
            return "has not started"
        return f"was not active for {age:.0f} s" if age > MAX_AGE[role] else None
    port, path = HTTP_ROLES[role]
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {error!r}"
    # Below 500 it is alive: 400 only means that 127.0.0.1 is not in ALLOWED_HOSTS.
    # The front answers 503 while the web process is down, and is alive.
    return f"answers {status}" if status >= 500 and role != "front" else None


def main() -> int:
    role = sys.argv[1] if len(sys.argv) > 1 else role_of_container()
    if role not in HTTP_ROLES and role not in MAX_AGE:
        print(f"healthcheck: unknown role {role!r}")
        return 2
    problem = find_problem(role)
    print(f"{role} {problem or 'is healthy'}")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
