"""An installation of an earlier version is upgraded with its data."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.models import User
from notes.models import Label, MembershipLabel, Note, NoteImport

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(name: str) -> Any:
    """Migrate the app to ``name`` and return its models at that state."""
    executor = MigrationExecutor(connection)
    executor.migrate([("notes", name)])
    return MigrationExecutor(connection).loader.project_state([("notes", name)]).apps


@pytest.fixture
def first_version() -> Iterator[Any]:
    """The models of the first version, for rows to upgrade; the present version is restored at the end."""
    yield migrate("0001_initial")
    upgrade()


def upgrade() -> None:
    migrate(MigrationExecutor(connection).loader.graph.leaf_nodes("notes")[0][1])


INCOMPLETE_ITEMS = [
    [{"text": "eggs"}, {}, {"text": "milk", "checked": True, "more": 1}, "x", {"text": 5, "checked": "yes"}],
    {"text": "no list"},
]
REPAIRED_ITEMS = [
    [
        {"text": "eggs", "checked": False}, {"text": "", "checked": False}, {"text": "milk", "checked": True},
        {"text": "", "checked": False}, {"text": "", "checked": False},
    ],
    [],
]  # fmt: skip


def add_incomplete_items(user: User) -> None:
    insert = (
        "INSERT INTO notes_note (owner_id, title, body, color, version, items) VALUES (%s, 'old', '', 'red', 7, %s)"
    )
    with connection.cursor() as cursor:
        # The function behind this column fails for items that are no list.
        cursor.execute("ALTER TABLE notes_note DROP COLUMN search_text")
        cursor.executemany(insert, [(user.pk, json.dumps(items)) for items in INCOMPLETE_ITEMS])
        cursor.execute(
            "ALTER TABLE notes_note ADD COLUMN search_text text GENERATED ALWAYS AS (title) STORED;"
            "CREATE INDEX note_search ON notes_note USING gin (search_text gin_trgm_ops)"
        )


def add_imports(user: User, imports: Any, now: datetime) -> None:
    fields: dict[str, Any] = {"user_id": user.pk, "size": 1, "file": "x", "total": 9, "processed": 4, "created": 4}
    rows: dict[str, dict[str, Any]] = {
        "queued": {"processed": 0, "created": 0}, "processing": {}, "completed": {"done_at": now, "finished_at": now},
        "completed_with_errors": {"done_at": now, "finished_at": now, "rejected": 1},
        "failed": {"failed_at": now, "finished_at": now, "error": "why"},
    }  # fmt: skip
    for status, more in rows.items():
        imports.create(name=status, status=status, **{**fields, **more})


def add_labels(user: User, first_version: Any) -> list[int]:
    """Create labels and attach some of them; return the ids of those without a visible name."""

    def table(model: str) -> Any:
        return first_version.get_model("notes", model).objects

    names = ["Home", "Ho\u200bme", "\u200b", "\u3164", "zebra", "éclair"]
    labels = [table("Label").create(owner_id=user.pk, name=name, key=name.lower()) for name in names]
    for chosen in (labels[:2], labels[1:3]):
        note = table("Note").create(owner_id=user.pk)
        membership = table("Membership").create(user_id=user.pk, note=note, role="owner")
        for label in chosen:
            table("MembershipLabel").create(membership=membership, label=label)
    return [label.pk for label in labels[2:4]]


def test_the_first_version_is_upgraded_with_its_data(user: User, first_version: Any) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    add_imports(user, first_version.get_model("notes", "NoteImport").objects, now)
    nameless = [f"Label {pk}" for pk in add_labels(user, first_version)]
    add_incomplete_items(user)
    upgrade()

    # Incomplete items are repaired, and the search column is computed again.
    notes = list(Note.objects.filter(title="old").order_by("pk"))
    assert [note.items for note in notes] == REPAIRED_ITEMS
    assert (notes[0].version, notes[0].search_text.split()) == (7, ["old", "eggs", "milk"])

    # Imports keep their state. An unfinished one begins again: the notes that it has created are duplicates then.
    for row in NoteImport.objects.all():
        assert row.status == row.name
        assert row.finished_at == (None if row.name in ("queued", "processing") else now)
    assert NoteImport.objects.get(name="processing").cursor == 0
    assert NoteImport.objects.get(name="completed").processed == 4

    # Labels that differ only in invisible characters become one, and a label without a visible name gets one.
    assert [label.name for label in Label.objects.all()] == ["éclair", "Home", *nameless, "zebra"]
    attached = MembershipLabel.objects.order_by("membership_id", "label_id").values_list("label__name", flat=True)
    assert list(attached) == ["Home", "Home", nameless[0]]
