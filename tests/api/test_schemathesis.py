"""Schemathesis finds nothing: examples, boundary values and fuzzing, as nobody, as a user and as staff.

It calls a running product over HTTP. test_description.py sends a few generated requests to each operation in every run.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..faults.conftest import build_stack, migrated_database, stack  # noqa: F401
from ..faults.stack import Stack

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# These end the session or the account that all other requests need.
ENDS_THE_SESSION = (
    "/api/v1/auth/account/",
    "/api/v1/auth/change-password/",
    "/api/v1/auth/logout-all/",
    "/api/v1/auth/sessions/{id}/",
)
EVENTS = "/api/v1/events/"  # redirects to the events process, which the schema does not describe
ROLES = {"nobody": None, "user": False, "staff": True}
SIGN_IN = """
from datetime import timedelta
from rest_framework_simplejwt.tokens import AccessToken
AccessToken.lifetime = timedelta(hours=2)
from accounts import tokens
from accounts.models import User
user = User.objects.exclude(is_superuser=True).first()
user.is_staff = user.is_superuser = {staff}
user.save()
print(tokens.start_session(user=user, ip="127.0.0.1", user_agent="schemathesis")[1])
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("role", ROLES)
def test_schemathesis_finds_nothing(
    stack: Stack,  # noqa: F811
    tmp_path: Path,
    role: str,
) -> None:
    stack.start("web")
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{stack.url}/schema/?format=json",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "1", "--workers", "2",
        "--checks", ",".join(CHECKS), "--continue-on-failure", "--no-shrink", "--request-timeout", "60",
        "--suppress-health-check", "all", "--warnings", "off", "--exclude-path", EVENTS,
        "--report", "json", "--report-json-path", str(tmp_path / "report.json"),
    ]  # fmt: skip
    if (staff := ROLES[role]) is not None:
        stack.manage("demo")
        access = stack.manage("shell", "--no-imports", "-c", SIGN_IN.format(staff=staff)).split()[-1]
        command += ["--header", f"Authorization: Bearer {access}"]
        command += [part for path in ENDS_THE_SESSION for part in ("--exclude-path", path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    operations = json.loads((tmp_path / "report.json").read_text())["operations"]
    assert (operations["tested"], operations["errored"]) == (operations["selected"], 0)
    assert operations["selected"] > 100
