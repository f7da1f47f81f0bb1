"""Pins, archive, labels on notes and the lists: each person's own, also on a shared note."""

import pytest

from .factories import LabelFactory, make_note, share

NOTES = "/api/v1/notes/"


@pytest.mark.parametrize("verb, field, value", [
    ("pin", "pinned", True), ("unpin", "pinned", False),
    ("archive", "archived", True), ("unarchive", "archived", False),
])  # fmt: skip
def test_pinning_and_archiving_are_idempotent_and_ones_own(owner, viewer, note, verb, field, value):
    for _ in range(2):
        answer = viewer.post(f"{NOTES}{note.pk}/{verb}/")
        assert answer.status_code == 200
        assert answer.json()[field] is value
    assert owner.get(f"{NOTES}{note.pk}/").json()[field] is False
    assert answer.json()["version"] == 1


def test_the_lists_hold_what_they_say(owner, user, titles):
    for title in ("active", "archived", "trashed"):
        make_note(user, title=title)
    ids = {note["title"]: note["id"] for note in owner.get(NOTES).json()["results"]}
    owner.post(f"{NOTES}{ids['archived']}/archive/")
    owner.post(f"{NOTES}{ids['trashed']}/trash/")
    assert titles(owner.get(NOTES)) == ["active"]
    assert titles(owner.get(f"{NOTES}archived/")) == titles(owner.get(f"{NOTES}?state=archived")) == ["archived"]
    assert titles(owner.get(f"{NOTES}trashed/")) == titles(owner.get(f"{NOTES}?state=trashed")) == ["trashed"]
    assert titles(owner.get(f"{NOTES}?state=all")) == ["trashed", "archived", "active"]


def test_pinned_notes_come_first_then_the_latest_changed(owner, user, titles):
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
def test_every_ordering_pages_forth_and_back(owner, user, titles, ordering, expected, page_size):
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


def test_pinned_first_pages_without_loss_or_repeat(owner, user):
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
def test_a_filter_that_means_nothing_is_400(owner, query):
    assert owner.get(f"{NOTES}?{query}").status_code == 400


def test_a_cursor_belongs_to_its_ordering(owner, user):
    for n in range(3):
        make_note(user, title=str(n))
    url = owner.get(f"{NOTES}?page_size=1&ordering=title").json()["next"]
    assert owner.get(url.replace("ordering=title", "ordering=-title")).status_code == 400


def test_filters_by_pin_label_sharing_and_reminder(owner, user, viewer_user, note, titles):
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
def test_page_sizes_out_of_range_are_bent_into_it(owner, user, size, got):
    for n in range(3):
        make_note(user, title=str(n))
    assert len(owner.get(f"{NOTES}?page_size={size}").json()["results"]) == got


def test_a_list_takes_as_many_queries_for_many_notes_as_for_one(api, user, django_assert_num_queries):
    from tests.factories import UserFactory

    people = UserFactory.create_batch(3)
    client = api.as_user(user)

    def fill(count):
        for n in range(count):
            note = make_note(user, title=f"note {n}")
            for person in people:
                share(note, person)
            labels = [LabelFactory(owner=user).pk for _ in range(3)]
            client.post(f"{NOTES}{note.pk}/labels/", {"label_ids": labels})

    fill(1)
    # The session with its user, the generation of the cache, the page.
    with django_assert_num_queries(3):
        client.get(NOTES)
    fill(8)
    with django_assert_num_queries(3):
        assert len(client.get(f"{NOTES}?page_size=100").json()["results"]) == 9
    with django_assert_num_queries(2):
        client.get(f"{NOTES}?page_size=100")
    note = make_note(user)
    with django_assert_num_queries(3):
        client.get(f"{NOTES}{note.pk}/")
    # A word that names a label costs no further query, whatever the number of labels.
    for word in ("note", "label"):
        with django_assert_num_queries(4):
            assert client.get(f"{NOTES}?search={word}").json()["results"]
    with django_assert_num_queries(3):
        client.get("/api/v1/labels/")
