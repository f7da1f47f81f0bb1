"""``bin/postman``: run the whole collection with newman against a private product."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..places import ROOT, free_port
from .product import Product

FOLDER = ROOT / "docs" / "postman"


def main() -> int:
    newman = shutil.which("newman")
    npx = shutil.which("npx")
    if not newman and not npx:
        print("newman needs Node.js: install nodejs and npm, then run this again.", file=sys.stderr)
        return 2
    command = [newman] if newman else [npx or "", "--yes", "newman@6"]
    with tempfile.TemporaryDirectory(prefix="atrium-postman-") as folder:
        product = Product(Path(folder) / "home", free_port(), EVENTS_PORT=str(free_port()), WEB_PORT=str(free_port()))
        try:
            product.start()
            staff, friend, *_ = json.loads(product.manage("demo", "--json"))
            values = {
                "base_url": product.url,
                "login": staff["login"],
                "password": staff["password"],
                "friend": friend["usercode"],
            }
            return subprocess.run(
                [
                    *command, "run", str(FOLDER / "atrium.postman_collection.json"),
                    "--environment", str(FOLDER / "atrium.postman_environment.json"),
                    "--working-dir", str(FOLDER), "--timeout-request", "30000",
                    *(part for key, value in values.items() for part in ("--env-var", f"{key}={value}")),
                    *sys.argv[1:],
                ],
                check=False,
            ).returncode  # fmt: skip
        finally:
            product.stop()


if __name__ == "__main__":
    sys.exit(main())
