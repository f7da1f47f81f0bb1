import json
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

FILLED = ("notes", "messaging", "contacts", "trends")
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class Command(BaseCommand):
    help = (
        "Make a few people with passwords that are shown once, and notes, messages, contacts and trends for them. "
        "A second run sets new passwords and adds nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--production", action="store_true", help="Do it although PUBLIC_URL is not this machine.")
        parser.add_argument("--json", action="store_true", help="Print the accounts as JSON, for scripts.")

    def handle(self, *args: Any, **options: Any) -> None:
        if urlsplit(settings.PUBLIC_URL).hostname not in THIS_MACHINE and not options["production"]:
            raise CommandError(
                f"This site is {settings.PUBLIC_URL}, not this machine: demonstration accounts, one of them an "
                "administrator, do not belong there. Say --production if you mean it."
            )
        people, new = import_module("accounts.demo").people()
        made = [import_module(f"{app}.demo").fill([user for user, _ in people]) for app in FILLED] if new else []
        if options["json"]:
            accounts = [
                {"login": u.username, "password": p, "usercode": u.usercode, "staff": u.is_staff} for u, p in people
            ]
            self.stdout.write(json.dumps(accounts))
            return
        self.stdout.write(
            "\n".join(["Made " + "; ".join(made) + ".", ""]) if made else "The demo's rows are there already.\n"
        )
        self.stdout.write("Sign in with these; the passwords are not shown again:\n")
        for user, password in people:
            role = ", member of staff" if user.is_staff else ""
            self.stdout.write(f"  {user.username:<5} {password}   (usercode {user.usercode}{role})")
