"""The path of a new user, from registration to sign-out."""

from ..conftest import Client, Inbox
from . import mails

AUTH = "/api/v1/auth/"
NEW = {"email": "Ada@Example.org", "username": "ada", "password": "correct horse battery staple"}


def test_a_new_user_registers_confirms_signs_in_refreshes_and_signs_out(api: Client, smtp: Inbox) -> None:
    registered = api.post(f"{AUTH}register/", NEW)
    assert registered.status_code == 201, registered.content
    assert registered.json()["username"] == "ada"
    early = api.post(f"{AUTH}login/", {"email": NEW["email"], "password": NEW["password"]})
    assert (early.status_code, early.json()["errors"][0]["code"]) == (403, "email_not_verified")

    mails.send_due_mail()
    assert api.post(f"{AUTH}verify-email/", {"token": mails.code_in(smtp.messages[0])}).status_code == 200

    signed_in = api.post(f"{AUTH}login/", {"username": "ADA", "password": NEW["password"]}).json()
    assert signed_in["user"]["email"] == "Ada@example.org"
    renewed = api.post(f"{AUTH}token/refresh/", {"refresh": signed_in["refresh"]}).json()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {renewed['access']}")
    assert api.get(f"{AUTH}profile/").json()["timezone"] == "UTC"
    assert (
        api.patch(f"{AUTH}profile/", {"first_name": "Ada", "timezone": "Europe/London"}).json()["first_name"] == "Ada"
    )
    assert api.post(f"{AUTH}logout/", {"refresh": renewed["refresh"]}).status_code == 204
    assert api.get(f"{AUTH}profile/").status_code == 401
