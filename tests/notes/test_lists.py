"""The lists of notes: pinned, archived, filters, ordering and pages."""

from typing import Any

import pytest

from accounts.models import User
from notes.models import Note
from tests.conftest import Client
from tests.factories import UserFactory

from .conftest import Titles
from .factories import LabelFactory, make_note, share

NOTES = "/api/v1/notes/"


@pytest.mark.parametrize("verb, field, value", [
    ("pin", "pinned", True), ("unpin", "pinned", False),
    ("archive", "archived", True), ("unarchive", "archived", False),
])  # fmt: skip
def test_pin_and_archive_are_idempotent_and_private(
    owner: Client, viewer: Client, note: Note, verb: str, field: str, value: Any
) -> None:
    for _ in range(2):
        answer = viewer.post(f"{NOTES}{note.pk}/{verb}/")
        assert answer.status_code == 200
        assert answer.json()[field] is value
    assert owner.get(f"{NOTES}{note.pk}/").json()[field] is False
    assert answer.json()["version"] == 1


def test_each_list_contains_the_notes_of_its_state(owner: Client, user: User, titles: Titles) -> None:
    for title in ("active", "archived", "trashed"):
        make_note(user, title=title)
    ids = {note["title"]: note["id"] for note in owner.get(NOTES).json()["results"]}
    owner.post(f"{NOTES}{ids['archived']}/archive/")
    owner.post(f"{NOTES}{ids['trashed']}/trash/")
    assert titles(owner.get(NOTES)) == ["active"]
    assert titles(owner.get(f"{NOTES}archived/")) == titles(owner.get(f"{NOTES}?state=archived")) == ["archived"]
    assert titles(owner.get(f"{NOTES}trashed/")) == titles(owner.get(f"{NOTES}?state=trashed")) == ["trashed"]
    assert titles(owner.get(f"{NOTES}?state=all")) == ["trashed", "archived", "active"]


def test_pinned_notes_come_first_then_the_most_recently_changed(owner: Client, user: User, titles: Titles) -> None:
    first, *_ = (make_note(user, title=title) for title in ("one", "two", "three"))
    last = make_note(user, title="pinned")
    owner.patch(f"{NOTES}{first.pk}/", {"color": "red"})
    make_note(user, title="four")
    owner.post(f"{NOTES}{last.pk}/pin/")
    assert titles(owner.get(NOTES)) == ["pinned", "four", "one", "three", "two"]
    assert titles(owner.get(f"{NOTES}?ordering=-updated_at")) == ["four", "one", "pinned", "three", "two"]


@pytest.mark.parametrize("ordering, expected", [
    ("title", ["apple", "Éclair", "pear", "Zebra"]), ("-title", ["Zebra", "pear", "Éclair", "apple"]),
    ("created_at", ["pear", "Zebra", "apple", "Éclair"]), ("-created_at", ["Éclair", "apple", "Zebra", "pear"]),
    ("updated_at", ["Zebra", "apple", "Éclair", "pear"]), ("-updated_at", ["pear", "Éclair", "apple", "Zebra"]),
])  # fmt: skip
@pytest.mark.parametrize("page_size", [1, 3, 50])
def test_every_ordering_pages_forward_and_back(
    owner: Client, user: User, titles: Titles, ordering: str, expected: list[str], page_size: int
) -> None:
    notes = [make_note(user, title=title) for title in ("pear", "Zebra", "apple", "Éclair")]
    owner.patch(f"{NOTES}{notes[0].pk}/", {"color": "red"})
    seen, pages = [], []
    url = f"{NOTES}?ordering={ordering}&page_size={page_size}"
    while url:
        page = owner.get(url)
        pages.append(titles(page))
        seen += pages[-1]
        before, url = page.json()["previous"], page.json()["next"]
    assert seen == expected
    for expected_page in reversed(pages[:-1]):
        page = owner.get(before)
        assert titles(page) == expected_page
        before = page.json()["previous"]
    assert before is None


def test_pages_with_pinned_notes_first_lose_and_repeat_nothing(owner: Client, user: User) -> None:
    notes = [make_note(user, title=str(n)) for n in range(7)]
    for note in notes[::3]:
        owner.post(f"{NOTES}{note.pk}/pin/")
    whole = [note["id"] for note in owner.get(NOTES).json()["results"]]
    seen, url = [], f"{NOTES}?page_size=2"
    while url:
        page = owner.get(url).json()
        seen += [note["id"] for note in page["results"]]
        url = page["next"]
    assert seen == whole
    assert len(set(seen)) == 7


@pytest.mark.parametrize("query", [
    "state=lost", "pinned=perhaps", "shared=2", "has_reminder=x", "label=abc", "label=0", "ordering=body",
    "ordering=-pinned", "cursor=made-up", "cursor=bz0x", "search=%00", "label=" + "9" * 30,
])  # fmt: skip
def test_an_invalid_filter_is_400(owner: Client, query: str) -> None:
    assert owner.get(f"{NOTES}?{query}").status_code == 400


def test_a_cursor_is_valid_only_for_its_ordering(owner: Client, user: User) -> None:
    for n in range(3):
        make_note(user, title=str(n))
    url = owner.get(f"{NOTES}?page_size=1&ordering=title").json()["next"]
    assert owner.get(url.replace("ordering=title", "ordering=-title")).status_code == 400


def test_filters_by_colour_checklist_owner_and_person(owner: Client, user: User, titles: Titles) -> None:
    friend, other = UserFactory(), UserFactory()
    make_note(user, title="list", items=[{"text": "x", "checked": False}], color="red")
    mine = make_note(user, title="shared by me", color="#ffcc00")
    theirs = make_note(friend, title="shared with me")
    share(mine, friend)
    share(theirs, user)
    for query, expected in (
        ("color=red", ["list"]),
        ("color=%23FFCC00", ["shared by me"]),
        ("has_items=true", ["list"]),
        ("has_items=false", ["shared with me", "shared by me"]),
        ("owned=true", ["shared by me", "list"]),
        ("owned=false", ["shared with me"]),
        (f"person={friend.usercode.lower()}", ["shared with me", "shared by me"]),
        (f"person={friend.usercode}&owned=true", ["shared by me"]),
        (f"person={other.usercode}", []),
    ):
        assert titles(owner.get(f"{NOTES}?{query}")) == expected, query


def test_filters_by_pin_label_sharing_and_reminder(
    owner: Client, user: User, viewer_user: User, note: Note, titles: Titles
) -> None:
    label = LabelFactory(owner=user)
    plain, pinned, labelled, reminded = (make_note(user, title=t) for t in ("plain", "pinned", "labelled", "reminded"))
    owner.post(f"{NOTES}{pinned.pk}/pin/")
    owner.post(f"{NOTES}{labelled.pk}/labels/", {"label_ids": [label.pk]})
    owner.put(f"{NOTES}{reminded.pk}/reminder/", {"remind_at": "2100-01-01T00:00:00Z"})

    def found(query):
        return set(titles(owner.get(f"{NOTES}?{query}")))

    everything = {"plain", "pinned", "labelled", "reminded", "Groceries"}
    assert found("pinned=true") == {"pinned"}
    assert found("pinned=false") == everything - {"pinned"}
    assert found(f"label={label.pk}") == {"labelled"}
    assert found("shared=true") == {"Groceries"}
    assert found("shared=false") == everything - {"Groceries"}
    assert found("has_reminder=true") == {"reminded"}
    assert found("has_reminder=false") == everything - {"reminded"}
    assert found(f"label={label.pk}&pinned=true") == set()
    assert found(f"label={LabelFactory().pk}") == set()


@pytest.mark.parametrize("size, got", [("2", 2), ("9999", 3), ("0", 3), ("-1", 3), ("x", 3)])
def test_an_invalid_page_size_is_replaced(owner: Client, user: User, size: str, got: int) -> None:
    for n in range(3):
        make_note(user, title=str(n))
    assert len(owner.get(f"{NOTES}?page_size={size}").json()["results"]) == got


def test_the_number_of_queries_does_not_grow_with_the_notes(
    api: Client, user: User, django_assert_num_queries: Any
) -> None:
    users = UserFactory.create_batch(3)
    client = api.as_user(user)

    def fill(count):
        for n in range(count):
            note = make_note(user, title=f"note {n}")
            for other in users:
                share(note, other)
            labels = [LabelFactory(owner=user).pk for _ in range(3)]
            client.post(f"{NOTES}{note.pk}/labels/", {"label_ids": labels})

    fill(1)
    # The session with the generation of the cache, the page.
    with django_assert_num_queries(2):
        client.get(NOTES)
    fill(8)
    with django_assert_num_queries(2):
        assert len(client.get(f"{NOTES}?page_size=100").json()["results"]) == 9
    with django_assert_num_queries(1):
        client.get(f"{NOTES}?page_size=100")
    note = make_note(user)
    with django_assert_num_queries(2):
        client.get(f"{NOTES}{note.pk}/")
    # A search also reads the labels and sets up its transaction, here with a savepoint. A matching label adds no query.
    for word in ("note", "label"):
        with django_assert_num_queries(6):
            assert client.get(f"{NOTES}?search={word}").json()["results"]
    with django_assert_num_queries(2):
        client.get("/api/v1/labels/")
