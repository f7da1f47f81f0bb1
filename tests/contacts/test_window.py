"""The window: rows of one key are stored a window apart, in the order of the file, each in exactly one table."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
import pytest
from django.db import connection
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st

from contacts.files.rows import Row
from contacts.models import Contact, FileMetadata, KeyGate, RejectedRow, UnprocessedContact
from contacts.services import window
from contacts.services.importing import import_due
from contacts.services.release import delete_expired_gates, release_due
from tests.conftest import Client
from tests.factories import UserFactory

from .conftest import URL, Send

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WINDOW = timedelta(seconds=180)
DAY = timedelta(days=1)


def row(number: int, phone: int = 0, email: int = 0) -> Row:
    phone_key, email_key = f"{phone:05}" if phone else "", f"p{email}@example.com" if email else ""
    return Row(number, f"row {number}", phone_key, email_key, phone_key, email_key)


rows_with_few_keys = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda keys: keys != (0, 0)), max_size=60
).map(lambda keys: [row(number, *pair) for number, pair in enumerate(keys, 2)])


def test_three_copies_get_slots_a_window_apart() -> None:
    decision = window.decide([row(n, phone=1) for n in (2, 3, 4)], now=NOW, gates={}, window=WINDOW, backlog=DAY)
    assert [each.row for each in decision.accepted] == [2]
    assert [(each.row, slot) for each, slot, _, _ in decision.deferred] == [(3, NOW + WINDOW), (4, NOW + 2 * WINDOW)]


def test_a_row_waits_for_the_later_of_its_keys_and_shows_which_are_busy() -> None:
    rows = [row(2, phone=1), row(3, phone=1), row(4, phone=1, email=7), row(5, email=7), row(6, email=8)]
    decision = window.decide(rows, now=NOW, gates={}, window=WINDOW, backlog=DAY)
    assert [each.row for each in decision.accepted] == [2, 6]
    assert [(each.row, slot, phone, email) for each, slot, phone, email in decision.deferred] == [
        (3, NOW + WINDOW, True, False),
        (4, NOW + 2 * WINDOW, True, False),
        (5, NOW + 3 * WINDOW, False, True),
    ]


def test_a_row_that_would_wait_longer_than_the_backlog_is_rejected_and_moves_no_gate() -> None:
    decision = window.decide(
        [row(n, phone=1) for n in range(2, 12)], now=NOW, gates={}, window=WINDOW, backlog=3 * WINDOW
    )
    assert (len(decision.accepted), len(decision.deferred), len(decision.rejected)) == (1, 3, 6)
    assert {each.fault.code for each in decision.rejected} == {"backlog_full"}
    assert decision.gates == {"tel:00001": NOW + 4 * WINDOW}


@given(rows_with_few_keys, st.dictionaries(st.integers(1, 4), st.integers(1, 1000), max_size=3))
def test_slots_of_a_key_are_a_window_apart_in_the_order_of_the_file(rows: list[Row], busy: dict[int, int]) -> None:
    gates = {f"tel:{phone:05}": NOW + timedelta(seconds=wait) for phone, wait in busy.items()}
    decision = window.decide(rows, now=NOW, gates=gates, window=WINDOW, backlog=DAY)
    slots = [(each, NOW) for each in decision.accepted] + [(each, slot) for each, slot, _, _ in decision.deferred]
    assert sorted(each.row for each, _ in slots) == [each.row for each in rows]
    by_key = defaultdict(list)
    for each, slot in sorted(slots, key=lambda pair: pair[0].row):
        for key in (window.phone_gate(each.phone_key), window.email_gate(each.email_key)):
            if key:
                by_key[key].append(slot)
    for key, instants in by_key.items():
        assert all(later - earlier >= WINDOW for earlier, later in zip(instants, instants[1:], strict=False))
        assert instants[0] >= gates.get(key, NOW)
        assert decision.gates[key] == instants[-1] + WINDOW


def assert_the_window_was_respected(length: timedelta) -> None:
    """Assert that rows of a key were stored at least ``length`` apart, and rows of one file in its order."""
    by_key = defaultdict(list)
    for contact in Contact.objects.order_by("accepted_at", "id"):
        for key in (window.phone_gate(contact.phone_key), window.email_gate(contact.email_key)):
            if key:
                by_key[key].append(contact)
    for stored in by_key.values():
        for before, after in zip(stored, stored[1:], strict=False):
            assert after.accepted_at - before.accepted_at >= length
            if before.upload_id == after.upload_id:
                assert before.row < after.row


def assert_every_row_is_in_one_table() -> None:
    for upload in FileMetadata.objects.all():
        rows = [
            number
            for model in (Contact, UnprocessedContact, RejectedRow)
            for number in model.objects.filter(upload=upload).values_list("row", flat=True)
        ]
        assert sorted(rows) == list(range(2, upload.total_rows + 2))
        assert upload.processed_rows == upload.total_rows


class Killed(BaseException):
    """The worker dies: no code handles this."""


class Killer:
    """Kill the process before the SQL statements with the given numbers, counted over the whole test."""

    def __init__(self, at: set[int]) -> None:
        self.at = at
        self.statements = 0

    def __call__(self, execute: Callable, sql: str, *arguments: Any) -> Any:
        # Ending a transaction stands for what Postgres does when it loses the connection, so it always succeeds.
        if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.statements += 1
            if self.statements in self.at:
                raise Killed
        return execute(sql, *arguments)


phones = st.sampled_from(["", "5550001", "5550002", "5550003", "no phone"])
emails = st.sampled_from(["", "p1@example.org", "p2@example.org", "p3@example.org", "no address"])
sheets = st.tuples(st.integers(0, 1), st.lists(st.tuples(st.just("a name"), phones, emails), min_size=1, max_size=15))


@pytest.mark.thorough
@hypothesis.settings(
    max_examples=20, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(st.lists(sheets, min_size=1, max_size=4), st.sets(st.integers(1, 600), max_size=12))
def test_no_file_user_or_kill_loses_a_row_or_breaks_the_window(
    api: Client, send: Send, settings: Any, files: list, kills: set[int]
) -> None:
    """Chunks of three rows give a file many moments to die at; the window is so short that the test waits for it."""
    settings.CONTACT_WINDOW = timedelta(milliseconds=20)
    FileMetadata.objects.all().delete()
    KeyGate.objects.all().delete()
    people = [api.as_user(UserFactory()) for _ in range(2)]
    for person, rows in files:
        assert send(people[person], rows).status_code == 202
    with connection.execute_wrapper(Killer(kills)):
        while True:
            with suppress(Killed):
                if not FileMetadata.objects.unfinished().exists() and not UnprocessedContact.objects.exists():
                    break
                FileMetadata.objects.unfinished().update(due_at=NOW, attempts=0)
                import_due(chunk_rows=3)
                release_due(batch_rows=4)
    assert FileMetadata.objects.count() == len(files)
    assert_every_row_is_in_one_table()
    assert_the_window_was_respected(settings.CONTACT_WINDOW)


def let_time_pass(by: timedelta) -> None:
    """Move every stored instant into the past, which has the effect of waiting."""
    UnprocessedContact.objects.update(due_at=F("due_at") - by)
    KeyGate.objects.update(next_free_at=F("next_free_at") - by)
    KeyGate.objects.exclude(stored_at=None).update(stored_at=F("stored_at") - by)
    Contact.objects.update(accepted_at=F("accepted_at") - by)


def test_after_an_outage_rows_of_one_key_are_not_all_stored_at_once(
    signed_in: Client, imported: Send, settings: Any
) -> None:
    imported(signed_in, [(f"copy {n}", "5550001", "") for n in range(4)])
    let_time_pass(timedelta(hours=1))
    assert release_due() == 1
    assert release_due() == 0
    stored = Contact.objects.latest("accepted_at").accepted_at
    assert list(UnprocessedContact.objects.values_list("due_at", flat=True)) == [stored + settings.CONTACT_WINDOW] * 2
    imported(signed_in, [("a late comer", "5550001", "")])
    for _ in range(6):
        let_time_pass(settings.CONTACT_WINDOW)
        assert release_due() <= 1
    names = Contact.objects.order_by("accepted_at").values_list("name", flat=True)
    assert list(names) == ["copy 0", "copy 1", "copy 2", "copy 3", "a late comer"]
    assert_the_window_was_respected(settings.CONTACT_WINDOW)


def test_three_copies_are_stored_when_they_are_due(signed_in: Client, imported: Send, settings: Any) -> None:
    imported(signed_in, [(f"copy {n}", "5550001", "") for n in range(3)])
    nearly = settings.CONTACT_WINDOW - timedelta(seconds=60)
    for expected in (1, 2):
        let_time_pass(nearly)
        assert release_due() == 0
        let_time_pass(timedelta(seconds=60))
        assert release_due() == 1
        assert UnprocessedContact.objects.count() == 2 - expected
    assert_the_window_was_respected(settings.CONTACT_WINDOW)


def test_a_key_that_looks_free_waits_behind_rows_that_were_not_released(
    signed_in: Client, imported: Send, settings: Any
) -> None:
    imported(signed_in, [("first", "5550001", ""), ("second", "5550001", "")])
    UnprocessedContact.objects.update(due_at=NOW)
    KeyGate.objects.update(stored_at=NOW, next_free_at=NOW)
    assert imported(signed_in, [("third", "5550001", "")])["deferred"] == 1
    assert release_due() == 1
    assert Contact.objects.latest("id").name == "second"


def test_keys_are_compared_over_all_users(signed_in: Any, api: Client, imported: Send) -> None:
    imported(signed_in, [("Ana", "+374 91 123456", "ana@example.com")])
    stranger = api.as_user(UserFactory())
    assert imported(stranger, [("Ana", "", "ANA@example.com"), ("A.", "0037491123456", "")])["deferred"] == 2
    waiting = stranger.get(f"{URL}unprocessed/").json()["results"]
    assert [each["busy"] for each in waiting] == [["email"], ["phone"]]
    assert "ana@example.com" not in str(waiting).replace("ANA@example.com", "")
    due = datetime.fromisoformat(waiting[0]["due_at"]) - Contact.objects.get().accepted_at
    assert due == timedelta(seconds=180)


def test_expired_gates_are_deleted(signed_in: Client, imported: Send) -> None:
    imported(signed_in, [("Ana", "5550001", ""), ("Ben", "5550002", "")])
    KeyGate.objects.filter(key="tel:5550001").update(next_free_at=NOW)
    assert delete_expired_gates() == 1
    assert list(KeyGate.objects.values_list("key", flat=True)) == ["tel:5550002"]


def test_an_import_of_thousands_of_rows_needs_few_queries(
    signed_in: Client, send: Send, django_assert_max_num_queries: Callable
) -> None:
    send(signed_in, [(f"row {n}", str(5550000 + n), f"p{n}@example.com") for n in range(3000)])
    with django_assert_max_num_queries(45):
        import_due()
    assert Contact.objects.count() == 3000


@hypothesis.settings(
    max_examples=50, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"))] * 2),
        min_size=1,
        max_size=4,
    )
)
def test_copy_stores_every_text_unchanged(db: None, rows: list[tuple[str, str]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE copied (number serial, one text, two text)")
        window.copy_rows(cursor, "copied (one, two)", rows)
        cursor.execute("SELECT one, two FROM copied ORDER BY number")
        assert cursor.fetchall() == rows
        cursor.execute("DROP TABLE copied")


def test_the_slots_of_a_deleted_user_are_freed(api: Client, imported: Send) -> None:
    ann, ben, cleo = UserFactory.create_batch(3)
    imported(api.as_user(ann), [("Ann", "5550001", "")] * 20 + [("Ann", "5550002", "a@example.com")] * 20)
    imported(api.as_user(ben), [("Ben", "5550001", "")])
    ann.delete()
    imported(api.as_user(cleo), [("Cleo", "5550001", ""), ("Cleo", "5550002", ""), ("Cleo", "", "a@example.com")])
    stored = {gate.key: gate.stored_at for gate in KeyGate.objects.all()}
    due = {(row.name, row.phone_key or row.email_key): row.due_at for row in UnprocessedContact.objects.all()}
    assert due == {
        ("Ben", "5550001"): stored["tel:5550001"] + 20 * WINDOW,
        ("Cleo", "5550001"): stored["tel:5550001"] + 21 * WINDOW,
        ("Cleo", "5550002"): stored["tel:5550002"] + WINDOW,
        ("Cleo", "a@example.com"): stored["mailto:a@example.com"] + WINDOW,
    }


def test_gates_have_no_index_but_their_key(db: Any) -> None:
    """An import writes two gates for each row, so a second index costs time and space."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'contacts_keygate'")
        assert cursor.fetchall() == [("contacts_keygate_pkey",)]
