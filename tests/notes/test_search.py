"""Search: every word, any script, without case and accents, by the index."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from notes.models import Label, Note
from tests.conftest import Client

from .conftest import Titles
from .factories import LabelFactory, make_note

NOTES = "/api/v1/notes/"


@pytest.fixture
def found(owner: Client, titles: Titles) -> Callable[[str], set[str]]:
    return lambda text: set(titles(owner.get(NOTES, {"search": text, "state": "all"})))


@pytest.mark.parametrize("field, value", [
    ("title", "Weekend shopping"), ("body", "the weekend and its shopping"),
    ("items", [{"text": "week-end"}, {"text": "SHOPPING for the weekend"}]),
])  # fmt: skip
def test_words_are_found_in_title_body_and_items(
    owner: Client, found: Callable[[str], set[str]], field: str, value: Any
) -> None:
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
    ("phone +39 333", "\u202a+39\u202c"), ("a\u2066b\u2069c", "abc"), ("x\u061cy", "xy"), ("葛\U000e0100飾", "葛飾"),
    ("\u0623\u062d\u0645\u062f", "\u0627\u062d\u0645\u062f"), ("don't", "don´t"), ("soft", "so\u00adft\u200b"),
    ("party 🎉 tonight", "🎉"), ("ab", "B"), ("q", "q"), ("x2", "2"),
])  # fmt: skip
def test_any_script_matches_without_case_or_accents(
    user: User, found: Callable[[str], set[str]], text: str, word: str
) -> None:
    make_note(user, title=text)
    make_note(user, title="-")
    assert found(word) == {text}


@pytest.mark.parametrize("text", [
    "100%", "a_b", "back\\slash", "it's", 'say "so"', "50％ off", "＿", "(?:.*)", "a\\", "%%",
    "'; DROP TABLE notes_note; --",
])  # fmt: skip
def test_special_characters_are_literal(user: User, found: Callable[[str], set[str]], text: str) -> None:
    make_note(user, title=text)
    make_note(user, title="1000 axb backXslash its say so off")
    assert found(text) == {text}


@pytest.mark.parametrize("sign", ["´", "¨", "¸", "゛", "‾", "ﹰ"])
def test_a_sign_that_unicode_decomposes_into_a_space_does_not_find_every_space(
    user: User, found: Callable[[str], set[str]], sign: str
) -> None:
    make_note(user, title="phone +39 333")
    make_note(user, title=f"with {sign} in it")
    assert found(sign) == {f"with {sign} in it"}


@pytest.mark.parametrize("text", ["\u200b", "\u2066\u2069", "\u0301", "\ufe0f \u200d"])
def test_a_search_of_invisible_characters_is_an_empty_search(
    note: Note, found: Callable[[str], set[str]], text: str
) -> None:
    assert found(text) == {"Groceries"}
    assert found(f"missing {text}") == set()


def test_a_search_with_a_long_run_of_marks_is_400(owner: Client) -> None:
    answer = owner.get(NOTES, {"search": "e" + "\u0301" * 31})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "too_many_marks")


def test_items_are_searched_as_text_not_as_json(user: User, found: Callable[[str], set[str]]) -> None:
    make_note(user, title="quotes", items=[{"text": 'the "best" \\ é', "checked": True}])
    assert found('"best"') == found("\\ é") == {"quotes"}
    assert found("checked") == found("true") == found("text") == set()


def test_own_label_names_match_together_with_the_text(
    api: Client,
    user: User,
    editor_user: User,
    note: Note,
    found: Callable[[str], set[str]],
    owner: Client,
    titles: Titles,
) -> None:
    label = LabelFactory(owner=user, name="Büro 2027")
    owner.post(f"{NOTES}{note.pk}/labels/", {"label_ids": [label.pk]})
    make_note(user, title="an office in 2027")
    assert found("buro") == {"Groceries"}
    assert found("buro weekend groc") == {"Groceries"}
    assert found("2027") == {"Groceries", "an office in 2027"}
    assert found("buro office") == set()
    assert titles(api.as_user(editor_user).get(f"{NOTES}?search=buro")) == []


def test_notes_of_others_are_found_only_if_shared(
    user: User, viewer_user: User, api: Client, titles: Titles, note: Note
) -> None:
    reader = api.as_user(viewer_user)
    assert titles(reader.get(f"{NOTES}?search=weekend")) == ["Groceries"]
    make_note(user, title="secret weekend")
    assert titles(reader.get(f"{NOTES}?search=weekend")) == ["Groceries"]


def test_a_change_is_found_at_once(owner: Client, note: Note, found: Callable[[str], set[str]]) -> None:
    owner.patch(f"{NOTES}{note.pk}/", {"body": "", "items": [{"text": "umbrella"}]})
    assert found("umbrella") == {"Groceries"}
    assert found("weekend") == set()


def test_an_empty_search_is_no_filter_and_long_searches_are_400(
    owner: Client, note: Note, found: Callable[[str], set[str]]
) -> None:
    assert found("   ") == {"Groceries"}
    assert found("weekend " * 60) == {"Groceries"}
    assert owner.get(NOTES, {"search": "x" * 501}).status_code == 400


def test_every_word_must_match_and_more_than_twenty_are_400(
    owner: Client, found: Callable[[str], set[str]], titles: Titles
) -> None:
    owner.post(NOTES, {"title": "many", "body": " ".join(f"w{n:02}" for n in range(20))})
    asked = [f"w{n:02}" for n in range(20)]
    assert found(" ".join(asked)) == {"many"}
    assert found(" ".join([*asked[:19], "missing"])) == set()
    for path in (NOTES, "/api/v1/contacts/", "/api/v1/contacts/unprocessed/", "/api/v1/trends/"):
        answer = owner.get(path, {"search": " ".join([*asked, "missing"])})
        assert answer.status_code == 400, path
        assert [answer.json()["errors"][0][each] for each in ("attr", "code")] == ["search", "too_many_words"]


def test_a_search_that_matches_a_thousand_labels_works(owner: Client, user: User, note: Note) -> None:
    Label.objects.bulk_create(Label(owner=user, name=f"label {n}", key=f"label {n}") for n in range(1000))
    assert owner.get(f"{NOTES}?search=label").json()["results"] == []
    words = {"label"[start:end] for start in range(5) for end in range(start + 1, 6)}
    assert owner.get(f"{NOTES}?search=" + "+".join(words)).status_code == 200


# Titles are hex digits; every thousandth note also has two rare words.
FILL = """
INSERT INTO notes_note (owner_id, title, body, items, color, version, created_at, updated_at)
SELECT %(owner)s, md5(n::text), CASE WHEN n %% 1000 = 0 THEN 'привет needle' ELSE 'plain' END, '[]', 'default', 1,
       now() - n * interval '1 second', now() - n * interval '1 second'
FROM generate_series(1, 100000) AS n;
DISCARD PLANS; -- a foreign key's check planned for an empty table would read all of it for each row
INSERT INTO notes_membership (user_id, note_id, role, pinned, archived, trashed, updated_at, joined_at)
SELECT owner_id, id, 'owner', false, false, false, updated_at, now() FROM notes_note WHERE owner_id = %(owner)s
ON CONFLICT DO NOTHING;
"""
ANALYZE = "ANALYZE notes_note; ANALYZE notes_membership"
# Statistics by which every note contains the words and belongs to other users, with one note each.
MISLEAD = """
INSERT INTO accounts_user (username, email, usercode, password, is_active, is_staff, is_superuser, first_name,
       last_name, date_joined)
SELECT 'other' || n, 'other' || n || '@example.org', to_char(n, 'FM000000'), '', true, false, false, '', '', now()
FROM generate_series(1, 500) AS n;
INSERT INTO notes_note (owner_id, title, body, items, color, version, created_at, updated_at)
SELECT id, 'привет needle 4f1b6', '', '[]', 'default', 1, now(), now() FROM accounts_user WHERE username LIKE 'other%%';
INSERT INTO notes_membership (user_id, note_id, role, pinned, archived, trashed, updated_at, joined_at)
SELECT owner_id, id, 'owner', true, false, false, updated_at, now() FROM notes_note WHERE title LIKE '%%needle%%';
"""


@pytest.fixture(params=["fresh", "misleading"])
def hundred_thousand(user: User, note: Note, request: pytest.FixtureRequest) -> str:
    steps = [FILL, ANALYZE] if request.param == "fresh" else [MISLEAD, ANALYZE, FILL]
    with connection.cursor() as cursor:
        for step in steps:
            cursor.execute(step, {"owner": user.pk})
    return request.param


@pytest.mark.thorough
def test_a_search_uses_its_index_at_100000_notes_whatever_the_statistics_say(
    user: User, viewer_user: User, api: Client, owner: Client, hundred_thousand: str, note: Note
) -> None:
    label = LabelFactory(owner=user, name="labelled")
    owner.post(f"{NOTES}{note.pk}/labels/", {"label_ids": [label.pk]})
    for text in ("needle", "привет", "NEEDLE привет", "4f1b6", "labelled needle", "labelled"):
        searched = plans(owner, {"search": text})
        assert "Bitmap Index Scan on note_search_own" in searched, text
        assert "Seq Scan" not in searched
        assert "note_list" not in searched, "the list is not read from its beginning"

    # A user with one note reads no others, also for a word that is too short for the index.
    assert "Seq Scan" not in plans(api.as_user(viewer_user), {"search": "ab"})

    assert len(owner.get(f"{NOTES}?search=needle&page_size=200").json()["results"]) == 100
    assert len(owner.get(f"{NOTES}?search=zq").json()["results"]) == 0

    # The list itself reads its index from the newest note on.
    if hundred_thousand == "fresh":
        assert "Index Scan Backward using note_list" in plans(owner, {"page_size": 50, "state": "active"})


def plans(client: Client, query: dict[str, Any]) -> str:
    """Return the plans of all queries by which the API answers a request for a page of notes."""
    found: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith("SELECT") and "notes_membership" in sql:
            execute(f"EXPLAIN {sql}", params, many, context)
            found.extend(row for (row,) in context["cursor"].fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        assert client.get(NOTES, query).status_code == 200
    assert found
    return "\n".join(found)
