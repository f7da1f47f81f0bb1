"""Create, read, change and delete notes."""

from typing import Any

import pytest
from django.db import DataError, IntegrityError, transaction
from django.db.models import F, Q
from rest_framework.exceptions import ValidationError

from accounts.models import User
from config.cache.generations import current_generation
from notes.models import Membership, Note
from notes.serializers import NoteSerializer
from notes.services.notes import create_note
from notes.services.quota import content_size
from tests.conftest import Client

from .factories import LabelFactory

NOTES = "/api/v1/notes/"


def test_a_new_note_has_all_documented_fields(owner: Client, user: User) -> None:
    items = [{"text": "towel", "checked": True}, {"text": "hat"}]
    answer = owner.post(NOTES, {"title": "Trip", "body": "to the sea", "items": items, "color": "teal"})
    assert answer.status_code == 201
    note = answer.json()
    assert list(note) == [
        "id", "title", "body", "items", "color", "role", "owner", "collaborators", "labels", "pinned", "archived",
        "remind_at", "trashed_at", "purge_at", "version", "created_at", "updated_at",
    ]  # fmt: skip
    assert note["items"] == [{"text": "towel", "checked": True}, {"text": "hat", "checked": False}]
    assert note["owner"] == {"usercode": user.usercode, "username": user.username}
    assert (note["role"], note["version"], note["collaborators"], note["labels"]) == ("owner", 1, [], [])
    assert (note["pinned"], note["archived"], note["remind_at"], note["trashed_at"]) == (False, False, None, None)
    assert note["created_at"].endswith("Z")
    assert owner.get(f"{NOTES}{note['id']}/").json() == note


def test_a_new_note_is_answered_like_a_read_and_needs_one_statement(
    owner: Client, user: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):  # the session, and everything else together
        created = owner.post(NOTES, {"title": "Trip"})
    read = owner.get(f"{NOTES}{created.json()['id']}/")
    assert (created.content, created["ETag"]) == (read.content, read["ETag"])
    labelled = owner.post(NOTES, {"label_ids": [LabelFactory(owner=user).pk]})
    assert owner.get(f"{NOTES}{labelled.json()['id']}/").content == labelled.content


@pytest.mark.django_db(transaction=True)
def test_a_note_that_cannot_be_created_leaves_nothing(user: User) -> None:
    """Also outside of a transaction, where the statements of the insert are one."""
    before = current_generation(f"notes:{user.pk}")
    with pytest.raises(IntegrityError):
        create_note(owner=User(pk=user.pk + 1))  # found when the foreign keys are checked, after the inserts
    with pytest.raises(IntegrityError):
        create_note(owner=user, color="no color")
    with pytest.raises(ValidationError):
        create_note(owner=user, label_ids=[1])
    assert not Note.objects.exists()
    assert not Membership.objects.exists()
    assert current_generation(f"notes:{user.pk}") == before


def test_all_fields_are_optional(owner: Client) -> None:
    note = owner.post(NOTES, {}).json()
    assert (note["title"], note["body"], note["items"], note["color"]) == ("", "", [], "default")


def test_put_replaces_and_patch_changes_fields(owner: Client, note: Note) -> None:
    path = f"{NOTES}{note.pk}/"
    assert owner.patch(path, {"title": "Shopping"}).json()["body"] == "for the weekend"
    replaced = owner.put(path, {"body": "nothing else"}).json()
    assert (replaced["title"], replaced["body"], replaced["version"]) == ("", "nothing else", 3)


def test_a_deleted_note_is_gone(owner: Client, note: Note) -> None:
    assert owner.delete(f"{NOTES}{note.pk}/").status_code == 204
    assert owner.get(f"{NOTES}{note.pk}/").status_code == 404
    assert not Note.objects.exists()


def test_text_is_stored_unchanged(owner: Client) -> None:
    sent = {"title": "  =1+1 ", "body": "\tone\r\n two  ", "items": [{"text": " a ", "checked": False}]}
    note = owner.post(NOTES, sent).json()
    assert {name: note[name] for name in sent} == sent


@pytest.mark.parametrize(
    "field, value, attr, says",
    [
        ("title", "x" * 1001, "title", "1000"),
        ("body", "x" * 100_001, "body", "100000"),
        ("items", [{"text": "x"}] * 1001, "items", "1000"),
        ("items", [{"text": "x" * 1001}], "items.0.text", "1000"),
        ("label_ids", list(range(1, 102)), "label_ids", "100"),
        ("label_ids", [999_999], "label_ids", "999999"),
        ("label_ids", [2**63], "label_ids.0", "9223372036854775807"),
        ("color", "octarine", "color", "yellow"),
        ("title", "a\x00b", "title", "Null"),
        ("items", {"text": "x"}, "items", "list"),
        ("items", [{"checked": True}], "items.0.text", "required"),
        ("items", [{"text": "x", "checked": "perhaps"}], "items.0.checked", "boolean"),
        ("body", None, "body", "null"),
        ("body", ["x"], "body", "string"),
        ("body", "e" + "\u0301\u0327" * 16, "body", "combining marks"),
        ("items", [{"text": "e" + "\u0301" * 31}], "items.0.text", "combining marks"),
    ],
)
def test_an_invalid_field_is_named_with_its_limit(owner: Client, field: str, value: Any, attr: Any, says: str) -> None:
    answer = owner.post(NOTES, {field: value})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["attr"] == attr
    assert says in error["detail"]
    assert not Note.objects.exists()


@pytest.mark.parametrize("items, attr", [
    ([{}], "items.0.text"), ([{"text": "a"}, {"checked": True}], "items.1.text"), ([{"text": None}], "items.0.text"),
    (["x"], "items.0.non_field_errors"), ([{"text": "a", "checked": "perhaps"}], "items.0.checked"),
])  # fmt: skip
def test_items_are_validated_completely_in_patch(
    owner: Client, editor: Client, path: str, items: Any, attr: str
) -> None:
    for client in (owner, editor):
        answer = client.patch(path, {"items": items})
        assert answer.status_code == 400
        assert [error["attr"] for error in answer.json()["errors"]] == [attr]
    assert owner.get(path).json()["items"] == []


def test_checked_is_false_by_default_in_patch_too(owner: Client, path: str) -> None:
    assert owner.patch(path, {"items": [{"text": "eggs"}]}).json()["items"] == [{"text": "eggs", "checked": False}]


@pytest.mark.parametrize(
    "items", [[{"text": "x"}], [{"checked": True}], ["x"], {}, [{"text": 1, "checked": True}], None]
)
def test_postgres_refuses_invalid_items(note: Note, items: Any) -> None:
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        Note.objects.filter(pk=note.pk).update(items=items)


@pytest.mark.parametrize("settings_of_quota", [
    {"NOTES_MAX_PER_USER": 2}, {"NOTES_MAX_BYTES_PER_USER": 150},
    {"NOTES_MAX_PER_USER": 0, "NOTES_MAX_BYTES_PER_USER": 0},
])  # fmt: skip
def test_a_note_beyond_the_quota_is_409(owner: Client, note: Note, settings: Any, settings_of_quota: Any) -> None:
    owner.post(NOTES, {"title": "x", "body": "y" * 80})
    for name, value in settings_of_quota.items():
        setattr(settings, name, value)
    answer = owner.post(NOTES, {"title": "x", "body": "y" * 80})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "quota_exceeded")
    assert Note.objects.count() == 2
    assert owner.patch(f"{NOTES}{note.pk}/", {"title": "short", "body": ""}).status_code == 200


def test_an_edit_that_exceeds_the_owners_quota_is_409(
    owner: Client, editor: Client, path: str, note: Note, settings: Any
) -> None:
    settings.NOTES_MAX_BYTES_PER_USER = 100
    for client in (owner, editor):
        assert client.patch(path, {"body": "é" * 50}).json()["errors"][0]["code"] == "quota_exceeded"
    assert editor.patch(path, {"body": "x" * 50}).status_code == 200
    # A full quota does not prevent changes that need no room.
    settings.NOTES_MAX_BYTES_PER_USER = 1
    assert owner.patch(path, {"body": "y" * 50}).status_code == 200
    note.refresh_from_db()
    assert note.size == content_size(note.title, note.body, note.items)


@pytest.mark.parametrize("pk", ["0", "999999999", "9" * 30, "9" * 5000])
def test_an_unknown_id_is_404(owner: Client, pk: str) -> None:
    for method in (owner.get, owner.patch, owner.delete):
        assert method(f"{NOTES}{pk}/").status_code == 404


def test_the_serializer_describes_the_json_that_postgres_builds(owner: Client, note: Note) -> None:
    shown = owner.get(f"{NOTES}{note.pk}/").json()
    described = NoteSerializer().fields
    assert list(shown) == list(described)
    assert list(shown["owner"]) == list(described["owner"].fields)
    assert NoteSerializer(shown).data.keys() == shown.keys()


def test_memberships_have_the_same_updated_at_and_trashed_as_their_note(
    owner: Client, editor: Client, note: Note
) -> None:
    path = f"{NOTES}{note.pk}/"
    for write in (
        lambda: owner.patch(path, {"title": "x"}),
        lambda: editor.put(path, {"title": "y"}),
        lambda: owner.post(f"{path}trash/"),
        lambda: owner.post(f"{path}restore/"),
        lambda: owner.post(f"{NOTES}bulk/", {"ids": [note.pk], "action": "trash"}),
    ):
        assert write().status_code == 200
        different = ~Q(updated_at=F("note__updated_at")) | Q(trashed=True, note__trashed_at=None)
        assert not Membership.objects.filter(different | Q(trashed=False, note__trashed_at__isnull=False)).exists()
