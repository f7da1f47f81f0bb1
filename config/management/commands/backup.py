from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.ops import backup


class Command(BaseCommand):
    help = "Back up the database and the local files to a new folder. The service can keep running."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="A folder that does not exist yet.")

    def handle(self, *args: Any, **options: Any) -> None:
        about = backup.make(options["folder"].absolute())
        self.stdout.write(
            f"Backup written to {options['folder']}: database {about['database_bytes']} bytes, files: {about['files']}."
        )
