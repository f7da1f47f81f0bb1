from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.services.factors import setup


class Command(BaseCommand):
    help = "Remove all second factors of a user who has lost them, and sign out the user's devices."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The username or the e-mail address.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.by_login(options["name"]).first()
        if user is None:
            raise CommandError(f"No account has the name {options['name']}.")
        if setup.reset(user=user):
            self.stdout.write(f"Removed the second factors of {user.username}. The user was notified by e-mail.")
        else:
            self.stdout.write(f"{user.username} has no second factor. Nothing was changed.")
