"""Workbooks of other projects: each gets an answer, in time, and every row of it is counted.

WORKBOOKS names a folder with the files; CONTRIBUTING.md says where such files are published. They are not part of this
repository since their licences differ.
"""

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from contacts.files.header import key_of
from contacts.services.importing import import_due
from tests.conftest import Client

from .conftest import URL, code_of
from .workbooks import upload_of

SECONDS = 5 * float(os.environ.get("SLOWER", "1"))
COMPLETED = ("completed", "completed_with_errors")
FOLDER = os.environ.get("WORKBOOKS", "")


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.django_db
@pytest.mark.skipif(not FOLDER, reason="WORKBOOKS names no folder with workbooks (see CONTRIBUTING.md)")
def test_workbooks_of_other_projects_get_an_answer_in_time(
    api: Client, user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    slowest = (0.0, "")
    files = sorted(path for path in Path(FOLDER).rglob("*") if path.is_file())
    api.as_user(user).post(f"{URL}uploads/", {"file": upload_of(b"")}, format="multipart")  # reads the schema once
    for path in files:
        content = path.read_bytes()
        client = api.as_user(user)  # an access token expires after ten minutes
        dry_run = {"file": upload_of(content, path.name), "dry_run": "true"}
        began = time.monotonic()
        tried = client.post(f"{URL}uploads/", dry_run, format="multipart")
        middle = time.monotonic()
        upload = {"file": upload_of(content, path.name), **mapping_of(tried)}
        answer = client.post(f"{URL}uploads/", upload, format="multipart")
        ended = time.monotonic()
        slowest = max(slowest, (middle - began, path.name), (ended - middle, path.name))
        statuses = {tried.status_code, answer.status_code}
        if max(middle - began, ended - middle) > SECONDS or not statuses <= {200, 202, 400}:
            faults.append(
                f"{path}: {tried.status_code} in {middle - began:.1f} s, {answer.status_code} in {ended - middle:.1f} s"
            )
        outcomes[f"dry run: {outcome_of(tried)}"] += 1
        outcomes[f"upload: {outcome_of(answer)}"] += 1
        if answer.status_code == 202:
            import_due()
            upload = client.get(f"{URL}uploads/{answer.json()['id']}/").json()
            if upload["status"] not in COMPLETED or upload["total_rows"] != sum(
                map(upload.get, ("accepted", "deferred", "rejected"))
            ):
                faults.append(f"{path}: {upload}")
    with capsys.disabled():
        print(f"\n{len(files)} files, the slowest answer after {slowest[0]:.1f} s ({slowest[1]})")
        print(*(f"{number:6} {outcome}" for outcome, number in sorted(outcomes.items())), sep="\n")
    assert files
    assert faults == []


def mapping_of(report: Any) -> dict[str, str]:
    """Return a mapping of the first columns that a dry run has found, so that the rows of any file are imported."""
    columns = report.json()["columns"] if report.status_code == 200 else []
    keys = Counter(map(key_of, columns))
    titles = [title for title in columns if keys[key_of(title)] == 1 and title.strip()][:3]
    fields = dict(zip(("phone_number", "email_address", "name"), titles, strict=False))
    return {"mapping": json.dumps(fields)} if fields else {}


def outcome_of(answer: Any) -> str:
    """Return the status code and, of a refusal, its code."""
    status = answer.status_code
    return str(status) if status < 400 else f"{status} {code_of(answer)}"
