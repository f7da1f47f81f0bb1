"""Writing, reading and deleting notes."""

import pytest

from notes.models import Note

NOTES = "/api/v1/notes/"


def test_a_new_note_reads_as_the_contract_says(owner, user):
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


def test_a_note_needs_nothing(owner):
    note = owner.post(NOTES, {}).json()
    assert (note["title"], note["body"], note["items"], note["color"]) == ("", "", [], "default")


def test_put_replaces_and_patch_changes(owner, note):
    path = f"{NOTES}{note.pk}/"
    assert owner.patch(path, {"title": "Shopping"}).json()["body"] == "for the weekend"
    replaced = owner.put(path, {"body": "nothing else"}).json()
    assert (replaced["title"], replaced["body"], replaced["version"]) == ("", "nothing else", 3)


def test_deleting_is_for_good(owner, note):
    assert owner.delete(f"{NOTES}{note.pk}/").status_code == 204
    assert owner.get(f"{NOTES}{note.pk}/").status_code == 404
    assert not Note.objects.exists()


def test_text_is_kept_as_it_came(owner):
    sent = {"title": "  =1+1 ", "body": "\tone\r\n two  ", "items": [{"text": " a ", "checked": False}]}
    note = owner.post(NOTES, sent).json()
    assert {name: note[name] for name in sent} == sent


@pytest.mark.parametrize(
    "field, value, attr, says",
    [
        ("title", "x" * 1001, "title", "1000"),
        ("body", "x" * 100_001, "body", "100000"),
        ("items", [{"text": "x"}] * 501, "items", "500"),
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
    ],
)
def test_a_bad_field_is_named_with_its_limit(owner, field, value, attr, says):
    answer = owner.post(NOTES, {field: value})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["attr"] == attr
    assert says in error["detail"]
    assert not Note.objects.exists()


@pytest.mark.parametrize("pk", ["0", "999999999", "9" * 30, "9" * 5000])
def test_an_id_that_is_not_there_is_404(owner, pk):
    for method in (owner.get, owner.patch, owner.delete):
        assert method(f"{NOTES}{pk}/").status_code == 404


def test_the_description_names_the_fields_that_postgres_writes(owner, note):
    from notes.serializers import NoteSerializer

    shown = owner.get(f"{NOTES}{note.pk}/").json()
    described = NoteSerializer().fields
    assert list(shown) == list(described)
    assert list(shown["owner"]) == list(described["owner"].fields)
    assert NoteSerializer(shown).data.keys() == shown.keys()


def test_the_copies_on_memberships_follow_the_note(owner, editor, note):
    from django.db.models import F, Q

    from notes.models import Membership

    path = f"{NOTES}{note.pk}/"
    for write in (
        lambda: owner.patch(path, {"title": "x"}),
        lambda: editor.put(path, {"title": "y"}),
        lambda: owner.post(f"{path}trash/"),
        lambda: owner.post(f"{path}restore/"),
        lambda: owner.post(f"{NOTES}bulk/", {"ids": [note.pk], "action": "trash"}),
    ):
        assert write().status_code == 200
        astray = ~Q(updated_at=F("note__updated_at")) | Q(trashed=True, note__trashed_at=None)
        assert not Membership.objects.filter(astray | Q(trashed=False, note__trashed_at__isnull=False)).exists()
