"""The profile: fields that can be changed, and invalid values."""

from datetime import date
from typing import Any

import pytest

from accounts.models import User
from accounts.serializers import ProfileSerializer, profile_data
from accounts.services.profiles import profile_of

from ..conftest import Client
from ..factories import UserFactory
from .helpers import AUTH, error_codes

PROFILE = f"{AUTH}profile/"


def test_a_new_profile_has_every_field(signed_in: Client, user: User) -> None:
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


def test_only_the_sent_fields_change(signed_in: Client) -> None:
    sent = {"first_name": "Ada", "date_of_birth": "1815-12-10", "timezone": "Europe/London"}
    assert signed_in.patch(PROFILE, {**sent, "date_of_birth": "1990-12-10"}).status_code == 200
    response = signed_in.patch(PROFILE, {"last_name": "Lovelace"}).json()
    assert (response["first_name"], response["last_name"]) == ("Ada", "Lovelace")
    assert (response["date_of_birth"], response["timezone"]) == ("1990-12-10", "Europe/London")
    assert signed_in.patch(PROFILE, {"date_of_birth": None}).json()["date_of_birth"] is None


def test_read_only_fields_are_ignored(signed_in: Client, user: User) -> None:
    assert signed_in.patch(PROFILE, {"username": "root", "usercode": "ROOT00"}).status_code == 200
    assert signed_in.patch(PROFILE, {"is_staff": True, "user": {"id": 1}}).status_code == 400
    [error] = signed_in.patch(PROFILE, {"email": "root@example.org"}).json()["errors"]
    assert (error["code"], error["attr"]) == ("read_only", "email")
    assert "change-email/" in error["detail"]
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
    ],
)
def test_invalid_values_are_refused_by_field(signed_in: Client, field: str, value: Any) -> None:
    response = signed_in.patch(PROFILE, {field: value})
    assert response.status_code == 400
    assert {attr for _, attr in error_codes(response)} == {field}


def test_users_see_only_their_own_profile(api: Client, user: User) -> None:
    other = UserFactory(first_name="Other")
    api.as_user(user).patch(PROFILE, {"first_name": "Mine"})
    assert api.as_user(other).get(PROFILE).json()["first_name"] == "Other"


@pytest.mark.parametrize("name", ["\u2800", "\u3164 \u200b", " \u00ad\u2060 "])
def test_a_name_of_invisible_characters_is_empty(signed_in: Client, name: str) -> None:
    signed_in.patch(PROFILE, {"first_name": "Ada"})
    assert signed_in.patch(PROFILE, {"first_name": name}).json()["first_name"] == ""


def test_the_profile_is_what_its_serializer_describes(user: User) -> None:
    profile = profile_of(user)
    profile.date_of_birth = date(1990, 12, 10)
    assert profile_data(profile) == ProfileSerializer(profile).data
