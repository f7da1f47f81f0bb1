"""buildah and podman with a separate storage, for machines without access to an image registry."""

import configparser
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atrium-check"
BASE = "localhost/atrium-base:trixie"
IMAGE = "localhost/atrium:latest"
TOOLS = ("buildah", "podman", "runc", "catatonit")


class Skipped(Exception):
    """This machine cannot run the step; the text names what is missing."""


def missing_tools(*names: str) -> None:
    """Raise Skipped with the names of the programs that are not installed."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise Skipped(f"needs {', '.join(missing)}")


class Engine:
    """Builds images and runs containers; all its data is under ``CACHE``."""

    def __init__(self) -> None:
        missing_tools(*TOOLS)
        if os.geteuid() != 0:
            raise Skipped("needs root, as long as it is debootstrap that makes the base image")
        CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.work = Path(tempfile.mkdtemp(dir=CACHE))
        self.env = {**os.environ, **self._configuration()}
        if self("podman", "info", check=False).returncode:
            raise Skipped("podman does not work on this machine")

    def __call__(self, *command: str, check: bool = True, timeout: int = 300) -> subprocess.CompletedProcess[str]:
        """Run a command; with ``check``, a failure shows its output."""
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def _configuration(self) -> dict[str, str]:
        storage, containers = self.work / "storage.conf", self.work / "containers.conf"
        storage.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{CACHE}/storage"\nrunroot = "{CACHE}/run"\n')
        # runc: crun refuses machines with both versions of cgroups. Only limits that an unprivileged root may set.
        containers.write_text(
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            f'[network]\nnetwork_config_dir = "{CACHE}/networks"\n'
            '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\nlog_driver = "k8s-file"\n'
        )
        return {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(containers)}

    def base(self) -> str:
        """Return an image with Debian's Python in the place of docker.io/library/python, created once."""
        if self("buildah", "inspect", "--type", "image", BASE, check=False).returncode == 0:
            return BASE
        missing_tools("debootstrap")
        tree = self.work / "tree"
        packages = "--include=ca-certificates,python3,python3-venv"
        done = self("debootstrap", "--variant=minbase", packages, "trixie", str(tree), check=False, timeout=400)
        if done.returncode:
            raise Skipped("debootstrap could not reach Debian's packages")
        for leftovers in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(tree / leftovers)
        (tree / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        recipe = self.work / "Base"
        recipe.write_text("FROM scratch\nADD tree /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n")
        self("buildah", "bud", "--isolation", "chroot", "-t", BASE, "-f", str(recipe), str(self.work))
        shutil.rmtree(tree)
        return BASE

    def build(self, *, folder: str, tag: str, target: str | None = None) -> None:
        """Build the Dockerfile in ``folder`` on ``base()``, with this machine's access to the package index.

        The index and its certificate are mounted for the build and are no part of the image.
        """
        self(
            "buildah", "bud", "--quiet", "--layers", "--isolation", "chroot", "--format", "docker",
            "--build-arg", f"PYTHON_IMAGE={self.base()}", *self._pip_mounts(),
            *(["--target", target] if target else []), "--tag", tag, folder,
            timeout=600,
        )  # fmt: skip

    def require_containers(self, *options: str) -> None:
        """Raise Skipped unless this machine can run a container with these options."""
        done = self("podman", "run", "--rm", "--no-healthcheck", *options, "--entrypoint", "true", IMAGE, check=False)
        if done.returncode:
            raise Skipped(f"no container runs here with {' '.join(options)}: {done.stderr.strip().splitlines()[-1]}")

    def _pip_mounts(self) -> list[str]:
        listed = self(str(ROOT / ".venv/bin/python"), "-m", "pip", "config", "list").stdout.splitlines()
        options = {}
        for line in listed:
            key, _, value = line.partition("=")
            options[key.split(".")[-1]] = value.strip("'")  # the environment takes precedence, as in pip
        config = configparser.RawConfigParser()
        config["global"] = {k: v for k, v in options.items() if k in ("index-url", "proxy", "timeout")}
        mounts = []
        certificate = options.get("cert") or os.environ.get("SSL_CERT_FILE")
        if certificate and Path(certificate).is_file():
            config["global"]["cert"] = "/etc/pip-cert.pem"
            shutil.copy(certificate, self.work / "cert.pem")
            mounts = ["--volume", f"{self.work}/cert.pem:/etc/pip-cert.pem:ro"]
        with open(self.work / "pip.conf", "w") as file:
            config.write(file)
        return [*mounts, "--volume", f"{self.work}/pip.conf:/etc/pip.conf:ro"]

    def run(self, script: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shell script in a container of the image as the compose file does: read-only, without capabilities."""
        return self(
            "podman", "run", "--rm", "--no-healthcheck", "--network", "none", "--read-only", "--cap-drop", "all",
            "--security-opt", "no-new-privileges", *options, "--entrypoint", "sh", IMAGE, "-ec", script,
            check=check, timeout=120,
        )  # fmt: skip

    def close(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
