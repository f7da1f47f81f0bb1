"""Rules for every page of the admin."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import DateField
from django.db.models.functions import Now
from django.test import Client
from unfold.admin import ModelAdmin

from accounts.backends import BACKEND
from accounts.models import AccountLink, User
from config import mail
from config.admin import ReadOnlyAdmin
from config.models import OutgoingMail
from messaging.models import BroadcastBatch
from notes.models import Reminder

from ..factories import UserFactory

# Internal tables of Django, and tables that are shown on the pages of others.
WITHOUT_PAGE = {
    "Permission", "ContentType", "Session", "LogEntry", "PeriodicTasks", "ChordCounter", "AccessAttemptExpiration",
    "SolarSchedule", "ClockedSchedule", "GroupResult", "TaskResult", "AccessFailureLog", "AccessLog",
}  # fmt: skip


@pytest.fixture
def admin_client(staff: User) -> Client:
    """A client signed in to the admin as staff; server errors are responses."""
    client = Client(raise_request_exception=False)
    client.force_login(staff, backend=BACKEND)
    return client


def test_every_model_has_a_page_styled_by_unfold() -> None:
    assert {model.__name__ for model in apps.get_models() if not admin.site.is_registered(model)} <= WITHOUT_PAGE
    assert [model.__name__ for model, page in admin.site._registry.items() if not isinstance(page, ModelAdmin)] == []


def test_a_read_only_page_shows_every_column_of_its_list(rf: Any, staff: User) -> None:
    request = rf.get("/admin/")
    request.user = staff
    for model, page in admin.site._registry.items():
        if isinstance(page, ReadOnlyAdmin):
            stored = {field.name for field in model._meta.fields} - {model._meta.pk.name}
            assert stored & set(page.list_display) <= set(page.get_fields(request)), model


def test_the_page_of_a_failed_mail_shows_the_reason(admin_client: Client) -> None:
    failed = OutgoingMail.objects.create(to="ada@example.org", template="new_device", error="Mailbox unavailable")
    page = admin_client.get(f"/admin/config/outgoingmail/{failed.pk}/change/").content.decode()
    assert "Mailbox unavailable" in page
    assert "<template>" not in page, "browsers hide the content of a template element"


def test_lists_say_yes_and_no_in_words(admin_client: Client) -> None:
    UserFactory()  # who is not staff
    page = admin_client.get("/admin/accounts/user/").content.decode()
    assert '<span class="dash-bool">Yes</span>' in page
    assert '<span class="dash-bool">No</span>' in page


@pytest.mark.thorough
def test_no_list_fails_for_an_invalid_query_string(admin_client: Client) -> None:
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for query in ("", "?q=%00", "?q=%25_\\'", "?p=99999", "?p=x", "?o=99", "?nonsense=1", "?id__exact=x"):
            assert admin_client.get(path + query).status_code in (200, 302), path + query


@pytest.mark.thorough
@pytest.mark.parametrize("years", ["__year=9999", "__year=9999&{0}__month=12", "__year=0", "__year=99999"])
def test_no_list_fails_for_an_impossible_date(admin_client: Client, years: str) -> None:
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for field in model._meta.fields:
            if isinstance(field, DateField):
                query = f"?{field.name}{years.format(field.name)}"
                assert admin_client.get(path + query).status_code in (200, 302, 400), path + query


@pytest.mark.thorough
@pytest.mark.parametrize("ids", [["abc"], ["1", ""], ["\x00"], ["9" * 30]])
def test_invalid_ids_in_an_action_are_not_a_server_error(admin_client: Client, ids: list[str]) -> None:
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for action in ("delete_selected", "nonsense"):
            response = admin_client.post(path, {"action": action, "_selected_action": ids})
            assert response.status_code < 500, path


def list_url(model: Any) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def failed_mail(**fields: Any) -> OutgoingMail:
    row = mail.queue(to="ann@example.org", template="account_exists", context={"username": "ann"})
    OutgoingMail.objects.filter(pk=row.pk).update(**{"failed_at": Now(), "attempts": 5, "error": "550", **fields})
    return row


def send_again(client: Client, *rows: OutgoingMail) -> Any:
    return client.post(list_url(OutgoingMail), {"action": "send_again", "_selected_action": [row.pk for row in rows]})


def test_staff_can_resend_a_failed_mail_and_only_that(admin_client: Client, smtp: Any) -> None:
    failed, sent, unselected = failed_mail(), failed_mail(failed_at=None, done_at=Now()), failed_mail()
    for _ in range(2):
        assert send_again(admin_client, failed, sent).status_code == 302
    assert mail.send_due() == 1
    assert [message["To"] for message in smtp.messages] == ["ann@example.org"]
    failed.refresh_from_db()
    assert (failed.done_at is not None, failed.failed_at, failed.attempts) == (True, None, 1)
    unselected.refresh_from_db()
    assert unselected.failed_at is not None


@pytest.mark.parametrize("model", [OutgoingMail, AccountLink, Reminder, BroadcastBatch])
def test_every_sending_job_can_be_sent_again(admin_client: Client, model: Any) -> None:
    page = admin.site._registry[model]
    request = admin_client.get(list_url(model)).wsgi_request
    assert "send_again" in page.get_actions(request)


def test_the_view_permission_alone_does_not_allow_resending(db: None) -> None:
    viewer = UserFactory(is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_outgoingmail"))
    client = Client()
    client.force_login(viewer, backend=BACKEND)
    failed = failed_mail()
    send_again(client, failed)
    failed.refresh_from_db()
    assert failed.failed_at is not None
