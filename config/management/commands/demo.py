import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

APPS = ("notes", "messaging", "contacts", "trends")
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


@contextmanager
def _without_log() -> Iterator[None]:
    """Log only warnings, because the log goes to the same place as the output."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


class Command(BaseCommand):
    help = (
        "Create demo accounts with notes, messages, contacts and trends, and print their passwords. "
        "A second run creates nothing and sets new passwords."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--production", action="store_true", help="Run although PUBLIC_URL is not this machine.")
        parser.add_argument("--json", action="store_true", help="Print the accounts as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if urlsplit(settings.PUBLIC_URL).hostname not in LOCAL_HOSTS and not options["production"]:
            raise CommandError(
                f"PUBLIC_URL is {settings.PUBLIC_URL}, not this machine. Demo accounts do not belong on a public site: "
                "one of them is an administrator. Use --production to create them anyway."
            )
        people, is_new = import_module("accounts.demo").people()
        users = [user for user, _ in people]
        with _without_log():
            created = [import_module(f"{app}.demo").fill(users) for app in APPS] if is_new else []
        if options["json"]:
            accounts = [
                {"login": u.username, "email": u.email, "password": p, "usercode": u.usercode, "staff": u.is_staff}
                for u, p in people
            ]
            self.stdout.write(json.dumps(accounts))
            return
        self.stdout.write(f"Created: {'; '.join(created)}." if is_new else "The demo data already exists.")
        self.stdout.write(f"\nSign in at {settings.PUBLIC_URL}/login/. The passwords are shown only now:\n")
        self.stdout.write(f"  {'username':<10}{'e-mail':<26}{'password':<24}{'usercode':<10}role")
        for user, password in people:
            role = "staff" if user.is_staff else "user"
            self.stdout.write(f"  {user.username:<10}{user.email:<26}{password:<24}{user.usercode:<10}{role}")
