"""Reads from the cache are never older than the last write."""

from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import transaction

from accounts.backends import BACKEND
from accounts.models import User
from config.cache import generations
from notes.models import Note
from tests.conftest import Client

from .conftest import Titles
from .factories import LabelFactory, make_note

NOTES, LABELS = "/api/v1/notes/", "/api/v1/labels/"


def test_the_second_read_comes_from_the_cache(owner: Client, note: Note, django_assert_num_queries: Any) -> None:
    first = owner.get(NOTES)
    with django_assert_num_queries(1):  # session and generation
        assert owner.get(NOTES).content == first.content
    assert owner.get(NOTES, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_each_query_string_is_cached_separately(owner: Client, user: User, note: Note, titles: Titles) -> None:
    make_note(user, title="Umbrella")
    assert titles(owner.get(f"{NOTES}?search=umbrella")) == ["Umbrella"]
    assert titles(owner.get(f"{NOTES}?search=groceries")) == ["Groceries"]
    assert len(titles(owner.get(NOTES))) == 2


def test_responses_are_cached_per_user(owner: Client, stranger: Client, note: Note, titles: Titles) -> None:
    assert titles(owner.get(NOTES)) == ["Groceries"]
    assert titles(stranger.get(NOTES)) == []


WRITES = {
    "create": lambda client, path: client.post(NOTES, {"title": "another"}),
    "patch": lambda client, path: client.patch(path, {"title": "changed"}),
    "put": lambda client, path: client.put(path, {"title": "changed"}),
    "delete": lambda client, path: client.delete(path),
    "pin": lambda client, path: client.post(f"{path}pin/"),
    "archive": lambda client, path: client.post(f"{path}archive/"),
    "trash": lambda client, path: client.post(f"{path}trash/"),
    "reminder": lambda client, path: client.put(f"{path}reminder/", {"remind_at": "2100-01-01T00:00:00Z"}),
    "bulk": lambda client, path: client.post(f"{NOTES}bulk/", {"ids": [int(path.split("/")[-2])], "action": "pin"}),
}


@pytest.mark.parametrize("write", WRITES)
def test_an_own_write_invalidates_the_cache(owner: Client, path: str, write: str) -> None:
    before = owner.get(NOTES).json(), owner.get(f"{NOTES}?state=all&search=gro").json(), owner.get(path).content
    assert WRITES[write](owner, path).status_code < 300
    after = owner.get(NOTES).json(), owner.get(f"{NOTES}?state=all&search=gro").json(), owner.get(path).content
    assert after[0] != before[0]
    if write != "create":
        assert after[1:] != before[1:]


@pytest.mark.parametrize("write", ["patch", "put", "delete", "trash"])
def test_a_write_of_another_member_invalidates_the_cache(owner: Client, viewer: Client, path: str, write: str) -> None:
    for client in (owner, viewer):
        client.get(NOTES), client.get(path)
    before = viewer.get(NOTES).content, viewer.get(path).content
    assert WRITES[write](owner, path).status_code < 300
    assert viewer.get(NOTES).content != before[0]
    assert viewer.get(path).content != before[1]


def test_sharing_and_removing_invalidate_the_cache(
    owner: Client, viewer: Client, viewer_user: User, path: str, titles: Titles
) -> None:
    assert titles(viewer.get(NOTES)) == ["Groceries"]
    owner.delete(f"{path}collaborators/{viewer_user.usercode}/")
    assert titles(viewer.get(NOTES)) == []
    assert viewer.get(path).status_code == 404
    assert viewer.get(f"{path}collaborators/").status_code == 404
    owner.post(f"{path}collaborators/", {"usercode": viewer_user.usercode})
    assert titles(viewer.get(NOTES)) == ["Groceries"]


def test_the_other_members_see_who_joins_and_leaves(
    owner: Client, viewer: Client, viewer_user: User, editor_user: User, api: Client, path: str
) -> None:
    editor = api.as_user(editor_user)
    assert len(viewer.get(path).json()["collaborators"]) == 2
    editor.delete(f"{path}collaborators/{editor_user.usercode}/")
    assert viewer.get(path).json()["collaborators"] == [
        {"usercode": viewer_user.usercode, "username": viewer_user.username, "role": "viewer"}
    ]


def test_a_username_changed_in_the_admin_shows_at_once_in_all_notes(
    owner: Client,
    user: User,
    viewer: Client,
    viewer_user: User,
    stranger: Client,
    path: str,
    staff: User,
    client: Client,
) -> None:
    for each in (owner, viewer):
        each.get(NOTES), each.get(path), each.get(f"{path}collaborators/")
    others = stranger.get(NOTES)["ETag"], generations.current_generation(f"notes:{staff.pk}")
    client.force_login(staff, backend=BACKEND)
    for person, name in ((user, "Hypatia"), (viewer_user, "Synesius")):
        form = {"username": name, "email": person.email, "is_active": "on"}
        answer = client.post(f"/admin/accounts/user/{person.pk}/change/", form)
        assert answer.status_code == 302, answer.context["errors"]
    for each in (owner, viewer):
        for seen in (each.get(path).json(), each.get(NOTES).json()["results"][0]):
            assert seen["owner"]["username"] == "Hypatia"
            assert [person["username"] for person in seen["collaborators"]] == ["Synesius"]
        assert each.get(f"{path}collaborators/").json()["results"][0]["username"] == "Synesius"
    assert (stranger.get(NOTES)["ETag"], generations.current_generation(f"notes:{staff.pk}")) == others


def test_a_new_username_and_the_invalidation_are_one_commit(owner: Client, viewer_user: User, path: str) -> None:
    before = generations.current_generation(f"notes:{viewer_user.pk}")
    with transaction.atomic():
        viewer_user.username = "Synesius"
        viewer_user.save()
        assert generations.current_generation(f"notes:{viewer_user.pk}") > before
        transaction.set_rollback(True)
    assert generations.current_generation(f"notes:{viewer_user.pk}") == before


def test_a_new_password_does_not_invalidate_the_notes_of_others(
    owner: Client, viewer_user: User, note: Note, user: User
) -> None:
    before = generations.current_generation(f"notes:{user.pk}")
    viewer_user.save(update_fields=["password"])
    assert generations.current_generation(f"notes:{user.pk}") == before


def test_writes_of_labels_invalidate_the_cache(owner: Client, user: User, path: str) -> None:
    label = LabelFactory(owner=user, name="Home")
    owner.post(f"{path}labels/", {"label_ids": [label.pk]})
    assert owner.get(LABELS).json()["results"][0]["note_count"] == 1
    assert owner.get(path).json()["labels"][0]["name"] == "Home"
    owner.patch(f"{LABELS}{label.pk}/", {"name": "House"})
    assert owner.get(path).json()["labels"][0]["name"] == "House"
    assert owner.get(LABELS).json()["results"][0]["name"] == "House"
    owner.post(f"{path}trash/")
    assert owner.get(LABELS).json()["results"][0]["note_count"] == 0


def test_reads_work_after_redis_was_flushed(owner: Client, note: Note, titles: Titles) -> None:
    owner.get(NOTES)
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    assert titles(owner.get(NOTES)) == ["Groceries"]


def test_notes_are_read_and_written_without_redis(
    owner: Client, note: Note, path: str, titles: Titles, redis_away: None
) -> None:
    assert titles(owner.get(NOTES)) == ["Groceries"]
    assert owner.patch(path, {"title": "Shopping"}).status_code == 200
    assert titles(owner.get(NOTES)) == ["Shopping"]
    assert owner.get(path).json()["title"] == "Shopping"
