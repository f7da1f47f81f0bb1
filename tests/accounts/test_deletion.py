"""Deleting an account, deleting expired rows, and the data export."""

import io
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.db.models.functions import Now
from PIL import Image

from accounts import services, tokens
from accounts.models import AccountLink, User, UserSession
from accounts.services import deletion
from accounts.signals import account_deleted
from config import storage
from config.cache.redis import redis_client
from config.models import DiscardedFile, OutgoingEvent, OutgoingMail
from config.realtime import events
from config.realtime.redis_keys import stream_key
from config.storage import PrivateFileSystemStorage

from ..conftest import Client, Inbox
from ..factories import PASSWORD, UserFactory
from . import mails
from .helpers import AUTH, bearer, cookie_client_for, error_codes, link_for, log_in, mailed_code


def test_the_export_contains_the_account_and_no_secrets(signed_in: Client, user: User) -> None:
    link_for(user)
    response = signed_in.get(f"{AUTH}export/")
    assert response.status_code == 200
    assert "attachment" in response["Content-Disposition"]
    account = response.json()["account"]
    assert (account["username"], account["email"], account["usercode"]) == (user.username, user.email, user.usercode)
    assert len(account["sessions"]) == len(account["links"]) == 1
    text = json.dumps(response.json())
    session, link = UserSession.objects.get(user=user), AccountLink.objects.get(user=user)
    for secret in (user.password, session.refresh_jti, link.code_hash):
        assert secret not in text


def test_the_export_has_a_part_for_every_domain(signed_in: Client) -> None:
    parts = signed_in.get(f"{AUTH}export/").json()
    assert {"exported_at", "account", "notes", "messages", "contacts"} <= parts.keys()


def test_deletion_removes_rows_tokens_cookies_and_files(api: Client, user: User, smtp: Inbox, settings: Any) -> None:
    tokens = log_in(api, user)
    browser = cookie_client_for(user)
    OutgoingMail.objects.create(to=user.email, template="password_changed", done_at=Now())
    api.credentials(**bearer(tokens["access"]))
    out = io.BytesIO()
    Image.new("RGB", (20, 20)).save(out, "PNG")
    api.patch(f"{AUTH}profile/", {"image": SimpleUploadedFile("a.png", out.getvalue())}, format="multipart")
    deleted = []

    def receive(user: User, **_: Any) -> None:
        deleted.append(user.username)

    account_deleted.connect(receive)
    assert api.delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
    storage.discard_due()
    account_deleted.disconnect(receive)
    assert deleted == [user.username]
    assert not User.objects.filter(pk=user.pk).exists()
    assert not UserSession.objects.filter(user_id=user.pk).exists()
    assert not [path for path in settings.FILES_DIR.rglob("*") if path.is_file()]
    assert api.get(f"{AUTH}profile/").status_code == 401
    api.credentials()
    assert api.post(f"{AUTH}token/refresh/", {"refresh": tokens["refresh"]}).status_code == 401
    assert browser.get("/account/").status_code == 302
    assert not OutgoingMail.objects.exclude(done_at=None).exists(), "sent mails are deleted with the account"
    mails.send_due_mail()
    assert "deleted" in smtp.to(user.email)[-1]["Subject"]
    assert (
        api.post(f"{AUTH}register/", {"email": user.email, "username": "again", "password": PASSWORD}).status_code
        == 201
    )


def test_deletion_and_export_find_mails_to_earlier_addresses(
    api: Client, signed_in: Client, user: User, smtp: Inbox
) -> None:
    old = user.email
    signed_in.post(f"{AUTH}change-email/", {"email": "new@example.org", "password": PASSWORD})
    code = mailed_code(smtp, "new@example.org")
    api.post(f"{AUTH}verify-email/", {"token": code})
    mails.send_due_mail()
    mails_of_user = signed_in.get(f"{AUTH}export/").json()["account"]["mails"]
    assert {(m["to"], m["template"]) for m in mails_of_user} == {(old, "email_change_asked"), (old, "email_changed")}
    other = OutgoingMail.objects.create(to=old, template="account_exists", user=UserFactory())
    assert signed_in.delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
    mails.send_due_mail()
    assert "deleted" in smtp.to("new@example.org")[-1]["Subject"]
    assert list(OutgoingMail.objects.all()) == [other], "the notice of the deletion is not kept either"


def test_mails_of_earlier_versions_are_assigned_to_their_user(user: User) -> None:
    now = OutgoingMail.objects.create(to=user.email.upper(), template="new_device")
    former = OutgoingMail.objects.create(
        to="old@example.org", template="email_changed", context={"username": user.username}
    )
    stranger = OutgoingMail.objects.create(to="old@example.org", template="new_device", context={"username": "x"})
    with connection.cursor() as cursor:
        cursor.execute(import_module("config.migrations.0007_assign_mail_to_users").ASSIGN)
    assert set(OutgoingMail.objects.filter(user=user)) == {now, former}
    assert OutgoingMail.objects.get(user=None) == stranger


def test_events_lose_the_name_of_a_deleted_user(api: Client, user: User) -> None:
    other, third = UserFactory(), UserFactory()
    sender = {"usercode": user.usercode, "username": user.username}
    recipients = [sender, {"usercode": third.usercode, "username": third.username}]
    with transaction.atomic():
        events.publish([other.pk, user.pk], "message", {"id": 1, "sender": sender, "recipients": recipients})
        events.publish([other.pk], "note", {"id": 2, "by": user.usercode, "action": "updated"})
        events.publish([other.pk], "note", {"id": 3, "by": third.usercode, "action": "updated"})
    deletion.remove_user(user)
    OutgoingEvent.objects.update(created_at=Now() - timedelta(seconds=10))
    events.send_pending()
    client: Any = redis_client()
    entries = client.xrange(stream_key(other.pk))
    bodies = [json.loads(client.get(fields[b"e"])) for _, fields in entries]
    assert {"id": 1, "sender": None, "recipients": recipients[1:]} in bodies
    assert {"id": 2, "by": None, "action": "updated"} in bodies
    assert {"id": 3, "by": third.usercode, "action": "updated"} in bodies
    assert not client.exists(stream_key(user.pk))
    assert user.username not in str([client.get(key) for key in client.scan_iter("atrium:event:*")])


def test_deletion_requires_the_password(signed_in: Client, user: User) -> None:
    for body in ({"password": "wrong"}, {}, {"password": None}):
        response = signed_in.delete(f"{AUTH}account/", body)
        assert response.status_code == 400
        assert error_codes(response)[0][1] == "password"
    assert User.objects.filter(pk=user.pk).exists()


def test_deletion_does_not_affect_other_users(api: Client, user: User) -> None:
    other = UserFactory()
    others = log_in(api, other)
    assert api.as_user(user).delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
    assert api.get(f"{AUTH}profile/", **bearer(others["access"])).status_code == 200


def test_the_picture_is_deleted_once_the_storage_is_available(
    signed_in: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.profile.image = "pictures/aa/one.webp"
    user.profile.save()
    removed = []

    def fail(*_: Any) -> None:
        raise OSError("the storage is down")

    with monkeypatch.context() as storage_down:
        storage_down.setattr(PrivateFileSystemStorage, "delete", fail)
        assert signed_in.delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
        assert storage.discard_due() == 0
    row = DiscardedFile.objects.get()
    assert (row.attempts, row.failed_at) == (0, None), "waiting does not count as an attempt"
    monkeypatch.setattr(PrivateFileSystemStorage, "delete", lambda self, name: removed.append(name))
    DiscardedFile.objects.update(due_at=Now())
    assert storage.discard_due() == 1
    assert removed == ["pictures/aa/one.webp"]


def test_only_expired_rows_are_deleted(user: User) -> None:
    unconfirmed = UserFactory(email_verified_at=None)  # created by staff
    User.objects.update(date_joined=Now() - timedelta(days=8))
    live, _, _ = tokens.start_session(user=user)
    ended, _, _ = tokens.start_session(user=user)
    UserSession.objects.filter(pk=ended.pk).update(ended_at=Now() - timedelta(days=91))
    link_for(user, code="old", created_at=Now() - timedelta(days=91))
    link_for(user, code="new")
    services.delete_expired()
    assert set(User.objects.all()) == {user, unconfirmed}
    assert list(UserSession.objects.all()) == [live]
    assert AccountLink.objects.count() == 1


REQUESTS = {
    "profile": lambda api, page: api.patch(f"{AUTH}profile/", {"first_name": "Ada"}),
    "change of the password": lambda api, page: api.post(
        f"{AUTH}change-password/", {"current_password": PASSWORD, "new_password": "another horse battery"}
    ),
    "change of the address": lambda api, page: api.post(
        f"{AUTH}change-email/", {"email": "new@example.org", "password": PASSWORD}
    ),
    "second deletion": lambda api, page: api.delete(f"{AUTH}account/", {"password": PASSWORD}),
    "form of a page": lambda api, page: page.post("/account/profile/", {"first_name": "Ada", "timezone": "UTC"}),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("send", REQUESTS.values(), ids=REQUESTS)
def test_a_request_during_the_deletion_of_its_account_is_unauthenticated(
    api: Client, wait_until: Callable[..., Any], send: Callable[..., Any]
) -> None:
    user = UserFactory()
    phone, page = api.as_user(user), cookie_client_for(user, raise_request_exception=False)
    responses = []

    def run() -> None:
        responses.append(send(phone, page))
        connection.close()

    with transaction.atomic():
        deletion.remove_user(user)
        thread = threading.Thread(target=run)
        thread.start()
        wait_until(a_query_waits_for_a_lock)
    thread.join()
    assert responses[0].status_code == 401 or responses[0].headers["Location"] == "/login/"


def a_query_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        # Of this connection: other tests use the same server.
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return cursor.fetchone()[0] > 0
