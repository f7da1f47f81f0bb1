"""Who sees the contacts pages."""

import pytest
from django.test import Client as Browser
from django.utils import timezone

from contacts.models import FileMetadata
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["", "import/", "uploads/", "uploads/1/", "waiting/"])
def test_a_visitor_signs_in_first_and_comes_back(client: Browser, path: str) -> None:
    assert client.get(f"/contacts/{path}")["Location"] == f"/login/?next=/contacts/{path}"


def test_the_page_of_an_upload_is_its_owners(client: Browser) -> None:
    owner = UserFactory()
    upload = FileMetadata.objects.create(
        owner=owner, name="a.csv", size=1, key="k", total_rows=0, done_at=timezone.now()
    )
    client.force_login(UserFactory())
    assert client.get(f"/contacts/uploads/{upload.pk}/").status_code == 404
    client.force_login(owner)
    assert client.get(f"/contacts/uploads/{upload.pk}/").status_code == 200
