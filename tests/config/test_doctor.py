"""``manage.py doctor``: how it reports failed rows."""

import io

import pytest
from django.core.management import call_command
from django.db.models.functions import Now

from accounts.models import User
from config.models import OutgoingMail
from messaging.models import Message
from trends.models import ImportRun

pytestmark = pytest.mark.django_db


def line_about(check: str) -> str:
    """Return what ``doctor`` prints for a check."""
    out = io.StringIO()
    with pytest.raises(SystemExit):  # at least the worker check fails here
        call_command("doctor", stdout=out, stderr=io.StringIO(), no_color=True)
    [line] = [line for line in out.getvalue().splitlines() if check in line]
    return " ".join(line.split())


def failed_rows() -> str:
    return line_about("failed rows")


def test_a_failed_mail_fails_the_check() -> None:
    assert failed_rows() == "ok failed rows none in the last 24 hours"
    OutgoingMail.objects.create(to="maya@example.org", template="welcome", failed_at=Now())
    assert failed_rows() == "FAIL failed rows in the last 24 hours: 1 outgoing mail"


def test_an_invalid_file_is_mentioned_and_does_not_fail_the_check() -> None:
    ImportRun.objects.create(origin="upload", name="cats.csv", status="failed", failed_at=Now())
    assert failed_rows() == "ok failed rows none in the last 24 hours (users were notified of: 1 import run)"


def test_texts_of_an_earlier_version_that_display_nothing_are_mentioned_and_do_not_fail_the_check(user: User) -> None:
    Message.objects.create(sender=user, body="hello", recipient_count=1)
    assert line_about("blank texts") == "ok blank texts none"
    for body in ("\u2800", "\u3164\n\u200b"):
        Message.objects.create(sender=user, body=body, recipient_count=1)
    User.objects.filter(pk=user.pk).update(first_name="\u3164", last_name="")
    assert line_about("blank texts") == (
        "ok blank texts of an earlier version: 2 messaging.Message with an invisible body, "
        "1 accounts.User with an invisible first_name"
    )
