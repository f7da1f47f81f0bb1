"""Every route of an object answers 404 to users who have no access to it."""

import pytest

from ..conftest import Client
from ..factories import UserFactory
from .objects import OWNED, maker
from .routes import Operation


@pytest.mark.django_db
@pytest.mark.parametrize("operation", OWNED, ids=str)
def test_a_stranger_gets_404_and_the_owner_does_not(operation: Operation, api: Client) -> None:
    owner, stranger = api.as_user(UserFactory()), api.as_user(UserFactory())
    url = operation.url(**maker(operation)(owner))
    as_stranger = getattr(stranger, operation.method)(url, operation.body, format="json")
    assert as_stranger.status_code == 404, as_stranger.content
    assert as_stranger.json()["errors"][0]["code"] == "not_found"
    as_owner = getattr(owner, operation.method)(url, operation.body, format="json")
    assert as_owner.status_code != 404, "the stranger's 404 would prove nothing"


@pytest.mark.django_db
@pytest.mark.parametrize("operation", OWNED, ids=str)
def test_staff_without_access_get_404_too(operation: Operation, api: Client) -> None:
    owner, staff = api.as_user(UserFactory()), api.as_user(UserFactory(is_staff=True, is_superuser=True))
    url = operation.url(**maker(operation)(owner))
    assert getattr(staff, operation.method)(url, operation.body, format="json").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [each for each in OWNED if each.method != "get"], ids=str)
def test_an_invalid_request_of_a_stranger_is_404_too(operation: Operation, api: Client) -> None:
    owner, stranger = api.as_user(UserFactory()), api.as_user(UserFactory())
    url = operation.url(**maker(operation)(owner))
    send = getattr(stranger, operation.method)
    assert send(url).status_code == 404
    assert send(url + "?colour=red", operation.body, format="json").status_code == 404
    assert send(url, {"colour": "red"}, format="json").status_code == 404
