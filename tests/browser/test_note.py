"""The page of a note: from the mail of its reminder, on a phone and in the dark."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from playwright.sync_api import expect

from config.tasks import send_mail
from notes.models import Reminder
from notes.services import own
from notes.tasks import send_reminders

from ..factories import PASSWORD
from ..notes.factories import LabelFactory, make_note

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_link_in_a_reminder_leads_to_the_note(browse, site, smtp, user, settings):
    settings.PUBLIC_URL = site
    label = LabelFactory(owner=user, name="Home")
    items = [{"text": "Oranges", "checked": False}, {"text": "Bread", "checked": True}]
    note = make_note(user, title="Groceries <b>", body="for the weekend", items=items, label_ids=[label.pk])
    own.set_reminder(by=user, note_id=note.pk, remind_at=timezone.now() + timedelta(days=1))
    Reminder.objects.update(due_at=Now())
    assert send_reminders() == send_mail() == 1
    (message,) = smtp.to(user.email)
    link = re.search(r"http\S+/notes/\d+/", message.get_body(("plain",)).get_content())[0]

    page = browse("/", width=360, dark=True)
    page.goto(link)  # which asks to sign in first, and leads back
    page.get_by_label("E-mail address or username").fill(user.username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(link)
    expect(page.get_by_role("heading", name="Groceries <b>")).to_be_visible()
    expect(page.get_by_text("for the weekend")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Bread")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Oranges")).not_to_be_checked()
    expect(page.get_by_text("Home", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out on a phone"
