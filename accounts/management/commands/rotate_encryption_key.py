from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services.factors import setup
from config.encryption import UnknownKey


class Command(BaseCommand):
    help = "Encrypt all stored secrets with the current ENCRYPTION_KEY. Then the old keys can be removed."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = setup.rotate_secrets()
        except UnknownKey as error:
            raise CommandError(f"{error} Add the key that encrypted it to ENCRYPTION_KEY_FALLBACKS.") from error
        self.stdout.write(f"Secrets encrypted with the current key: {count}.")
