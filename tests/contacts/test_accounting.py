"""Every row of every upload stays accounted for, and the window holds, whatever is done in whatever order."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contacts.files.rows import AnyRow, read_row
from contacts.models import Contact, FileMetadata, KeyGate, RejectedRow, UnprocessedContact, UploadStatus
from contacts.services import contacts, importing, undo, uploads
from contacts.services.release import release_due
from contacts.services.window import email_gate, phone_gate
from tests.factories import UserFactory

WINDOW = timedelta(seconds=180)
AT_ONCE = 4  # rows: larger undos are left to a worker

# Few keys, so that rows wait for each other; 0 is none, and a row without both is rejected.
sheets_of_few_keys = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=7)
any_number = st.integers(0, 1000)


class Accounting(RuleBasedStateMachine):
    """Uploads, releases, undos, corrections, erasures and deletions of two people."""

    sheets: dict[int, list[AnyRow]] = {}

    @initialize()
    def begin(self) -> None:
        self.clock = timedelta()  # how far the instants in the database were moved back
        self.erased: dict[int, int] = defaultdict(int)
        self.stored: dict[str, list[datetime]] = defaultdict(list)
        self.seen: set[int] = set()
        FileMetadata.objects.all().delete()
        KeyGate.objects.all().delete()
        self.people = [UserFactory(), UserFactory()]

    @rule(pairs=sheets_of_few_keys, person=st.integers(0, 1))
    def upload(self, pairs: list[tuple[int, int]], person: int) -> None:
        created = FileMetadata.objects.create(
            owner=self.people[person],
            name="s.xlsx",
            size=1,
            key=f"k{FileMetadata.objects.count()}-{len(self.seen)}-{self.clock}-{len(self.sheets)}",
            total_rows=len(pairs),
        )
        self.sheets[created.pk] = [
            read_row(number, f"n{number}", f"55500{phone}" if phone else "", f"p{email}@example.com" if email else "")
            for number, (phone, email) in enumerate(pairs, 2)
        ]
        importing.import_due(chunk_rows=3)

    @rule()
    def wait_and_release(self) -> None:
        self.clock += WINDOW
        UnprocessedContact.objects.update(due_at=F("due_at") - WINDOW)
        KeyGate.objects.update(stored_at=F("stored_at") - WINDOW, next_free_at=F("next_free_at") - WINDOW)
        Contact.objects.update(accepted_at=F("accepted_at") - WINDOW)
        release_due()

    def pick(self, rows: Any, number: int) -> Any:
        found = list(rows.order_by("pk"))
        return found[number % len(found)] if found else None

    @rule(number=any_number)
    def undo(self, number: int) -> None:
        if upload := self.pick(FileMetadata.objects.filter(deleted_at=None), number):
            undo.undo_upload(upload=upload)

    @rule(batch_rows=st.integers(1, 3))
    def run_the_worker(self, batch_rows: int) -> None:
        undo.run_due_undos(batch_rows=batch_rows)

    @precondition(lambda self: Contact.objects.exists())
    @rule(number=any_number, phone=st.integers(1, 3))
    def correct(self, number: int, phone: int) -> None:
        contact = self.pick(Contact.objects.all(), number)
        changes = {"phone_number": f"55500{phone}"}
        contacts.correct_contact(owner=contact.owner, contact_id=contact.pk, changes=changes)

    @precondition(lambda self: Contact.objects.exists())
    @rule(number=any_number)
    def erase(self, number: int) -> None:
        contact = self.pick(Contact.objects.all(), number)
        self.erased[contact.upload_id] += contacts.delete_contacts(owner=contact.owner, ids=[contact.pk])

    @precondition(lambda self: UnprocessedContact.objects.exists())
    @rule(number=any_number)
    def erase_waiting(self, number: int) -> None:
        row = self.pick(UnprocessedContact.objects.all(), number)
        self.erased[row.upload_id] += contacts.delete_waiting_rows(owner=row.owner, ids=[row.pk])

    @rule(number=any_number)
    def delete_upload(self, number: int) -> None:
        rows = FileMetadata.objects.filter(deleted_at=None).exclude(status=UploadStatus.UNDOING)
        if upload := self.pick(rows, number):
            before = self.held(upload.pk)
            uploads.delete_upload(upload=upload)
            assert self.held(upload.pk) == before, "contacts and waiting rows stay"

    def held(self, upload_id: int) -> int:
        return sum(model.objects.filter(upload=upload_id).count() for model in (Contact, UnprocessedContact))

    @invariant()
    def every_row_is_in_one_place(self) -> None:
        for upload in FileMetadata.objects.filter(deleted_at=None):
            rejected = RejectedRow.objects.filter(upload=upload).count()
            removed = upload.removed_contacts + upload.removed_waiting
            assert upload.total_rows == self.held(upload.pk) + rejected + removed + self.erased[upload.pk]
            if upload.status == UploadStatus.UNDONE:
                assert self.held(upload.pk) == 0

    @invariant()
    def rows_of_a_key_were_stored_a_window_apart(self) -> None:
        for contact in Contact.objects.exclude(pk__in=self.seen):
            self.seen.add(contact.pk)
            for key in filter(None, (phone_gate(contact.phone_key), email_gate(contact.email_key))):
                self.stored[key].append(contact.accepted_at + self.clock)
        for instants in self.stored.values():
            instants.sort()
            assert all(later - earlier >= WINDOW for earlier, later in zip(instants, instants[1:], strict=False))


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import rows of ``Accounting.sheets`` without files, and leave undos of more than AT_ONCE rows to a worker."""

    def chunks(upload: FileMetadata, chunk_rows: int) -> Any:
        rows = [row for row in Accounting.sheets[upload.pk] if row.row > upload.cursor]
        for start in range(0, len(rows), chunk_rows):
            yield rows[start : start + chunk_rows]

    monkeypatch.setattr(Accounting, "sheets", {})
    monkeypatch.setattr(importing, "_chunks", chunks)
    monkeypatch.setattr(undo, "AT_ONCE", AT_ONCE)


def check(examples: int, steps: int) -> None:
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    limits = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=slow)
    run_state_machine_as_test(Accounting, settings=limits)


@pytest.mark.thorough
@pytest.mark.usefixtures("db", "sheets")
def test_every_row_is_accounted_for_in_a_few_short_histories() -> None:
    check(examples=6, steps=15)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("db", "sheets")
def test_every_row_is_accounted_for_in_many_histories() -> None:
    check(examples=100, steps=40)
