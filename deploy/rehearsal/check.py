"""The steps of bin/check-deploy: what this machine can check about the delivery, one line for each step."""

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import image, manifests, monitoring, packages
from .engine import IMAGE, ROOT, Engine, Skipped, missing_tools
from .rehearsal import CHECKS as REHEARSAL
from .rehearsal import Compose

_engine: Engine | None = None


def engine() -> Engine:
    """Return the engine with the image built, once for all steps."""
    global _engine
    if _engine is None:
        started = Engine()
        started.build(folder=".", tag=IMAGE)
        _engine = started
    return _engine


def say(what: str, result: str) -> None:
    print(f"  {what}: {result}", flush=True)


def command(*words: str) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return (done.stdout + done.stderr).strip()


def compose() -> None:
    """Check that the file matches the specification and holds no secret and no fixed container name."""
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    say("specification", command(checker, "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"))
    say("workflow", command(checker, "--builtin-schema", "vendor.github-workflows", ".github/workflows/ci.yml"))
    resolved = command(sys.executable, "-m", "podman_compose", "config")
    assert "container_name" not in resolved, "a service with a fixed name cannot be scaled"
    for name, value in re.findall(r"(\w*(?:PASSWORD|SECRET|KEY|TOKEN)\w*): (.+)", resolved):
        assert value.startswith("/run/"), f"{name} is a secret in the file"
    say("resolved", "no secret, no fixed name")


def units() -> None:
    """Check that systemd reads the units without a warning, and rate their exposure."""
    missing_tools("systemd-analyze")
    with tempfile.TemporaryDirectory() as folder:
        for unit in (ROOT / "deploy/systemd").iterdir():
            text = unit.read_text().replace("/opt/atrium/.venv/bin/python", sys.executable)
            Path(folder, unit.name.replace("@.", "@web.")).write_text(text)
        complaints = command("systemd-analyze", "verify", *map(str, sorted(Path(folder).iterdir())))
        # Only lines about these units: the machine's own units may have problems.
        assert "atrium" not in complaints, complaints
        say("verify", "no complaint")
        rating = command("systemd-analyze", "security", "--offline=true", str(Path(folder, "atrium@web.service")))
        level = re.search(r"exposure level.*?: ([\d.]+) (\w+)", rating)
        assert level is not None and float(level[1]) < 2.5, rating
        say("exposure", f"{level[1]} of 10 ({level[2]})")


def proxy() -> None:
    """Check that nginx accepts both examples, with a certificate created for this test."""
    missing_tools("nginx", "openssl")
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "privkey.pem"), Path(folder, "fullchain.pem")
        command(
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=atrium.example.org",
            "-keyout", str(key), "-out", str(certificate),
        )  # fmt: skip
        for name in ("atrium", "balancer"):
            site = (ROOT / f"deploy/nginx/{name}.conf").read_text()
            site = site.replace("/etc/letsencrypt/live/atrium.example.org", folder).replace("/var/log/nginx", folder)
            site = re.sub(r"\w+\.internal", "127.0.0.1", site)  # nginx resolves the names of hosts when it starts
            whole = Path(folder, "nginx.conf")
            whole.write_text(f"pid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{site}\n}}\n")
            command("nginx", "-t", "-q", "-e", "stderr", "-p", folder, "-c", str(whole))
    say("nginx -t", "accepted")


def kubernetes() -> None:
    """Check the manifests against the published schemas and against each other."""
    for check in manifests.CHECKS:
        say(check.__name__.replace("_", " "), check())


def monitoring_step() -> None:
    """Check the Prometheus rules with their tests. Debian's package prometheus contains promtool."""
    missing_tools("promtool")
    for check in monitoring.CHECKS:
        say(check.__name__.replace("_", " "), check())


def packages_step() -> None:
    """Check vulnerabilities and licences of the locked packages, and write the SBOM."""
    for check in packages.CHECKS:
        say(check.__name__.replace("_", " "), check())


def image_step() -> None:
    """Build the image and check what docs/operations.md says about it."""
    began = time.monotonic()
    built = engine()
    say("built", f"in {time.monotonic() - began:.0f} s, {image.size(built)}")
    built.require_containers("--network", "none")
    for check in (*image.CHECKS, packages.contains_what_the_sbom_lists):
        say(check.__name__.replace("_", " "), check(built))


def rehearsal() -> None:
    """Start the compose file from nothing, use it, stop it and start it again."""
    whole = Compose(engine())
    whole.remove(volumes=True)
    try:
        whole.require_network()
        whole.build_stand_ins()
        for check in REHEARSAL:
            say(check.__name__.replace("_", " "), check(whole))
    finally:
        whole.remove(volumes=True)


STEPS: dict[str, Callable[[], None]] = {
    "compose": compose,
    "units": units,
    "proxy": proxy,
    "kubernetes": kubernetes,
    "monitoring": monitoring_step,
    "packages": packages_step,
    "image": image_step,
    "rehearsal": rehearsal,
}


def main() -> int:
    chosen = sys.argv[1:] or list(STEPS)
    if unknown := [name for name in chosen if name not in STEPS]:
        print(f"usage: bin/check-deploy [{'] ['.join(STEPS)}]; there is no step {unknown[0]}")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no container is left behind
    failed = []
    for name in chosen:
        print(name, flush=True)
        try:
            STEPS[name]()
        except Skipped as reason:
            say("skipped", str(reason))
        except (AssertionError, subprocess.TimeoutExpired) as fault:
            failed.append(name)
            say("FAILED", str(fault))
    if _engine is not None:
        _engine.close()
    print(f"check-deploy: {'failed: ' + ', '.join(failed) if failed else 'no problem found'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
