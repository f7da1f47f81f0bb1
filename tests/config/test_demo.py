"""``manage.py demo``: something to look at, with passwords that are shown once."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from contacts.models import FileMetadata
from messaging.models import Message
from notes.models import Note

pytestmark = pytest.mark.django_db


def demo(*arguments: str) -> str:
    said = io.StringIO()
    call_command("demo", *arguments, stdout=said)
    return said.getvalue()


@pytest.fixture
def this_machine(settings):
    settings.PUBLIC_URL = "http://localhost:8000"


@pytest.mark.usefixtures("this_machine")
def test_its_people_can_sign_in_with_what_it_prints_and_find_their_things(api):
    for account in json.loads(demo("--json")):
        answer = api.post("/api/v1/auth/login/", {"username": account["login"], "password": account["password"]})
        assert answer.status_code == 200
        client = api.__class__()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
        assert client.get("/api/v1/messages/").json()["results"]
    assert FileMetadata.objects.filter(owner__username="ann").exists()


@pytest.mark.usefixtures("this_machine")
def test_a_second_run_adds_nothing_and_sets_new_passwords():
    first = json.loads(demo("--json"))
    rows = Note.objects.count(), Message.objects.count(), User.objects.count()
    second = json.loads(demo("--json"))
    assert (Note.objects.count(), Message.objects.count(), User.objects.count()) == rows
    assert {a["password"] for a in first}.isdisjoint(a["password"] for a in second)


def test_it_refuses_on_a_site_that_others_reach_unless_told(settings):
    settings.PUBLIC_URL = "https://atrium.example.org"
    with pytest.raises(CommandError, match="do not belong there"):
        demo()
    assert not User.objects.exists()
    assert "ann" in demo("--production")
