"""Checks of the built image."""

import json
import secrets

from .engine import IMAGE, Engine

PRODUCTION = [
    "--env", f"SECRET_KEY={secrets.token_urlsafe(48)}",
    "--env", f"JWT_SIGNING_KEY={secrets.token_urlsafe(48)}",
    "--env", "PUBLIC_URL=https://atrium.example.org",
    "--env", "ALLOWED_HOSTS=atrium.example.org",
    "--env", "TRUSTED_PROXIES=1",
    "--env", "MFA_REQUIRED=staff",
]  # fmt: skip

IMPORTS = """
import importlib, pkgutil, django
django.setup()
names = ["config", "accounts", "notes", "messaging", "contacts", "trends"]
for name in names:
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        if ".launcher" not in module.name and not module.name.endswith(("processes", "commands.up")):
            importlib.import_module(module.name)
import flower, psycopg2, PIL, xlsxwriter, storages
"""


def runs_as_nobody_special(engine: Engine) -> str:
    described = json.loads(engine("podman", "image", "inspect", IMAGE).stdout)[0]
    settings = described["Config"]
    assert settings["User"] == "10001:10001", settings["User"]
    assert settings["StopSignal"] == "SIGTERM"
    assert described["Healthcheck"]["Test"][0] == "CMD"
    assert engine.run("id -u").stdout.strip() == "10001"
    # The product must not be able to change itself, even on a writable file system.
    engine.run("! touch /srv/atrium/x && ! touch /opt/venv/x && touch /var/lib/atrium/x", "--read-only=false")
    return "user 10001, who may change nothing of the product"


def holds_no_secret(engine: Engine) -> str:
    settings = json.loads(engine("podman", "image", "inspect", IMAGE).stdout)[0]["Config"]
    named = [name for name in settings["Env"] if any(word in name for word in ("SECRET", "KEY", "PASSWORD", "TOKEN"))]
    assert named == [], named
    found = engine.run(
        "find / -xdev \\( ! -readable -o -path /opt/venv/lib \\) -prune -o "
        r"\( -name .env -o -name '.git' -o -name '*.key' -o -name '.netrc' -o -path '/srv/*/tests' \) -print; "
        "find /etc/pip* -size +0 2>/dev/null; find /var/lib/atrium /srv/keys -type f"
    ).stdout.split()
    assert found == [], found
    return "no key, no .env, no history, no way to the package index"


def has_no_tools_left(engine: Engine) -> str:
    engine.run("! command -v pip && ! command -v gcc && ! command -v git && ! python -m pip 2>/dev/null")
    return "no pip, no compiler"


def can_make_backups(engine: Engine) -> str:
    engine.run("pg_restore --version >/dev/null")
    return engine.run("pg_dump --version").stdout.strip()


def imports_everything(engine: Engine) -> str:
    engine.run(f"python - <<'END'\n{IMPORTS}\nEND", "--env", "DJANGO_SETTINGS_MODULE=config.settings", *PRODUCTION)
    return "every module of the six packages"


def passes_djangos_deploy_check(engine: Engine) -> str:
    done = engine.run("python manage.py check --deploy --fail-level WARNING", *PRODUCTION)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def refuses_to_start_without_keys(engine: Engine) -> str:
    done = engine.run("python manage.py check", check=False)
    assert done.returncode != 0
    assert "SECRET_KEY must be" in done.stderr, done.stderr
    return "says what is missing"


CHECKS = [
    runs_as_nobody_special,
    holds_no_secret,
    has_no_tools_left,
    can_make_backups,
    imports_everything,
    passes_djangos_deploy_check,
    refuses_to_start_without_keys,
]


def size(engine: Engine) -> str:
    """Return the size of the whole image and of the layers above the base, in MB."""

    def of(name: str) -> float:
        return int(engine("podman", "image", "inspect", "--format", "{{.Size}}", name).stdout) / 1e6

    return f"{of(IMAGE):.0f} MB, {of(IMAGE) - of(engine.base()):.0f} MB of them above the base"
