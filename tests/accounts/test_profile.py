"""The profile: what people say of themselves, and what they cannot."""

import pytest

from ..factories import UserFactory
from .steps import AUTH, codes

PROFILE = f"{AUTH}profile/"


def test_a_new_profile_has_every_field(signed_in, user):
    assert signed_in.get(PROFILE).json() == {
        "username": user.username,
        "email": user.email,
        "usercode": user.usercode,
        "first_name": "",
        "last_name": "",
        "date_of_birth": None,
        "timezone": "UTC",
        "image": None,
    }


def test_the_fields_that_are_sent_change_and_the_others_stay(signed_in):
    sent = {"first_name": "Ada", "date_of_birth": "1815-12-10", "timezone": "Europe/London"}
    assert signed_in.patch(PROFILE, {**sent, "date_of_birth": "1990-12-10"}).status_code == 200
    answer = signed_in.patch(PROFILE, {"last_name": "Lovelace"}).json()
    assert (answer["first_name"], answer["last_name"]) == ("Ada", "Lovelace")
    assert (answer["date_of_birth"], answer["timezone"]) == ("1990-12-10", "Europe/London")
    assert signed_in.patch(PROFILE, {"date_of_birth": None}).json()["date_of_birth"] is None


def test_what_is_not_theirs_to_say_is_ignored(signed_in, user):
    sent = {"username": "root", "email": "root@example.org", "usercode": "ROOT00", "is_staff": True, "user": {"id": 1}}
    assert signed_in.patch(PROFILE, sent).status_code == 200
    before = (user.username, user.email, user.usercode)
    user.refresh_from_db()
    assert (user.username, user.email, user.usercode) == before
    assert not user.is_staff


@pytest.mark.parametrize(
    "field, value",
    [
        ("timezone", "Nowhere/Land"),
        ("timezone", "Factory"),
        ("timezone", "../../etc/passwd"),
        ("timezone", ""),
        ("timezone", "x" * 10_000),
        ("timezone", None),
        ("date_of_birth", "2999-01-01"),
        ("date_of_birth", "1600-01-01"),
        ("date_of_birth", "1990-02-30"),
        ("date_of_birth", "yesterday"),
        ("date_of_birth", 19900101),
        ("date_of_birth", "9" * 400),
        ("first_name", "x" * 10_000),
        ("last_name", "nul\x00"),
        ("last_name", None),
        ("first_name", ["a"]),
        ("image", "text"),
    ],
)
def test_nonsense_is_refused_by_field(signed_in, field, value):
    answer = signed_in.patch(PROFILE, {field: value})
    assert answer.status_code == 400
    assert {attr for _, attr in codes(answer)} == {field}


def test_everybody_sees_only_their_own(api, user):
    other = UserFactory(first_name="Other")
    api.as_user(user).patch(PROFILE, {"first_name": "Mine"})
    assert api.as_user(other).get(PROFILE).json()["first_name"] == "Other"
