from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import backup


class Command(BaseCommand):
    help = "Put a backup in the place of the present database and files. Stop web, events, worker and beat before."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--yes", action="store_true", help="Do not ask whether the present data may go.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"]:
            try:
                answer = input("This replaces the present database. Type 'restore' to go on: ")
            except EOFError:  # nobody is there to be asked
                answer = ""
            if answer.strip() != "restore":
                raise CommandError("Nothing was changed.")
        about = backup.restore(options["folder"].absolute())
        self.stdout.write(f"Restored the backup of {about['made_at']}. Run manage.py migrate, then start again.")
