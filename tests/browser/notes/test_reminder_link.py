"""The link in a reminder mail opens the note, on a phone in dark mode, after the sign-in."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import User
from config.tasks import send_mail
from notes.models import Reminder
from notes.services import reminders
from notes.tasks import send_reminders
from tests.conftest import Inbox
from tests.factories import PASSWORD
from tests.notes.factories import LabelFactory, make_note

from ..test_landing import overflow

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_link_in_a_reminder_opens_the_note(browse: Any, site: str, smtp: Inbox, user: User) -> None:
    label = LabelFactory(owner=user, name="Home")
    items = [{"text": "Oranges", "checked": False}, {"text": "Bread", "checked": True}]
    note = make_note(user, title="Groceries <b>", body="for the weekend", items=items, label_ids=[label.pk])
    reminders.set_reminder(by=user, note_id=note.pk, remind_at=timezone.now() + timedelta(days=1))
    Reminder.objects.update(due_at=Now())
    assert send_reminders() == send_mail() == 1
    (message,) = smtp.to(user.email)
    link = re.search(r"http\S+/notes/\d+/", message.get_body(("plain",)).get_content())[0]

    page = browse("/", width=360, dark=True)
    page.goto(link)  # redirects to the login page and back
    page.get_by_label("E-mail address or username").fill(user.username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(link)
    dialog = page.get_by_role("dialog", name="Groceries <b>")
    expect(dialog.get_by_label("Title")).to_have_value("Groceries <b>")
    expect(dialog.get_by_text("for the weekend")).to_be_visible()
    expect(dialog.get_by_role("checkbox", name="Bread")).to_be_checked()
    expect(dialog.get_by_role("checkbox", name="Oranges")).not_to_be_checked()
    expect(dialog.get_by_role("button", name="Label Home")).to_be_visible()
    assert overflow(page) <= 0
