"""What ``manage.py doctor`` says of rows that failed."""

import io

import pytest
from django.core.management import call_command
from django.db.models.functions import Now

from config.models import OutgoingMail
from trends.models import ImportRun

pytestmark = pytest.mark.django_db


def failed_rows() -> str:
    out = io.StringIO()
    with pytest.raises(SystemExit):  # no worker runs here, for one
        call_command("doctor", stdout=out, stderr=io.StringIO(), no_color=True)
    [line] = [line for line in out.getvalue().splitlines() if "failed rows" in line]
    return " ".join(line.split())


def test_a_mail_that_could_not_be_sent_is_a_failure() -> None:
    assert failed_rows() == "ok failed rows none in the last day"
    OutgoingMail.objects.create(to="maya@example.org", template="welcome", failed_at=Now())
    assert failed_rows() == "FAIL failed rows in the last day: 1 outgoing mail"


def test_a_file_that_was_no_good_is_none() -> None:
    ImportRun.objects.create(origin="upload", name="cats.csv", status="failed", failed_at=Now())
    assert failed_rows() == "ok failed rows none in the last day, but for what people were told of: 1 import run"
