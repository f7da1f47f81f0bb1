"""A folder with the generated clients, and a running product for them."""

import base64
import json
import os
import shutil
import subprocess
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..api.routes import schema
from ..browser.conftest import browser
from ..e2e.product import Product
from ..places import ROOT, free_port
from .node import node_modules
from .package import PACKAGE
from .package import run as run_program
from .site import Site

__all__ = ["browser"]  # a fixture of these tests too

HERE = Path(__file__).parent
Run = Callable[..., None]
# openapi-typescript requires members with a default otherwise, in requests too.
OPTIONAL_DEFAULTS = "--default-non-nullable=false"


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the schema, the configuration of the generators and the walks."""
    folder = tmp_path_factory.mktemp("clients")
    shutil.copytree(HERE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.pyc", "__pycache__"))
    (folder / "schema.json").write_text(json.dumps(schema()))
    return folder


@pytest.fixture(scope="session")
def run(workspace: Path) -> Run:
    """Run a program in the workspace; raises AssertionError with its output if it fails."""

    def run_in_workspace(program: str | Path, *arguments: str, **environment: str) -> None:
        done = subprocess.run(
            [str(program), *arguments], cwd=workspace, env={**os.environ, **environment}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{program} {' '.join(arguments)}\n{done.stdout[-6000:]}"

    return run_in_workspace


@pytest.fixture(scope="session")
def programs(workspace: Path) -> Path:
    """Install ``package.json`` and return the folder of its programs; ATRIUM_NODE_MODULES names an installed folder."""
    (workspace / "node_modules").symlink_to(os.environ.get("ATRIUM_NODE_MODULES") or node_modules(HERE))
    return workspace / "node_modules" / ".bin"


@pytest.fixture(scope="session")
def typescript_clients(programs: Path, run: Run) -> None:
    """Generate the three TypeScript clients in ``out/``."""
    run(programs / "openapi-typescript", "schema.json", "-o", "out/openapi-typescript/schema.d.ts", OPTIONAL_DEFAULTS)
    run(programs / "openapi-ts", "-f", "hey-api.config.mjs")
    run(programs / "orval", "--config", "orval.config.js")


@pytest.fixture(scope="session")
def python_client(workspace: Path, run: Run) -> Path:
    """Generate ``atrium_client`` and return a Python that can import it.

    The generator has an environment of its own, so that its requirements do not limit those of the project.
    """
    environment = workspace / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "-r", "requirements.txt"]
    if subprocess.run(install, cwd=workspace, check=False).returncode:
        pytest.skip("pip cannot install openapi-python-client here")
    generator = str(environment / "bin" / "openapi-python-client")
    run(generator, "generate", "--path", "schema.json", "--meta", "none", "--output-path", "out/python/atrium_client")
    return python


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A running product for all walks."""
    ports = {"EVENTS_PORT": str(free_port()), "WEB_PORT": str(free_port())}
    product = Product(tmp_path_factory.mktemp("product") / "home", free_port(), **ports)
    try:
        product.start()
        yield product
        product.stop()
    finally:
        for process in product.processes():
            process.kill()


@pytest.fixture(scope="session")
def walk_settings(product: Product) -> Callable[[str], dict[str, str]]:
    """Return what a walk needs as environment: the site, an account with demo data, and a sheet of contacts."""
    account, friend, *_ = json.loads(product.manage("demo", "--json"))
    sheet = base64.b64encode((ROOT / "tests" / "data" / "contacts_sample.xlsx").read_bytes()).decode()
    given = {"url": product.url, "account": account, "friend": friend["usercode"], "sheet": sheet}
    return lambda name: {"ATRIUM_WALK": json.dumps({**given, "name": name}), "PYTHONPATH": "out/python"}


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with its tools."""
    installed = node_modules(PACKAGE)
    folder = tmp_path_factory.mktemp("package") / "typescript"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (folder / "node_modules").symlink_to(installed)
    return folder


@pytest.fixture(scope="session")
def project(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty project that has installed the packed client."""
    run_program(package, "npm", "pack", "--pack-destination", ".")
    folder = tmp_path_factory.mktemp("project")
    (folder / "package.json").write_text(json.dumps({"name": "empty", "private": True, "type": "module"}))
    installed = folder / "node_modules"
    shutil.unpack_archive(next(package.glob("*.tgz")), folder, "gztar")
    installed.mkdir()
    (installed / "@atrium").mkdir()
    (folder / "package").rename(installed / "@atrium" / "client")
    # What npm would fetch, from the packages that are installed for the client itself.
    for name in ("openapi-fetch", "openapi-typescript-helpers", "typescript", "@types/node", "undici-types"):
        target = installed / name
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(node_modules(PACKAGE) / name)
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running product whose processes a test can kill, for all tests of the typed client."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()
