"""The window: per key all instants a window apart, every row in exactly one place, in the order of the file."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
import pytest
from django.db import connection, transaction
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st

from contacts import importing, locks, release, window
from contacts.models import Contact, FileMetadata, KeyGate, RejectedRow, UnprocessedContact
from contacts.release import forget_gates, release_due
from contacts.rows import Row
from tests.factories import UserFactory

from .conftest import URL

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WINDOW = timedelta(seconds=180)
DAY = timedelta(days=1)


def row(number: int, phone: int = 0, email: int = 0) -> Row:
    phone_key, email_key = f"{phone:05}" if phone else "", f"p{email}@example.com" if email else ""
    return Row(number, f"row {number}", phone_key, email_key, phone_key, email_key)


rows_with_few_keys = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda keys: keys != (0, 0)), max_size=60
).map(lambda keys: [row(number, *pair) for number, pair in enumerate(keys, 2)])


def test_three_copies_lie_a_window_apart() -> None:
    decision = window.decide([row(n, phone=1) for n in (2, 3, 4)], now=NOW, gates={}, window=WINDOW, backlog=DAY)
    assert [each.row for each in decision.accepted] == [2]
    assert [(each.row, slot) for each, slot, _, _ in decision.deferred] == [(3, NOW + WINDOW), (4, NOW + 2 * WINDOW)]


def test_a_row_waits_for_the_later_of_its_keys_and_says_which_are_busy() -> None:
    rows = [row(2, phone=1), row(3, phone=1), row(4, phone=1, email=7), row(5, email=7), row(6, email=8)]
    decision = window.decide(rows, now=NOW, gates={}, window=WINDOW, backlog=DAY)
    assert [each.row for each in decision.accepted] == [2, 6]
    assert [(each.row, slot, phone, email) for each, slot, phone, email in decision.deferred] == [
        (3, NOW + WINDOW, True, False),
        (4, NOW + 2 * WINDOW, True, False),
        (5, NOW + 3 * WINDOW, False, True),
    ]


def test_what_would_wait_longer_than_the_backlog_is_rejected_and_moves_no_gate() -> None:
    decision = window.decide(
        [row(n, phone=1) for n in range(2, 12)], now=NOW, gates={}, window=WINDOW, backlog=3 * WINDOW
    )
    assert (len(decision.accepted), len(decision.deferred), len(decision.rejected)) == (1, 3, 6)
    assert {each[4][1] for each in decision.rejected} == {"backlog_full"}
    assert decision.gates == {"tel:00001": NOW + 4 * WINDOW}


@given(rows_with_few_keys, st.dictionaries(st.integers(1, 4), st.integers(1, 1000), max_size=3))
def test_slots_of_a_key_lie_a_window_apart_in_the_order_of_the_file(rows: list[Row], busy: dict[int, int]) -> None:
    gates = {f"tel:{phone:05}": NOW + timedelta(seconds=wait) for phone, wait in busy.items()}
    decision = window.decide(rows, now=NOW, gates=gates, window=WINDOW, backlog=DAY)
    slots = [(each, NOW) for each in decision.accepted] + [(each, slot) for each, slot, _, _ in decision.deferred]
    assert sorted(each.row for each, _ in slots) == [each.row for each in rows]
    by_key = defaultdict(list)
    for each, slot in sorted(slots, key=lambda pair: pair[0].row):
        for key in (window.tel(each.phone_key), window.mailto(each.email_key)):
            if key:
                by_key[key].append(slot)
    for key, instants in by_key.items():
        assert all(later - earlier >= WINDOW for earlier, later in zip(instants, instants[1:], strict=False))
        assert instants[0] >= gates.get(key, NOW)
        assert decision.gates[key] == instants[-1] + WINDOW


def assert_the_window_was_kept(length: timedelta) -> None:
    """Per key the instants in Contact lie at least ``length`` apart, and rows of one file are in its order."""
    by_key = defaultdict(list)
    for contact in Contact.objects.order_by("accepted_at", "id"):
        for key in (window.tel(contact.phone_key), window.mailto(contact.email_key)):
            if key:
                by_key[key].append(contact)
    for stored in by_key.values():
        for before, after in zip(stored, stored[1:], strict=False):
            assert after.accepted_at - before.accepted_at >= length
            if before.upload_id == after.upload_id:
                assert before.row < after.row


def assert_every_row_is_in_one_place() -> None:
    for upload in FileMetadata.objects.all():
        places = [
            number
            for model in (Contact, UnprocessedContact, RejectedRow)
            for number in model.objects.filter(upload=upload).values_list("row", flat=True)
        ]
        assert sorted(places) == list(range(2, upload.total_rows + 2))
        assert upload.processed_rows == upload.total_rows


class Killed(Exception):
    """What stands for a worker that dies within a transaction."""


class Fate:
    """Kills the process at chosen moments: those of the given numbers, counted over all that is ``deadly``."""

    def __init__(self, kills: set[int]) -> None:
        self.kills = kills
        self.moments = 0

    def moment(self) -> None:
        self.moments += 1
        if self.moments in self.kills:
            raise Killed

    def deadly(self, real: Callable) -> Callable:
        """``real``, with a moment before it and one after it."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.moment()
            result = real(*args, **kwargs)
            self.moment()
            return result

        return call


@contextmanager
def one_run() -> Iterator[None]:
    """A run that finds no other run's rows and leaves none; kills within it undo what a lost connection would."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


phones = st.sampled_from(["", "5550001", "5550002", "5550003", "no phone"])
emails = st.sampled_from(["", "p1@example.org", "p2@example.org", "p3@example.org", "no address"])
uploads = st.tuples(st.integers(0, 1), st.lists(st.tuples(st.just("a name"), phones, emails), min_size=1, max_size=15))


@hypothesis.settings(
    max_examples=20, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(st.lists(uploads, min_size=1, max_size=4), st.sets(st.integers(1, 150), max_size=12))
def test_no_file_user_or_kill_loses_a_row_or_breaks_the_window(
    api: Any, send: Callable, settings: Any, files: list, kills: set[int]
) -> None:
    """Each chunk has three rows, so that a file has many moments to die at. The window is short, and is waited for."""
    settings.CONTACT_WINDOW = timedelta(milliseconds=20)
    fate = Fate(kills)
    with one_run(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("contacts.reading.CHUNK", 3)
        patch.setattr(release, "BATCH", 4)
        patch.setattr(importing, "MAX_ATTEMPTS", 100)
        for place, name in (
            (window, "store"), (window, "_copy"), (locks, "take_window"), (importing.announcements, "tell"),
        ):  # fmt: skip
            patch.setattr(place, name, fate.deadly(getattr(place, name)))
        people = [api.as_user(UserFactory()) for _ in range(2)]
        for person, rows in files:
            while send(people[person], rows).status_code == 500:
                FileMetadata.objects.filter(stored_at=None).delete()  # what the sweep does, in its time
        while FileMetadata.objects.unfinished().exists() or UnprocessedContact.objects.exists():
            FileMetadata.objects.unfinished().update(due_at=NOW)
            for work in (importing.import_due, release_due):
                with suppress(Killed):
                    work()
        assert FileMetadata.objects.count() == len(files)
        assert_every_row_is_in_one_place()
        assert_the_window_was_kept(settings.CONTACT_WINDOW)


def let_time_pass(by: timedelta) -> None:
    """Move every instant that counts into the past, which is the same as waiting and takes no time."""
    UnprocessedContact.objects.update(due_at=F("due_at") - by)
    KeyGate.objects.update(next_free_at=F("next_free_at") - by)
    KeyGate.objects.exclude(stored_at=None).update(stored_at=F("stored_at") - by)
    Contact.objects.update(accepted_at=F("accepted_at") - by)


def test_after_an_outage_rows_of_one_key_do_not_all_come_at_once(
    signed_in: Any, imported: Callable, settings: Any
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
    assert_the_window_was_kept(settings.CONTACT_WINDOW)


def test_three_copies_are_stored_when_their_turns_come(signed_in: Any, imported: Callable, settings: Any) -> None:
    imported(signed_in, [(f"copy {n}", "5550001", "") for n in range(3)])
    nearly = settings.CONTACT_WINDOW - timedelta(seconds=60)
    for expected in (1, 2):
        let_time_pass(nearly)
        assert release_due() == 0
        let_time_pass(timedelta(seconds=60))
        assert release_due() == 1
        assert UnprocessedContact.objects.count() == 2 - expected
    assert_the_window_was_kept(settings.CONTACT_WINDOW)


def test_a_key_that_looks_free_waits_behind_rows_that_nobody_has_released(
    signed_in: Any, imported: Callable, settings: Any
) -> None:
    imported(signed_in, [("first", "5550001", ""), ("second", "5550001", "")])
    UnprocessedContact.objects.update(due_at=NOW)
    KeyGate.objects.update(stored_at=NOW, next_free_at=NOW)
    assert imported(signed_in, [("third", "5550001", "")])["deferred"] == 1
    assert release_due() == 1
    assert Contact.objects.latest("id").name == "second"


def test_keys_are_compared_over_all_users(signed_in: Any, api: Any, imported: Callable) -> None:
    imported(signed_in, [("Ana", "+374 91 123456", "ana@example.com")])
    stranger = api.as_user(UserFactory())
    assert imported(stranger, [("Ana", "", "ANA@example.com"), ("A.", "0037491123456", "")])["deferred"] == 2
    waiting = stranger.get(f"{URL}unprocessed/").json()["results"]
    assert [each["busy"] for each in waiting] == [["email"], ["phone"]]
    assert "ana@example.com" not in str(waiting).replace("ANA@example.com", "")
    due = datetime.fromisoformat(waiting[0]["due_at"]) - Contact.objects.get().accepted_at
    assert due == timedelta(seconds=180)


def test_gates_that_are_long_free_are_forgotten(signed_in: Any, imported: Callable) -> None:
    imported(signed_in, [("Ana", "5550001", ""), ("Ben", "5550002", "")])
    KeyGate.objects.filter(key="tel:5550001").update(next_free_at=NOW)
    assert forget_gates() == 1
    assert list(KeyGate.objects.values_list("key", flat=True)) == ["tel:5550002"]


def test_a_chunk_asks_as_many_questions_for_thousands_of_rows_as_for_one(
    signed_in: Any, send: Callable, django_assert_max_num_queries: Callable
) -> None:
    send(signed_in, [(f"row {n}", str(5550000 + n), f"p{n}@example.com") for n in range(3000)])
    with django_assert_max_num_queries(45):
        importing.import_due()
    assert Contact.objects.count() == 3000


def test_a_worker_that_was_thought_dead_stops_when_another_has_taken_over(
    signed_in: Any, send: Callable, monkeypatch: Any
) -> None:
    send(signed_in, [(f"row {n}", str(5550000 + n), "") for n in range(6)])
    monkeypatch.setattr("contacts.reading.CHUNK", 2)
    real, chunks = window.store, []

    def store(*args: Any) -> Any:
        chunks.append(args)
        if len(chunks) == 2:
            FileMetadata.objects.update(epoch=99)
        return real(*args)

    monkeypatch.setattr(window, "store", store)
    assert importing.import_due() == 0
    # The second chunk's transaction had the row locked before the other came; the third finds a new epoch.
    assert Contact.objects.count() == 4
    assert importing.import_due() == 1
    assert_every_row_is_in_one_place()


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
def test_copy_keeps_every_text_as_it_is(db: None, rows: list[tuple[str, str]]) -> None:
    with one_run(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE kept (number serial, one text, two text) ON COMMIT DROP")
        window._copy(cursor, "kept (one, two)", rows)
        cursor.execute("SELECT one, two FROM kept ORDER BY number")
        assert cursor.fetchall() == rows


def test_the_line_of_one_who_leaves_is_nobody_s_wait(api: Any, imported: Callable) -> None:
    """Their keys are free a window after they were last stored, behind what others have waiting of them."""
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
