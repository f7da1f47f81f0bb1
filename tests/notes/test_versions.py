"""``ETag`` and ``If-Match``: nothing is silently lost, and nobody's pin is in another's way."""

import threading

import pytest
from django.db import connection, transaction

from accounts.models import User
from notes.models import Note
from notes.services import access
from tests.waiting import wait_until

from .factories import LabelFactory

NOTES = "/api/v1/notes/"


@pytest.fixture
def path(note):
    return f"{NOTES}{note.pk}/"


def test_the_tag_is_the_version_and_a_read_that_has_it_is_304(owner, path):
    first = owner.get(path)
    assert first["ETag"].startswith('"1-')
    again = owner.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    changed = owner.patch(path, {"title": "x"})
    assert changed["ETag"].startswith('"2-')
    assert owner.get(path, headers={"If-None-Match": first["ETag"]}).status_code == 200
    assert owner.get(path)["ETag"] == changed["ETag"]


def test_ones_own_pin_shows_through_the_tag_but_counts_no_version(owner, path):
    before = owner.get(path)["ETag"]
    owner.post(f"{path}pin/")
    fresh = owner.get(path, headers={"If-None-Match": before})
    assert (fresh.status_code, fresh.json()["pinned"], fresh.json()["version"]) == (200, True, 1)
    assert owner.patch(path, {"title": "x"}, headers={"If-Match": before}).status_code == 200


@pytest.mark.parametrize("tag", ['"1"', "1", 'W/"1"', '"7", "1"', "*", '"1-abc123"'])
def test_the_present_version_passes_however_it_is_written(owner, path, tag):
    assert owner.patch(path, {"title": "x"}, headers={"If-Match": tag}).status_code == 200


@pytest.mark.parametrize("tag", ['"2"', '"0"', '"abc"', "nonsense", '"', '"11"', '"1' + "0" * 40 + '"', '"-1"'])
def test_any_other_is_412_with_the_present_version(owner, path, tag):
    answer = owner.patch(path, {"title": "x"}, headers={"If-Match": tag})
    assert answer.status_code == 412
    assert answer["ETag"] == '"1"'
    assert answer.json()["errors"][0]["code"] == "precondition_failed"
    assert "version 1" in answer.json()["errors"][0]["detail"]
    assert Note.objects.get().title == "Groceries"


WRITES = [
    ("put", "", {"title": "x"}), ("patch", "", {"title": "x"}), ("delete", "", None), ("post", "archive/", None),
    ("post", "unarchive/", None), ("post", "pin/", None), ("post", "unpin/", None), ("post", "trash/", None),
    ("put", "reminder/", {"remind_at": "2100-01-01T00:00:00Z"}), ("delete", "reminder/", None),
    ("post", "restore/", None), ("delete", "labels/1/", None),
]  # fmt: skip


@pytest.mark.parametrize("method, route, body", WRITES)
def test_every_write_honours_it(owner, note, path, method, route, body):
    assert getattr(owner, method)(path + route, body, headers={"If-Match": '"9"'}).status_code == 412
    note.refresh_from_db()
    assert note.version == 1


def test_labels_and_sharing_honour_it_too(owner, user, viewer_user, path):
    label = LabelFactory(owner=user)
    stale = {"If-Match": '"9"'}
    code = viewer_user.usercode
    assert owner.post(f"{path}labels/", {"label_ids": [label.pk]}, headers=stale).status_code == 412
    assert owner.post(f"{path}collaborators/", {"usercode": code}, headers=stale).status_code == 412
    assert owner.patch(f"{path}collaborators/{code}/", {"role": "editor"}, headers=stale).status_code == 412
    assert owner.delete(f"{path}collaborators/{code}/", headers=stale).status_code == 412


def test_without_it_the_last_write_wins_and_the_version_counts(owner, editor, path):
    owner.patch(path, {"title": "mine"})
    assert editor.patch(path, {"title": "theirs"}).json()["version"] == 3
    assert owner.get(path).json()["title"] == "theirs"


def at_once(*calls):
    """The answers of ``calls``, made by as many threads that start together."""
    start, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def run(number, call):
        start.wait(10)
        try:
            answers[number] = call()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n, call)) for n, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


@pytest.mark.django_db(transaction=True)
def test_of_two_editors_at_once_the_second_gets_412(owner, editor, note, path):
    for version in range(1, 9):
        tag = {"If-Match": f'"{version}"'}
        answers = at_once(
            lambda tag=tag: owner.patch(path, {"title": "by the owner"}, headers=tag),
            lambda tag=tag: editor.patch(path, {"title": "by the editor"}, headers=tag),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        (won,) = (answer for answer in answers if answer.status_code == 200)
        (lost,) = (answer for answer in answers if answer.status_code == 412)
        assert lost["ETag"] == f'"{version + 1}"'
        assert owner.get(path).json()["title"] == won.json()["title"]


@pytest.mark.django_db(transaction=True)
def test_of_two_labels_of_one_name_at_once_one_is_made(owner, user):
    for n in range(5):
        answers = at_once(
            *[lambda n=n, s=s: owner.post("/api/v1/labels/", {"name": f"{s} {n}"}) for s in ("A", "a", "A")]
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert user.note_labels.count() == 5


@pytest.mark.django_db(transaction=True)
def test_of_two_shares_with_one_person_at_once_one_is_made(owner, stranger, note, path):
    from tests.factories import UserFactory

    for _ in range(5):
        code = UserFactory().usercode
        share = {"usercode": code, "role": "viewer"}
        answers = at_once(*[lambda share=share: owner.post(f"{path}collaborators/", share)] * 3)
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


@pytest.mark.django_db(transaction=True)
def test_a_revoke_racing_reads_and_writes_leaves_nothing_behind(owner, editor, editor_user, note, path):
    share = {"usercode": editor_user.usercode, "role": "editor"}
    for _ in range(8):
        answers = at_once(
            lambda: owner.delete(f"{path}collaborators/{editor_user.usercode}/"),
            lambda: editor.get(path),
            lambda: editor.get(NOTES),
            lambda: editor.patch(path, {"body": "still here"}),
            lambda: editor.post(f"{path}pin/"),
        )
        assert answers[0].status_code == 204
        assert {answer.status_code for answer in answers[1:]} <= {200, 404}
        # Whatever the racing reads have put into the cache, it is not shown any more.
        assert editor.get(path).status_code == 404
        assert editor.get(NOTES).json()["results"] == []
        assert editor.patch(path, {"body": "x"}).status_code == 404
        assert owner.post(f"{path}collaborators/", share).status_code == 201
        assert editor.get(path).status_code == 200
        assert len(editor.get(NOTES).json()["results"]) == 1


@pytest.mark.django_db(transaction=True)
def test_fifty_places_are_not_overrun_by_shares_at_once(owner, note, path):
    from notes.models import Membership, Role
    from tests.factories import UserFactory

    Membership.objects.bulk_create(
        Membership(note=note, user=person, role=Role.VIEWER) for person in UserFactory.create_batch(49)
    )
    codes = [person.usercode for person in UserFactory.create_batch(4)]
    answers = at_once(*[lambda code=code: owner.post(f"{path}collaborators/", {"usercode": code}) for code in codes])
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]


def somebody_waits_for_this_connection():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("leaver", ["owner", "collaborator"])
def test_a_write_and_the_end_of_an_account_do_not_wait_for_each_other(note, user, editor_user, viewer_user, leaver):
    person = {"owner": user, "collaborator": viewer_user}[leaver]
    locked = threading.Event()

    def write():
        with transaction.atomic():
            access.take(by=editor_user, note_ids=[note.pk])
            locked.set()
            wait_until(somebody_waits_for_this_connection, what="the deletion waiting for the note")
            access.announce(by=editor_user, note_ids=[note.pk], action="changed")
        return "written"

    def leave():
        locked.wait(10)
        person.delete()
        return "left"

    assert at_once(write, leave) == ["written", "left"]


@pytest.mark.django_db(transaction=True)
def test_what_a_person_makes_while_their_account_goes_is_409(owner, user):
    def leave():
        with transaction.atomic():
            User.objects.select_for_update().get(pk=user.pk)
            locked.set()
            wait_until(somebody_waits_for_this_connection, what="the label waiting for its person")
            user.delete()

    def make_a_label():
        locked.wait(10)
        return owner.post("/api/v1/labels/", {"name": "Home"}).status_code

    locked = threading.Event()
    assert at_once(leave, make_a_label) == [None, 409]
