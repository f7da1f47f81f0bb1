"""``manage.py up``: the same as ``bin/up``, without installing anything."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Start Atrium and everything it needs, until Ctrl-C. bin/up is this, after installing the requirements."

    def handle(self, *args: Any, **options: Any) -> None:
        os.execv(sys.executable, [sys.executable, "-m", "config.embedded"])
