"""What holds for every table of the admin."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import DateField
from django.db.models.functions import Now
from django.test import Client
from unfold.admin import ModelAdmin

from accounts.backends import BACKEND
from accounts.models import AccountLink
from config import mail
from config.admin import ReadOnlyAdmin
from config.models import OutgoingMail
from messaging.models import BroadcastBatch
from notes.models import Reminder

from ..factories import UserFactory

# Django's own bookkeeping, and tables that other tables' pages show.
ELSEWHERE = {
    "Permission", "ContentType", "Session", "LogEntry", "PeriodicTasks", "ChordCounter", "AccessAttemptExpiration",
}  # fmt: skip


@pytest.fixture
def desk(staff):
    browser = Client(raise_request_exception=False)
    browser.force_login(staff, backend=BACKEND)
    return browser


def test_every_table_is_there_in_the_same_look():
    assert {model.__name__ for model in apps.get_models() if not admin.site.is_registered(model)} <= ELSEWHERE
    assert [model.__name__ for model, page in admin.site._registry.items() if not isinstance(page, ModelAdmin)] == []


def test_a_page_to_look_at_shows_all_that_its_list_does(rf, staff):
    request = rf.get("/admin/")
    request.user = staff
    for model, its_admin in admin.site._registry.items():
        if isinstance(its_admin, ReadOnlyAdmin):
            stored = {field.name for field in model._meta.fields} - {model._meta.pk.name}
            assert stored & set(its_admin.list_display) <= set(its_admin.get_fields(request)), model


def test_the_page_of_a_mail_says_why_it_failed(desk):
    mail = OutgoingMail.objects.create(to="ada@example.org", template="new_device", error="Mailbox unavailable")
    page = desk.get(f"/admin/config/outgoingmail/{mail.pk}/change/").content.decode()
    assert "Mailbox unavailable" in page
    assert "<template>" not in page, "a browser hides what follows"


def test_no_table_s_list_fails_whatever_its_address_says(desk):
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for query in ("", "?q=%00", "?q=%25_\\'", "?p=99999", "?p=x", "?o=99", "?nonsense=1", "?id__exact=x"):
            assert desk.get(path + query).status_code in (200, 302), path + query


@pytest.mark.parametrize("years", ["__year=9999", "__year=9999&{0}__month=12", "__year=0", "__year=99999"])
def test_no_table_s_list_fails_for_a_date_at_the_calendar_s_end(desk, years):
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for field in model._meta.fields:
            if isinstance(field, DateField):
                query = f"?{field.name}{years.format(field.name)}"
                assert desk.get(path + query).status_code in (200, 302, 400), path + query


@pytest.mark.parametrize("ids", [["abc"], ["1", ""], ["\x00"], ["9" * 30]])
def test_forged_ids_of_an_action_are_no_500(desk, ids):
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for action in ("delete_selected", "nonsense"):
            answer = desk.post(path, {"action": action, "_selected_action": ids})
            assert answer.status_code < 500, path


def list_of(model):
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def failed_mail(**fields):
    row = mail.queue(to="ann@example.org", template="account_exists", context={"username": "ann"})
    OutgoingMail.objects.filter(pk=row.pk).update(**{"failed_at": Now(), "attempts": 5, "error": "550", **fields})
    return row


def send_again(browser, *rows):
    return browser.post(list_of(OutgoingMail), {"action": "send_again", "_selected_action": [row.pk for row in rows]})


def test_staff_send_a_failed_mail_again_and_no_other_one_twice(desk, smtp):
    failed, sent, left = failed_mail(), failed_mail(failed_at=None, done_at=Now()), failed_mail()
    for _ in range(2):
        assert send_again(desk, failed, sent).status_code == 302
    assert mail.send_due() == 1
    assert [message["To"] for message in smtp.messages] == ["ann@example.org"]
    failed.refresh_from_db()
    assert (failed.done_at is not None, failed.failed_at, failed.attempts) == (True, None, 1)
    left.refresh_from_db()
    assert left.failed_at is not None


@pytest.mark.parametrize("model", [OutgoingMail, AccountLink, Reminder, BroadcastBatch])
def test_what_sends_can_be_sent_again(desk, model):
    page = admin.site._registry[model]
    request = desk.get(list_of(model)).wsgi_request
    assert "send_again" in page.get_actions(request)


def test_who_may_only_look_sends_nothing_again(db):
    looker = UserFactory(is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_outgoingmail"))
    browser = Client()
    browser.force_login(looker, backend=BACKEND)
    failed = failed_mail()
    send_again(browser, failed)
    failed.refresh_from_db()
    assert failed.failed_at is not None
