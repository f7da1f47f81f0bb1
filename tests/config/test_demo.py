"""``manage.py demo``: demo accounts, with passwords that are printed once."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from accounts.models import User
from contacts.models import FileMetadata
from messaging.models import Message
from notes.models import Note
from trends import representation
from trends.models import Change, ImportRun, Trend

from ..conftest import Client

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]


def demo(*arguments: str) -> str:
    output = io.StringIO()
    call_command("demo", *arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def local_site(settings: Any) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"


@pytest.mark.usefixtures("local_site")
def test_the_demo_accounts_can_sign_in_with_the_printed_passwords(api: Client) -> None:
    for account in json.loads(demo("--json")):
        response = api.post("/api/v1/auth/login/", {"username": account["login"], "password": account["password"]})
        assert response.status_code == 200
        client = Client()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {response.json()['access']}")
        assert client.get("/api/v1/messages/").json()["results"]
    assert FileMetadata.objects.filter(owner__username="ann").count() == 2
    # The trends have a past: counts that differ from year to year.
    states = representation.counts_over_time(Trend.objects.values_list("pk", flat=True))
    assert max(map(len, states.values())) == 5
    assert Change.objects.filter(before_at__lt=Now() - timedelta(days=300)).exists()
    assert [run.created_at for run in ImportRun.objects.all()] == sorted(
        (run.created_at for run in ImportRun.objects.all()), reverse=True
    )


@pytest.mark.usefixtures("local_site")
def test_a_second_run_creates_nothing_and_sets_new_passwords() -> None:
    first = json.loads(demo("--json"))
    rows = Note.objects.count(), Message.objects.count(), User.objects.count()
    second = json.loads(demo("--json"))
    assert (Note.objects.count(), Message.objects.count(), User.objects.count()) == rows
    assert {a["password"] for a in first}.isdisjoint(a["password"] for a in second)


@pytest.mark.usefixtures("local_site")
def test_the_output_lists_addresses_and_passwords_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        lines = demo().splitlines()
    assert caplog.records == []
    ann = next(line.split() for line in lines if line.startswith("  ann"))
    assert ann[1] == "ann@demo.example"
    assert User.objects.get(username="ann").check_password(ann[2])
    assert ann[4] == "staff"


def test_a_public_site_needs_the_production_option(settings: Any) -> None:
    settings.PUBLIC_URL = "https://atrium.example.org"
    with pytest.raises(CommandError, match="do not belong on a public site"):
        demo()
    assert not User.objects.exists()
    assert "ann" in demo("--production")
