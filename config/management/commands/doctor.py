from typing import Any

from django.core.management.base import BaseCommand

from config.dashboard import checks


class Command(BaseCommand):
    help = "Check everything that Atrium needs. Prints one line per check; the exit code is 1 if a check fails."
    requires_system_checks = ()
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        results = checks.run_all()
        for result in results:
            status = self.style.SUCCESS("ok  ") if result.ok else self.style.ERROR("FAIL")
            self.stdout.write(f"{status}  {result.name:<12} {result.text}")
        if failed := sum(not result.ok for result in results):
            self.stderr.write(f"{failed} of {len(results)} checks failed.")
            raise SystemExit(1)
