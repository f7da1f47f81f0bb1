"""``ETag``, ``If-Match`` and concurrent writes."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from notes.models import Membership, Note, Role
from notes.services import access, events
from tests.conftest import Client
from tests.factories import UserFactory
from tests.waiting import wait_until

from .factories import LabelFactory, make_note

NOTES = "/api/v1/notes/"


def test_the_etag_contains_the_version_and_gives_304(owner: Client, path: str) -> None:
    first = owner.get(path)
    assert first["ETag"].startswith('"1-')
    again = owner.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    changed = owner.patch(path, {"title": "x"})
    assert changed["ETag"].startswith('"2-')
    assert owner.get(path, headers={"If-None-Match": first["ETag"]}).status_code == 200
    assert owner.get(path)["ETag"] == changed["ETag"]


def test_a_pin_changes_the_etag_but_not_the_version(owner: Client, path: str) -> None:
    before = owner.get(path)["ETag"]
    owner.post(f"{path}pin/")
    fresh = owner.get(path, headers={"If-None-Match": before})
    assert (fresh.status_code, fresh.json()["pinned"], fresh.json()["version"]) == (200, True, 1)
    assert owner.patch(path, {"title": "x"}, headers={"If-Match": before}).status_code == 200


@pytest.mark.parametrize("tag", [
    '"1"', "1", 'W/"1"', '"7", "1"', "*", '"1-abc123"', '"1-abc123-gzip"', 'W/"1-abc123-gzip"',
    '"1-abc123;gzip"', '"1-abc123--br"', '"1-abc123"-gzip', '"1-gzip"', 'W/"2", W/"1-abc123-df"', '"1-abc123:zstd"',
])  # fmt: skip
def test_if_match_accepts_the_current_version_in_any_form(owner: Client, path: str, tag: str) -> None:
    assert owner.patch(path, {"title": "x"}, headers={"If-Match": tag}).status_code == 200


@pytest.mark.parametrize("tag", ['"2"', '"0"', '"abc"', "nonsense", '"', '"11"', '"1' + "0" * 40 + '"', '"-1"', '"2-1"',
    '"abc-1"', '"12-gzip"', '"1 x"',
])  # fmt: skip
def test_if_match_with_another_version_is_412(owner: Client, path: str, tag: str) -> None:
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
def test_every_write_checks_if_match(owner: Client, note: Note, path: str, method: str, route: str, body: Any) -> None:
    assert getattr(owner, method)(path + route, body, headers={"If-Match": '"9"'}).status_code == 412
    note.refresh_from_db()
    assert note.version == 1


def test_labels_and_sharing_check_if_match(owner: Client, user: User, viewer_user: User, path: str) -> None:
    label = LabelFactory(owner=user)
    stale = {"If-Match": '"9"'}
    code = viewer_user.usercode
    assert owner.post(f"{path}labels/", {"label_ids": [label.pk]}, headers=stale).status_code == 412
    assert owner.post(f"{path}collaborators/", {"usercode": code}, headers=stale).status_code == 412
    assert owner.patch(f"{path}collaborators/{code}/", {"role": "editor"}, headers=stale).status_code == 412
    assert owner.delete(f"{path}collaborators/{code}/", headers=stale).status_code == 412


def test_without_if_match_the_last_write_wins(owner: Client, editor: Client, path: str) -> None:
    owner.patch(path, {"title": "mine"})
    assert editor.patch(path, {"title": "theirs"}).json()["version"] == 3
    assert owner.get(path).json()["title"] == "theirs"


def run_concurrently(*calls: Callable[[], Any]) -> list[Any]:
    """Return the results of ``calls``, each in a thread; all threads start together."""
    start, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
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
def test_the_second_of_two_concurrent_edits_is_412(owner: Client, editor: Client, note: Note, path: str) -> None:
    for version in range(1, 9):
        tag = {"If-Match": f'"{version}"'}
        answers = run_concurrently(
            lambda tag=tag: owner.patch(path, {"title": "by the owner"}, headers=tag),
            lambda tag=tag: editor.patch(path, {"title": "by the editor"}, headers=tag),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        (won,) = (answer for answer in answers if answer.status_code == 200)
        (lost,) = (answer for answer in answers if answer.status_code == 412)
        assert lost["ETag"] == f'"{version + 1}"'
        assert owner.get(path).json()["title"] == won.json()["title"]


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_create_a_label_once(owner: Client, user: User) -> None:
    for n in range(5):
        answers = run_concurrently(
            *[lambda n=n, s=s: owner.post("/api/v1/labels/", {"name": f"{s} {n}"}) for s in ("A", "a", "A")]
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert user.note_labels.count() == 5


@pytest.mark.django_db(transaction=True)
def test_labels_renamed_deleted_and_attached_at_once_do_not_deadlock(owner: Client, user: User, note: Note) -> None:
    """Without one lock order, Postgres ends some of these requests, and they are 503."""
    others = [make_note(user, title=str(n)).pk for n in range(3)]
    ids = [note.pk, *others]
    for n in range(12):
        label, second = (LabelFactory(owner=user, name=f"{name} {n}").pk for name in ("first", "second"))
        add = {"ids": ids, "action": "add_labels", "label_ids": [second, label]}
        answers = run_concurrently(
            lambda add=add: owner.post(f"{NOTES}bulk/", add),
            lambda pk=label, n=n: owner.patch(f"/api/v1/labels/{pk}/", {"name": f"renamed {n}"}),
            lambda pk=label, second=second: owner.patch(f"{NOTES}{ids[1]}/", {"label_ids": [pk, second]}),
            lambda pk=label: owner.delete(f"/api/v1/labels/{pk}/"),
            lambda add=add: owner.post(f"{NOTES}bulk/", {**add, "action": "remove_labels"}),
        )
        # 400: the label was deleted before it could be attached; 404: before it could be renamed.
        assert {answer.status_code for answer in answers} <= {200, 204, 400, 404}, [a.content for a in answers]
        assert answers[3].status_code == 204


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_do_not_exceed_the_quota(owner: Client, settings: Any) -> None:
    settings.NOTES_MAX_PER_USER = 2
    answers = run_concurrently(*[lambda: owner.post(NOTES, {"title": "x"})] * 5)
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_share_a_note_once(owner: Client, stranger: Client, note: Note, path: str) -> None:
    for _ in range(5):
        code = UserFactory().usercode
        share = {"usercode": code, "role": "viewer"}
        answers = run_concurrently(*[lambda share=share: owner.post(f"{path}collaborators/", share)] * 3)
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


@pytest.mark.django_db(transaction=True)
def test_a_removed_editor_sees_nothing_after_concurrent_reads_and_writes(
    owner: Client, editor: Client, editor_user: User, note: Note, path: str
) -> None:
    share = {"usercode": editor_user.usercode, "role": "editor"}
    for _ in range(8):
        answers = run_concurrently(
            lambda: owner.delete(f"{path}collaborators/{editor_user.usercode}/"),
            lambda: editor.get(path),
            lambda: editor.get(NOTES),
            lambda: editor.patch(path, {"body": "still here"}),
            lambda: editor.post(f"{path}pin/"),
        )
        assert answers[0].status_code == 204
        assert {answer.status_code for answer in answers[1:]} <= {200, 404}
        # Nothing that the concurrent reads have cached is shown.
        assert editor.get(path).status_code == 404
        assert editor.get(NOTES).json()["results"] == []
        assert editor.patch(path, {"body": "x"}).status_code == 404
        assert owner.post(f"{path}collaborators/", share).status_code == 201
        assert editor.get(path).status_code == 200
        assert len(editor.get(NOTES).json()["results"]) == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_shares_do_not_exceed_fifty_collaborators(owner: Client, note: Note, path: str) -> None:
    Membership.objects.bulk_create(
        Membership(note=note, user=person, role=Role.VIEWER) for person in UserFactory.create_batch(49)
    )
    codes = [person.usercode for person in UserFactory.create_batch(4)]
    answers = run_concurrently(
        *[lambda code=code: owner.post(f"{path}collaborators/", {"usercode": code}) for code in codes]
    )
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]


def another_connection_waits_for_this_one() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("leaver", ["owner", "collaborator"])
def test_a_write_and_the_deletion_of_an_account_do_not_deadlock(
    note: Note, user: User, editor_user: User, viewer_user: User, leaver: str
) -> None:
    person = {"owner": user, "collaborator": viewer_user}[leaver]
    locked = threading.Event()

    def write() -> str:
        with transaction.atomic():
            access.lock_notes(by=editor_user, note_ids=[note.pk])
            locked.set()
            wait_until(another_connection_waits_for_this_one, what="the deletion waiting for the note")
            events.notify_members(by=editor_user, note_ids=[note.pk], action="changed")
        return "written"

    def leave() -> Any:
        locked.wait(10)
        person.delete()
        return "left"

    assert run_concurrently(write, leave) == ["written", "left"]


@pytest.mark.django_db(transaction=True)
def test_a_write_during_the_deletion_of_the_account_is_409(owner: Client, user: User) -> None:
    def leave() -> Any:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=user.pk)
            locked.set()
            wait_until(another_connection_waits_for_this_one, what="the label waiting for its user")
            user.delete()

    def create_label() -> int:
        locked.wait(10)
        return owner.post("/api/v1/labels/", {"name": "Home"}).status_code

    locked = threading.Event()
    assert run_concurrently(leave, create_label) == [None, 409]
