"""Taking everything along, and leaving."""

import io
import json
import threading
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client as Browser
from PIL import Image

from accounts import services, tokens
from accounts.models import AccountLink, User, UserSession
from accounts.services import deletion
from accounts.signals import account_deleted
from config import storage
from config.models import DiscardedFile, OutgoingMail
from config.storage import PrivateFileSystemStorage

from ..factories import PASSWORD, UserFactory
from . import mails
from .steps import AUTH, bearer, codes, link_for, log_in


def test_the_export_holds_what_is_held_and_no_secret(signed_in, user):
    link_for(user)
    answer = signed_in.get(f"{AUTH}export/")
    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    held = answer.json()["account"]
    assert (held["username"], held["email"], held["usercode"]) == (user.username, user.email, user.usercode)
    assert len(held["sessions"]) == len(held["links"]) == 1
    said = json.dumps(answer.json())
    session, link = UserSession.objects.get(user=user), AccountLink.objects.get(user=user)
    for secret in (user.password, session.refresh_jti, link.code_hash):
        assert secret not in said


def test_every_domain_answers_for_its_own_part(signed_in):
    parts = signed_in.get(f"{AUTH}export/").json()
    assert {"exported_at", "account", "notes", "messages", "contacts"} <= parts.keys()


def test_leaving_takes_rows_tokens_cookies_and_files_along(api, user, smtp, settings):
    told = log_in(api, user)
    browser = Browser()
    browser.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    OutgoingMail.objects.create(to=user.email, template="password_changed", done_at=Now())
    api.credentials(**bearer(told["access"]))
    out = io.BytesIO()
    Image.new("RGB", (20, 20)).save(out, "PNG")
    api.patch(f"{AUTH}profile/", {"image": SimpleUploadedFile("a.png", out.getvalue())}, format="multipart")
    heard = []

    def hear(user, **_):
        heard.append(user.username)

    account_deleted.connect(hear)
    assert api.delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
    storage.discard_due()
    account_deleted.disconnect(hear)
    assert heard == [user.username]
    assert not User.objects.filter(pk=user.pk).exists()
    assert not UserSession.objects.filter(user_id=user.pk).exists()
    assert not [path for path in settings.FILES_DIR.rglob("*") if path.is_file()]
    assert api.get(f"{AUTH}profile/").status_code == 401
    api.credentials()
    assert api.post(f"{AUTH}token/refresh/", {"refresh": told["refresh"]}).status_code == 401
    assert browser.get("/account/").status_code == 302
    assert not OutgoingMail.objects.exclude(done_at=None).exists(), "what was sent is forgotten with the address"
    mails.send_all()
    assert "deleted" in smtp.to(user.email)[-1]["Subject"]
    assert (
        api.post(f"{AUTH}register/", {"email": user.email, "username": "again", "password": PASSWORD}).status_code
        == 201
    )


def test_leaving_needs_the_password(signed_in, user):
    for body in ({"password": "wrong"}, {}, {"password": None}):
        answer = signed_in.delete(f"{AUTH}account/", body)
        assert answer.status_code == 400
        assert codes(answer)[0][1] == "password"
    assert User.objects.filter(pk=user.pk).exists()


def test_leaving_touches_nobody_else(api, user):
    other = UserFactory()
    others = log_in(api, other)
    assert api.as_user(user).delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
    assert api.get(f"{AUTH}profile/", **bearer(others["access"])).status_code == 200


def test_a_picture_outlives_its_user_only_until_the_storage_is_back(signed_in, user, monkeypatch):
    user.profile.image = "pictures/aa/one.webp"
    user.profile.save()
    removed = []

    def fail(*_):
        raise OSError("the storage is away")

    with monkeypatch.context() as away:
        away.setattr(PrivateFileSystemStorage, "delete", fail)
        assert signed_in.delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204
        assert storage.discard_due() == 0
    row = DiscardedFile.objects.get()
    assert (row.attempts, row.failed_at) == (0, None), "waiting costs no attempt"
    monkeypatch.setattr(PrivateFileSystemStorage, "delete", lambda self, name: removed.append(name))
    DiscardedFile.objects.update(due_at=Now())
    assert storage.discard_due() == 1
    assert removed == ["pictures/aa/one.webp"]


def test_what_is_over_is_forgotten_and_the_rest_is_kept(db):
    kept, waiting, never = UserFactory(), UserFactory(email_verified_at=None), UserFactory(email_verified_at=None)
    User.objects.filter(pk__in=[waiting.pk, never.pk, kept.pk]).update(date_joined=Now() - timedelta(days=8))
    link_for(waiting)
    link_for(never, code="late", expires_at=Now() - timedelta(days=7))
    live, _, _ = tokens.start_session(user=kept)
    ended, _, _ = tokens.start_session(user=kept)
    UserSession.objects.filter(pk=ended.pk).update(ended_at=Now() - timedelta(days=91))
    services.forget_expired()
    assert set(User.objects.all()) == {kept, waiting}
    assert list(UserSession.objects.all()) == [live]


REQUESTS = {
    "profile": lambda api, page: api.patch(f"{AUTH}profile/", {"first_name": "Ada"}),
    "change of password": lambda api, page: api.post(
        f"{AUTH}change-password/", {"current_password": PASSWORD, "new_password": "another horse battery"}
    ),
    "change of address": lambda api, page: api.post(
        f"{AUTH}change-email/", {"email": "new@example.org", "password": PASSWORD}
    ),
    "leaving twice": lambda api, page: api.delete(f"{AUTH}account/", {"password": PASSWORD}),
    "a page's form": lambda api, page: page.post("/account/profile/", {"first_name": "Ada", "timezone": "UTC"}),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)
def test_what_is_asked_while_the_account_goes_is_asked_by_nobody(api, wait_until, ask):
    user = UserFactory()
    phone, page = api.as_user(user), Browser(raise_request_exception=False)
    page.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    answers = []

    def run():
        answers.append(ask(phone, page))
        connection.close()

    with transaction.atomic():
        deletion.remove_user(user)
        asking = threading.Thread(target=run)
        asking.start()
        wait_until(somebody_waits_for_a_lock)
    asking.join()
    assert answers[0].status_code == 401 or answers[0].headers["Location"] == "/login/"


def somebody_waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]
