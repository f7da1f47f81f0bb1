import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.ops import postman

FOLDER = settings.BASE_DIR / "docs" / "postman"
FILES = {
    FOLDER / "atrium.postman_collection.json": postman.collection,
    FOLDER / "atrium.postman_environment.json": postman.environment,
}


def rendered(path: Path) -> str:
    return json.dumps(FILES[path](), indent=2, ensure_ascii=False) + "\n"


class Command(BaseCommand):
    help = "Write the Postman collection and environment to docs/postman/, generated from the OpenAPI schema."

    def handle(self, *args: Any, **options: Any) -> None:
        for path in FILES:
            path.write_text(rendered(path), encoding="utf-8")
            self.stdout.write(f"{path.relative_to(settings.BASE_DIR)} written")
