"""Search: every word, any script, no case, no accents, and by the index."""

import pytest
from django.db import connection

from notes.models import Membership

from .factories import LabelFactory, make_note

NOTES = "/api/v1/notes/"


@pytest.fixture
def found(owner, titles):
    return lambda text: set(titles(owner.get(NOTES, {"search": text, "state": "all"})))


@pytest.mark.parametrize("field, value", [
    ("title", "Weekend shopping"), ("body", "the weekend and its shopping"),
    ("items", [{"text": "week-end"}, {"text": "SHOPPING for the weekend"}]),
])  # fmt: skip
def test_words_are_found_in_title_body_and_items(owner, found, field, value):
    note = owner.post(NOTES, {"title": "x", field: value}).json()
    owner.post(NOTES, {"title": "other"})
    assert found("weekend shop") == {note["title"]}
    assert found("SHOP weekend") == {note["title"]}
    assert found("weekend missing") == set()


@pytest.mark.parametrize("text, word", [
    ("Crème Brûlée", "creme brulee"), ("creme", "CRÈME"), ("Straße", "STRASSE"), ("ПРИВЕТ, мир", "привет"),
    ("ёлка", "елка"), ("ΟΔΟΣ", "οδος"), ("東京タワー", "京タ"), ("안녕하세요", "녕하"),
    ("مرحبا بالعالم", "بالعالم"), ("שלום עולם", "עולם"), ("नमस्ते दुनिया", "दुनिया"),
    ("ﬁnance", "fin"), ("Ｆｕｌｌ", "full"), ("İstanbul", "istanbul"), ("e\u0301tude", "étude"), ("שָׁלוֹם", "שלום"),
    ("كِتَابٌ", "كتاب"), ("كتاب", "كِتَابٌ"), ("می\u200cخواهم", "میخواهم"), ("hy\u00adphen", "hyphen"), ("❤", "❤\ufe0f"),
    ("party 🎉 tonight", "🎉"), ("ab", "B"), ("q", "q"), ("x2", "2"),
])  # fmt: skip
def test_any_script_without_case_or_accents(user, found, text, word):
    make_note(user, title=text)
    make_note(user, title="-")
    assert found(word) == {text}


@pytest.mark.parametrize("text", [
    "100%", "a_b", "back\\slash", "it's", 'say "so"', "50％ off", "＿", "(?:.*)", "a\\", "%%",
    "'; DROP TABLE notes_note; --",
])  # fmt: skip
def test_signs_are_text(user, found, text):
    make_note(user, title=text)
    make_note(user, title="1000 axb backXslash its say so off")
    assert found(text) == {text}


def test_item_texts_are_read_as_text_not_as_json(user, found):
    make_note(user, title="quotes", items=[{"text": 'the "best" \\ é', "checked": True}])
    assert found('"best"') == found("\\ é") == {"quotes"}
    assert found("checked") == found("true") == found("text") == set()


def test_ones_own_label_names_count_and_mix_with_the_text(api, user, editor_user, note, found, owner, titles):
    label = LabelFactory(owner=user, name="Büro 2027")
    owner.post(f"{NOTES}{note.pk}/labels/", {"label_ids": [label.pk]})
    make_note(user, title="an office in 2027")
    assert found("buro") == {"Groceries"}
    assert found("buro weekend groc") == {"Groceries"}
    assert found("2027") == {"Groceries", "an office in 2027"}
    assert found("buro office") == set()
    assert titles(api.as_user(editor_user).get(f"{NOTES}?search=buro")) == []


def test_what_others_wrote_is_found_only_where_it_is_shared(user, viewer_user, api, titles, note):
    reader = api.as_user(viewer_user)
    assert titles(reader.get(f"{NOTES}?search=weekend")) == ["Groceries"]
    make_note(user, title="secret weekend")
    assert titles(reader.get(f"{NOTES}?search=weekend")) == ["Groceries"]


def test_a_change_is_found_at_once(owner, note, found):
    owner.patch(f"{NOTES}{note.pk}/", {"body": "", "items": [{"text": "umbrella"}]})
    assert found("umbrella") == {"Groceries"}
    assert found("weekend") == set()


def test_no_words_is_no_filter_and_long_searches_have_a_limit(owner, note, found):
    assert found("   ") == {"Groceries"}
    assert found("weekend " * 60) == {"Groceries"}
    assert owner.get(NOTES, {"search": "x" * 501}).status_code == 400


def test_every_word_counts_or_is_refused(owner, found, titles):
    owner.post(NOTES, {"title": "many", "body": " ".join(f"w{n:02}" for n in range(20))})
    asked = [f"w{n:02}" for n in range(20)]
    assert found(" ".join(asked)) == {"many"}
    assert found(" ".join([*asked[:19], "missing"])) == set()
    for path in (NOTES, "/api/v1/contacts/", "/api/v1/contacts/unprocessed/", "/api/v1/trends/"):
        answer = owner.get(path, {"search": " ".join([*asked, "missing"])})
        assert answer.status_code == 400, path
        assert [answer.json()["errors"][0][each] for each in ("attr", "code")] == ["search", "too_many_words"]


def test_a_thousand_labels_and_a_search_that_names_them_all(owner, user, note):
    from notes.models import Label

    Label.objects.bulk_create(Label(owner=user, name=f"label {n}", key=f"label {n}") for n in range(1000))
    assert owner.get(f"{NOTES}?search=label").json()["results"] == []
    words = {"label"[start:end] for start in range(5) for end in range(start + 1, 6)}
    assert owner.get(f"{NOTES}?search=" + "+".join(words)).status_code == 200


# Words of digits, so that no two notes are alike; every thousandth has a rare word more.
FILL = """
INSERT INTO notes_note (owner_id, title, body, items, color, version, created_at, updated_at)
SELECT %(owner)s, md5(n::text), CASE WHEN n %% 1000 = 0 THEN 'привет needle' ELSE 'plain' END, '[]', 'default', 1,
       now() - n * interval '1 second', now() - n * interval '1 second'
FROM generate_series(1, 100000) AS n;
INSERT INTO notes_membership (user_id, note_id, role, pinned, archived, trashed, updated_at, joined_at)
SELECT owner_id, id, 'owner', false, false, false, updated_at, now() FROM notes_note WHERE owner_id = %(owner)s
ON CONFLICT DO NOTHING;
ANALYZE notes_note; ANALYZE notes_membership;
"""


@pytest.fixture
def hundred_thousand(user, note):
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"owner": user.pk})


def test_at_a_hundred_thousand_notes_the_planner_uses_the_indexes(user, viewer_user, owner, hundred_thousand, note):
    def plan(memberships):
        return memberships.order_by("-pinned", "-updated_at", "-note_id").as_json()[:51].explain()

    mine = Membership.objects.visible_to(user).in_state("active")
    for text in ("needle", "привет", "NEEDLE привет", "4f1b6"):
        assert "Bitmap Index Scan on note_search" in plan(mine.matching(text, user))
        assert "Seq Scan on notes_note" not in plan(mine.matching(text, user))
    label = LabelFactory(owner=user, name="needlework")
    owner.post(f"{NOTES}{note.pk}/labels/", {"label_ids": [label.pk]})
    by_label = plan(mine.matching("needle", user))
    assert "Bitmap Index Scan on note_search" in by_label
    assert "Seq Scan on notes_note" not in by_label

    # The list itself walks its index from the newest on, and somebody with one note never meets the others.
    assert "Index Scan Backward using note_list" in plan(mine)
    theirs = plan(Membership.objects.visible_to(viewer_user).in_state("active").matching("ab", viewer_user))
    assert "Seq Scan on notes_note" not in theirs
    assert "Seq Scan on notes_membership" not in theirs

    assert len(owner.get(f"{NOTES}?search=needle&page_size=200").json()["results"]) == 101
    assert len(owner.get(f"{NOTES}?search=zq").json()["results"]) == 0
