import pytest

from tests.conftest import Client
from tests.factories import UserFactory

from .factories import csv_bytes, upload


@pytest.mark.django_db
def test_the_data_export_lists_the_imports_of_its_user_only(api: Client) -> None:
    ann, ben = (api.as_user(UserFactory(is_staff=True)) for _ in range(2))
    for client, name in ((ann, "ann.csv"), (ben, "ben.csv")):
        response = client.post("/api/v1/trends/imports/", {"file": upload(csv_bytes(), name)}, format="multipart")
        assert response.status_code == 202
    runs = ann.get("/api/v1/auth/export/").json()["trends"]["imports"]
    assert [run["name"] for run in runs] == ["ann.csv"]
