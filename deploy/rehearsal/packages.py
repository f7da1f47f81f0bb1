"""Checks of the packages that Atrium installs: known vulnerabilities, licences, and a list of the image's content.

``python -m deploy.rehearsal.packages`` writes docs/licences.md again, after a change of the requirements.
"""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

from .engine import ROOT, Engine

RUNTIME = ("requirements.txt", "requirements-up.txt", "requirements-monitoring.txt")
IN_THE_IMAGE = "requirements-monitoring.txt"  # contains requirements.txt
SBOM = ROOT / "reports/atrium-sbom.json"
LICENCES = ROOT / "docs/licences.md"
# Words of licences that allow to use, change and pass on the package. The LGPL asks that it can be replaced, which a
# Python package always can.
ALLOWED = ("MIT", "BSD", "Apache", "ISC", "PSF", "Python Software Foundation", "MPL", "Mozilla", "LGPL", "Unlicense")
# Packages that state their licence in their repository only.
STATED_ELSEWHERE = {"pyrage": "MIT"}
HEAD = """# Licences

Atrium is under the MIT licence. These are the packages that it installs to run, with the licences that they state.
Files of other projects inside Atrium are listed with their licences in the `README.md` of each `vendor` folder.
The icons of the admin are a part of Material Symbols (Apache-2.0).

`bin/check-deploy packages` fails if this list differs from the requirements, or if a licence does not allow to use,
change and pass on a package. `.venv/bin/python -m deploy.rehearsal.packages` writes it again.

| package | licence |
|---|---|
"""


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name(name))
    return subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)


def have_no_known_vulnerability() -> str:
    """Ask the advisory database about every locked version. Without the database the packages count as not checked."""
    done = tool("pip-audit", "--requirement", IN_THE_IMAGE, "--no-deps", "--disable-pip", "--format", "json")
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return f"not checked: {done.stderr.strip().splitlines()[-1][:200]}"
    found = [f"{each['name']} {each['version']}: {fault['id']}" for each in answers for fault in each.get("vulns", ())]
    assert found == [], found
    checked = [each["name"] for each in answers if "vulns" in each]
    missing = "" if len(checked) == len(answers) else "; the others are not in the database that can be reached"
    return f"{len(checked)} of {len(answers)} packages checked{missing}"


def required() -> set[str]:
    """Return the names of the runtime requirements, for every platform and Python version."""
    return {name for file in RUNTIME for name in re.findall(r"^([\w.-]+)==", (ROOT / file).read_text(), re.MULTILINE)}


def licences() -> dict[str, str]:
    """Return the licence of every runtime requirement that is installed here."""
    # With "system" packages: those that pip-licenses itself uses.
    done = tool("pip-licenses", "--from=mixed", "--with-system", "--format=csv", "--packages", *sorted(required()))
    assert done.returncode == 0, done.stderr
    found = {row["Name"]: row["License"] for row in csv.DictReader(io.StringIO(done.stdout))}
    return found | {name: licence for name, licence in STATED_ELSEWHERE.items() if found.get(name) == "UNKNOWN"}


def have_licences_that_allow_their_use() -> str:
    found, stated = licences(), written()
    refused = {name: licence for name, licence in found.items() if not any(word in licence for word in ALLOWED)}
    assert refused == {}, refused
    changed = {name: licence for name, licence in found.items() if stated.get(name) != licence}
    # Also of packages that another Python version needs, which are not installed here.
    difference = {plain(name) for name in required()} ^ {plain(name) for name in stated}
    assert not changed and not difference, f"{changed}, {difference}: run .venv/bin/python -m deploy.rehearsal.packages"
    return f"{len(stated)} packages, {len(found)} of them installed here"


def written() -> dict[str, str]:
    """Return the licences in docs/licences.md."""
    rows = dict(re.findall(r"^\| ([\w.-]+) \| (.+) \|$", LICENCES.read_text(), re.MULTILINE))
    del rows["package"]
    return rows


def write() -> None:
    """Write docs/licences.md. What another Python version needs keeps its row."""
    names = {plain(name) for name in required()}
    kept = {name: licence for name, licence in written().items() if plain(name) in names}
    rows = sorted((kept | licences()).items(), key=lambda each: plain(each[0]))
    LICENCES.write_text(HEAD + "".join(f"| {name} | {licence} |\n" for name, licence in rows))


def plain(name: str) -> str:
    """Return the normalised name of a package (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def are_listed_in_an_sbom() -> str:
    """Write the CycloneDX list of what the image contains."""
    SBOM.parent.mkdir(exist_ok=True)
    done = tool(
        "cyclonedx-py", "requirements", IN_THE_IMAGE, "--pyproject", "pyproject.toml",
        "--output-reproducible", "--output-file", str(SBOM),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return f"{len(listed())} components in {SBOM.relative_to(ROOT)}"


def listed() -> set[tuple[str, str]]:
    """Return the names and versions of the SBOM. A package can have one version for each Python version."""
    components = json.loads(SBOM.read_text())["components"]
    return {(plain(each["name"]), each["version"]) for each in components}


def contains_what_the_sbom_lists(engine: Engine) -> str:
    """Compare the packages of the image with the SBOM."""
    script = "import importlib.metadata as m; [print(d.name, d.version) for d in m.distributions()]"
    lines = [line.split() for line in engine.run(f'python -c "{script}"').stdout.splitlines()]
    installed = {(plain(name), version) for name, version in lines}
    are_listed_in_an_sbom()
    missing = installed - listed()
    assert not missing, missing
    return f"{len(installed)} packages, all in the SBOM"


CHECKS = (have_no_known_vulnerability, have_licences_that_allow_their_use, are_listed_in_an_sbom)

if __name__ == "__main__":
    write()
