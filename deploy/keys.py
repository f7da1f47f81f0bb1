"""Create the missing keys and passwords of an installation: the first step of the compose file.

Atrium reads ``ATRIUM_HOME/env``. ``/srv/keys/db`` and ``/srv/keys/s3`` hold the secret that Postgres and the S3 server
need. An existing key is never changed, so this may run at every start.
"""

import os
import secrets
from pathlib import Path

HOME = Path(os.environ.get("ATRIUM_HOME", "/var/lib/atrium"))
KEYS = Path(os.environ.get("ATRIUM_KEYS", "/srv/keys"))


def read(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def write(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, readable only by its owner."""
    draft = path.with_name(f".{path.name}.new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def main() -> None:
    env = read(HOME / "env")
    before = set(env)
    password = KEYS / "db" / "password"
    if not password.exists():
        write(password, secrets.token_urlsafe(32))
    env.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    env.setdefault("JWT_SIGNING_KEY", secrets.token_urlsafe(48))
    env.setdefault("ENCRYPTION_KEY", secrets.token_urlsafe(48))
    env.setdefault("DATABASE_URL", f"postgresql://atrium:{password.read_text()}@db:5432/atrium")
    env.setdefault("FLOWER_BASIC_AUTH", f"flower:{secrets.token_urlsafe(24)}")
    env.setdefault("AWS_ACCESS_KEY_ID", "atrium" + secrets.token_hex(7))
    env.setdefault("AWS_SECRET_ACCESS_KEY", secrets.token_hex(20))
    write(
        KEYS / "s3" / "env",
        f"export ROOT_ACCESS_KEY={env['AWS_ACCESS_KEY_ID']}\nexport ROOT_SECRET_KEY={env['AWS_SECRET_ACCESS_KEY']}\n",
    )
    write(HOME / "env", "".join(f"{name}={value}\n" for name, value in env.items()))
    made = ", ".join(name for name in env if name not in before)
    print(f"keys: created {made}" if made else "keys: nothing to create")


if __name__ == "__main__":
    main()
