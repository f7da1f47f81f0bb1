"""Reminders are mailed once, within a minute of their time, in the user's time zone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from config.models import OutgoingMail
from config.tasks import send_mail
from notes.models import Reminder
from notes.tasks import send_reminders
from tests.conftest import Client, Inbox

NOTES = "/api/v1/notes/"
SOON = "2100-06-01T09:30:00+02:00"


def make_due() -> None:
    Reminder.objects.update(due_at=Now() - timedelta(seconds=1))


def recipients() -> list[str]:
    return list(OutgoingMail.objects.order_by("pk").values_list("to", flat=True))


@pytest.mark.parametrize("given, stored", [
    (SOON, "2100-06-01T07:30:00.000000Z"), ("2100-06-01T09:30:00Z", "2100-06-01T09:30:00.000000Z"),
    ("2100-06-01T09:30:00.5-0330", "2100-06-01T13:00:00.500000Z"),
])  # fmt: skip
def test_offsets_are_converted_to_utc(owner: Client, path: str, given: Any, stored: str) -> None:
    answer = owner.put(f"{path}reminder/", {"remind_at": given})
    assert answer.status_code == 200
    assert answer.json()["remind_at"] == owner.get(path).json()["remind_at"] == stored
    assert answer.json()["version"] == 1


@pytest.mark.parametrize("given, code", [
    ("2100-06-01T09:30:00", "offset_required"), ("2100-06-01", "offset_required"), ("tomorrow", "invalid"),
    ("", "invalid"),
    (None, "null"), (5, "invalid"), ("2001-01-01T00:00:00Z", "in_the_past"), ("2100-02-30T00:00:00Z", "invalid"),
    ("9999-12-31T23:59:59-14:00", "overflow"), ("0001-01-01T00:00:00+14:00", "overflow"), (["x"], "invalid"),
    ("2100-06-01T09:30:00+99:99", "invalid"),
])  # fmt: skip
def test_an_invalid_or_past_time_is_400(owner: Client, path: str, given: Any, code: Any) -> None:
    answer = owner.put(f"{path}reminder/", {"remind_at": given})
    assert answer.status_code == 400
    assert (answer.json()["errors"][0]["attr"], answer.json()["errors"][0]["code"]) == ("remind_at", code)
    assert owner.put(f"{path}reminder/", {}).status_code == 400
    assert not Reminder.objects.exists()


def test_a_reminder_is_mailed_once_and_deleted(
    owner: Client, user: User, path: str, smtp: Inbox, settings: Any
) -> None:
    user.profile.timezone = "Europe/Rome"
    user.profile.save()
    owner.put(f"{path}reminder/", {"remind_at": SOON})
    assert send_reminders() == 0
    make_due()
    assert send_reminders() == 1
    assert send_reminders() == 0
    assert owner.get(path).json()["remind_at"] is None
    assert owner.get(f"{NOTES}?has_reminder=true").json()["results"] == []
    assert send_mail() == 1
    assert send_mail() == 0
    (message,) = smtp.to(user.email)
    assert message["Subject"] == "Reminder: Groceries"
    text = message.get_body(("plain",)).get_content()
    assert "Tuesday 1 June 2100, 09:30 (Europe/Rome)" in text
    assert "for the weekend" in text
    assert f"{settings.PUBLIC_URL}/notes/{path.split('/')[-2]}/" in text
    assert "09:30 (Europe/Rome)" in message.get_body(("html",)).get_content()


def test_notes_without_title_or_body_are_mailed(owner: Client, user: User, smtp: Inbox) -> None:
    note = owner.post(NOTES, {"title": "a\nSubject: b <b>", "items": [{"text": "<i>milk</i>"}]}).json()
    owner.put(f"{NOTES}{note['id']}/reminder/", {"remind_at": SOON})
    empty = owner.post(NOTES, {}).json()
    owner.put(f"{NOTES}{empty['id']}/reminder/", {"remind_at": SOON})
    make_due()
    assert send_reminders() == 2
    assert send_mail() == 2
    first, second = smtp.to(user.email)
    assert first["Subject"] == "Reminder: a Subject: b <b>"
    assert "&lt;i&gt;milk" in first.get_body(("html",)).get_content()
    assert "<i>milk" in first.get_body(("plain",)).get_content()
    assert second["Subject"] == "Reminder: untitled note"


def test_a_reminder_can_be_replaced_and_set_again_after_its_mail(owner: Client, path: str) -> None:
    owner.put(f"{path}reminder/", {"remind_at": SOON})
    owner.put(f"{path}reminder/", {"remind_at": "2100-07-01T09:30:00Z"})
    assert Reminder.objects.count() == 1
    for _ in range(2):
        owner.put(f"{path}reminder/", {"remind_at": SOON})
        make_due()
        assert send_reminders() == 1
    assert len(recipients()) == 2


def test_deleting_a_reminder_is_204_and_404_without_one(owner: Client, path: str) -> None:
    owner.put(f"{path}reminder/", {"remind_at": SOON})
    assert owner.delete(f"{path}reminder/").status_code == 204
    assert owner.delete(f"{path}reminder/").status_code == 404
    assert owner.get(path).json()["remind_at"] is None


def test_reminders_are_private(owner: Client, viewer: Client, user: User, viewer_user: User, path: str) -> None:
    owner.put(f"{path}reminder/", {"remind_at": SOON})
    viewer.put(f"{path}reminder/", {"remind_at": "2100-07-01T09:30:00Z"})
    assert owner.get(path).json()["remind_at"] != viewer.get(path).json()["remind_at"]
    Reminder.objects.filter(membership__user=viewer_user).update(due_at=Now())
    assert send_reminders() == 1
    assert recipients() == [viewer_user.email]
    assert owner.get(path).json()["remind_at"] is not None


def test_a_reminder_waits_while_the_note_is_in_the_trash(owner: Client, viewer: Client, path: str) -> None:
    for client in (owner, viewer):
        client.put(f"{path}reminder/", {"remind_at": SOON})
    owner.post(f"{path}trash/")
    make_due()
    assert send_reminders() == 0
    assert viewer.get(path).json()["remind_at"] is not None
    owner.post(f"{path}restore/")
    assert send_reminders() == 2


def test_a_reminder_is_deleted_with_the_membership_and_the_account(
    owner: Client, viewer: Client, viewer_user: User, user: User, path: str
) -> None:
    for client in (owner, viewer):
        client.put(f"{path}reminder/", {"remind_at": SOON})
    make_due()
    owner.delete(f"{path}collaborators/{viewer_user.usercode}/")
    assert Reminder.objects.count() == 1
    user.is_active = False
    user.save()
    assert send_reminders() == 0
    user.delete()
    assert not Reminder.objects.exists()


def test_an_unknown_time_zone_falls_back_to_utc(owner: Client, user: User, path: str) -> None:
    user.profile.timezone = "Mars/Olympus"
    user.profile.save()
    owner.put(f"{path}reminder/", {"remind_at": SOON})
    make_due()
    assert send_reminders() == 1
    assert OutgoingMail.objects.get().context["when"].endswith("07:30 (UTC)")


@pytest.mark.django_db(transaction=True)
def test_worker_and_beat_mail_a_reminder_within_a_minute(
    owner: Client,
    user: User,
    path: str,
    smtp: Inbox,
    start_worker: Callable[..., Any],
    start_process: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    at = timezone.now() + timedelta(seconds=8)
    owner.put(f"{path}reminder/", {"remind_at": at.isoformat()})
    mail = {"EMAIL_URL": f"smtp://127.0.0.1:{smtp.port}"}
    start_worker(**mail)
    start_process("-m", "celery", "-A", "config", "beat", **mail)
    wait_until(lambda: smtp.to(user.email), timeout=75, what="the mail")
    assert timedelta(0) <= timezone.now() - at < timedelta(seconds=60)
    wait_until(lambda: not Reminder.objects.exists(), what="the reminder deleted")
    # The worker stores the result shortly after the server has the mail.
    wait_until(lambda: OutgoingMail.objects.exclude(done_at=None).exists(), what="the mail done")
    assert OutgoingMail.objects.count() == 1
