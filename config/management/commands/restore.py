import tempfile
from pathlib import Path
from typing import Any

from django.core.files.storage import storages
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.ops import archives, backup


class Command(BaseCommand):
    help = "Replace the current database and files by a backup. Stop web, events, worker and beat first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "backup", help="A folder that the backup command wrote, an archive, or the name of a scheduled backup."
        )
        parser.add_argument("--identity", type=Path, help="The file with the private key of age, if it is encrypted.")
        parser.add_argument("--yes", action="store_true", help="Do not ask for confirmation.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"]:
            try:
                answer = input("This replaces the current database. Type 'restore' to continue: ")
            except EOFError:  # not a terminal
                answer = ""
            if answer.strip() != "restore":
                raise CommandError("Nothing was changed.")
        with tempfile.TemporaryDirectory() as folder:
            about = backup.restore(self._find(options["backup"], options["identity"], Path(folder)))
        self.stdout.write(f"Restored the backup of {about['made_at']}. Run manage.py migrate, then start Atrium.")

    @staticmethod
    def _find(name: str, identity: Path | None, folder: Path) -> Path:
        """Return the folder of the backup, unpacked below ``folder`` if it is an archive."""
        path = Path(name).absolute()
        if path.is_dir() or not name.endswith((archives.PLAIN, archives.ENCRYPTED)):
            return path
        if not path.exists():
            if not storages["backups"].exists(name):
                raise CommandError(f"There is neither a file nor a scheduled backup called {name}.")
            path = folder / name
            with storages["backups"].open(name) as stored, path.open("wb") as copy:
                for chunk in stored.chunks():
                    copy.write(chunk)
        archives.unpack(path, folder / "backup", identity)
        return folder / "backup"
