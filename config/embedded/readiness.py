"""Asking the web process whether everything is there."""

import http.client
import json
import os
from urllib.parse import urlsplit

from . import ports


def missing(port: int) -> list[str] | None:
    """The parts that ``/readyz/`` says are down, so none when all is well; None while nobody answers."""
    host = os.environ.get("HOST", ports.LOCALHOST)
    address = host if host.strip("0.:") else ports.LOCALHOST  # 0.0.0.0 and :: are every address, this one too
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        # By the name that users use, since ALLOWED_HOSTS may hold that one alone.
        connection.request("GET", "/readyz/", headers={"Host": urlsplit(os.environ["PUBLIC_URL"]).netloc})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if answer.status == 200:
        return []
    try:
        return [name for name, state in json.loads(body)["checks"].items() if state != "ok"]
    except (ValueError, KeyError, AttributeError):
        return [f"web (it answers {answer.status})"]
