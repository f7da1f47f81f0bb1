"""Reads from Redis: quick, and never older than the last write of anybody who may write."""

import pytest
import redis
from django.conf import settings
from django.db import transaction

from accounts.backends import BACKEND
from config import caching

from .factories import LabelFactory, make_note

NOTES, LABELS = "/api/v1/notes/", "/api/v1/labels/"


@pytest.fixture
def path(note):
    return f"{NOTES}{note.pk}/"


def test_the_second_read_comes_from_redis(owner, note, django_assert_num_queries):
    first = owner.get(NOTES)
    with django_assert_num_queries(2):  # who asks, and which generation
        assert owner.get(NOTES).content == first.content
    assert owner.get(NOTES, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_each_query_string_is_a_read_of_its_own(owner, user, note, titles):
    make_note(user, title="Umbrella")
    assert titles(owner.get(f"{NOTES}?search=umbrella")) == ["Umbrella"]
    assert titles(owner.get(f"{NOTES}?search=groceries")) == ["Groceries"]
    assert len(titles(owner.get(NOTES))) == 2


def test_nobody_gets_what_was_kept_for_another(owner, stranger, note, titles):
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
def test_no_read_is_older_than_ones_own_write(owner, path, write):
    before = owner.get(NOTES).json(), owner.get(f"{NOTES}?state=all&search=gro").json(), owner.get(path).content
    assert WRITES[write](owner, path).status_code < 300
    after = owner.get(NOTES).json(), owner.get(f"{NOTES}?state=all&search=gro").json(), owner.get(path).content
    assert after[0] != before[0]
    if write != "create":
        assert after[1:] != before[1:]


@pytest.mark.parametrize("write", ["patch", "put", "delete", "trash"])
def test_no_read_is_older_than_a_collaborators_write(owner, viewer, path, write):
    for client in (owner, viewer):
        client.get(NOTES), client.get(path)
    before = viewer.get(NOTES).content, viewer.get(path).content
    assert WRITES[write](owner, path).status_code < 300
    assert viewer.get(NOTES).content != before[0]
    assert viewer.get(path).content != before[1]


def test_no_read_outlives_a_share_or_its_end(owner, viewer, viewer_user, path, titles):
    assert titles(viewer.get(NOTES)) == ["Groceries"]
    owner.delete(f"{path}collaborators/{viewer_user.usercode}/")
    assert titles(viewer.get(NOTES)) == []
    assert viewer.get(path).status_code == 404
    assert viewer.get(f"{path}collaborators/").status_code == 404
    owner.post(f"{path}collaborators/", {"usercode": viewer_user.usercode})
    assert titles(viewer.get(NOTES)) == ["Groceries"]


def test_others_see_who_else_joins_and_leaves(owner, viewer, viewer_user, editor_user, api, path):
    editor = api.as_user(editor_user)
    assert len(viewer.get(path).json()["collaborators"]) == 2
    editor.delete(f"{path}collaborators/{editor_user.usercode}/")
    assert viewer.get(path).json()["collaborators"] == [
        {"usercode": viewer_user.usercode, "username": viewer_user.username, "role": "viewer"}
    ]


def test_a_username_changed_in_the_admin_shows_at_once_wherever_it_stands(
    owner, user, viewer, viewer_user, stranger, path, staff, client
):
    for each in (owner, viewer):
        each.get(NOTES), each.get(path), each.get(f"{path}collaborators/")
    others = stranger.get(NOTES)["ETag"], caching.generation(f"notes:{staff.pk}")
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
    assert (stranger.get(NOTES)["ETag"], caching.generation(f"notes:{staff.pk}")) == others


def test_a_new_name_and_the_end_of_what_is_cached_are_one_commit(owner, viewer_user, path):
    before = caching.generation(f"notes:{viewer_user.pk}")
    with transaction.atomic():
        viewer_user.username = "Synesius"
        viewer_user.save()
        assert caching.generation(f"notes:{viewer_user.pk}") > before
        transaction.set_rollback(True)
    assert caching.generation(f"notes:{viewer_user.pk}") == before


def test_a_new_password_leaves_the_cached_notes_of_others_alone(owner, viewer_user, note, user):
    before = caching.generation(f"notes:{user.pk}")
    viewer_user.save(update_fields=["password"])
    assert caching.generation(f"notes:{user.pk}") == before


def test_labels_are_as_fresh(owner, user, path):
    label = LabelFactory(owner=user, name="Home")
    owner.post(f"{path}labels/", {"label_ids": [label.pk]})
    assert owner.get(LABELS).json()["results"][0]["note_count"] == 1
    assert owner.get(path).json()["labels"][0]["name"] == "Home"
    owner.patch(f"{LABELS}{label.pk}/", {"name": "House"})
    assert owner.get(path).json()["labels"][0]["name"] == "House"
    assert owner.get(LABELS).json()["results"][0]["name"] == "House"
    owner.post(f"{path}trash/")
    assert owner.get(LABELS).json()["results"][0]["note_count"] == 0


def test_a_redis_that_was_emptied_costs_nothing(owner, note, titles):
    owner.get(NOTES)
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    assert titles(owner.get(NOTES)) == ["Groceries"]


def test_without_redis_notes_are_read_and_written(owner, note, path, settings, titles, monkeypatch):
    monkeypatch.setattr(caching, "_client", redis.Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=0.2))
    assert titles(owner.get(NOTES)) == ["Groceries"]
    assert owner.patch(path, {"title": "Shopping"}).status_code == 200
    assert titles(owner.get(NOTES)) == ["Shopping"]
    assert owner.get(path).json()["title"] == "Shopping"
