from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config import backup


class Command(BaseCommand):
    help = "Write the database and the local files into a new folder, while the service runs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="A folder that does not exist yet.")

    def handle(self, *args: Any, **options: Any) -> None:
        about = backup.make(options["folder"].absolute())
        self.stdout.write(f"{options['folder']}: {about['database_bytes']} bytes of database, files: {about['files']}.")
