"""The typed client is built from the current schema and source, is small, and passes its own tests."""

import gzip
import json
import re
import shutil
from pathlib import Path

import pytest

from ..api.routes import schema
from ..places import ROOT
from .package import PACKAGE, run

VENDORED = ROOT / "config" / "static" / "atrium" / "client.js"
REBUILD = "Run bin/build-client and commit clients/typescript/src/schema.ts and config/static/atrium/client.js."
LIMIT = 12_000  # bytes, compressed
# Scripts of pages that send requests without the client: to addresses outside the API.
OWN_REQUESTS = {
    "config/static/atrium/fields.js": "forms with a password",
    "config/static/atrium/site.js": "data of pages outside the API",
    "trends/static/trends/page.js": "its own HTML after an import",
}
REQUEST = re.compile(r"(?<![.#\w])(?<!async )fetch\(|\bXMLHttpRequest\b|\bsendBeacon\b")


def test_the_types_are_those_of_the_schema(package: Path) -> None:
    (package / "schema.json").write_text(json.dumps(schema()))
    run(package, "node", "scripts/generate.mjs", "schema.json", "generated.ts")
    same = (package / "generated.ts").read_text() == (PACKAGE / "src" / "schema.ts").read_text()
    assert same, f"The API's schema has changed. {REBUILD}"


def test_the_module_of_the_site_is_built_from_the_source_and_small(package: Path) -> None:
    run(package, "node", "scripts/bundle.mjs", "client.js")
    built = (package / "client.js").read_bytes()
    assert built == VENDORED.read_bytes(), f"The client's source has changed. {REBUILD}"
    assert len(gzip.compress(built)) < LIMIT


def test_pages_call_the_api_only_with_the_client() -> None:
    scripts = [file for file in ROOT.glob("*/static/**/*.js") if file != VENDORED and "vendor" not in file.parts]
    found = {str(file.relative_to(ROOT)) for file in scripts if REQUEST.search(file.read_text())}
    assert found == set(OWN_REQUESTS), "Call the API with `atrium` of config/static/atrium/site.js."


def test_the_package_has_one_dependency_and_locks_its_tools(package: Path) -> None:
    assert list(json.loads((package / "package.json").read_text())["dependencies"]) == ["openapi-fetch"]
    lock = json.loads((package / "package-lock.json").read_text())["packages"]
    assert all(entry["integrity"].startswith("sha512-") for name, entry in lock.items() if name)


def test_requests_sessions_and_events_survive_faults() -> None:
    """Node's own runner, against a server with scripted faults."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    run(PACKAGE, "node", "--test", *sorted((PACKAGE / "test").glob("*.test.mjs")))
