"""Filters and order of the list of contacts, and the page's window on it."""

from typing import Any

import pytest
from django.utils import timezone

from contacts.models import Contact, FileMetadata
from tests.conftest import Client
from tests.factories import UserFactory

from .conftest import URL, Send, code_of
from .workbooks import upload_of, xlsx

PEOPLE = [
    ["bob", "+37411111111", ""],
    ["Ágnes", "", "agnes@example.com"],
    ["Ana", "+37411111113", "ana@example.com"],
    ["", "+37411111114", ""],
]


@pytest.fixture
def api(api: Client) -> Client:
    """A client that is signed in."""
    return api.as_user(UserFactory())


@pytest.fixture
def people(api: Client, imported: Send) -> dict:
    return imported(api, PEOPLE)


def names(client: Client, query: str = "") -> list[str]:
    return [each["name"] for each in client.get(f"{URL}{query}").json()["results"]]


@pytest.mark.parametrize(
    "ordering, expected",
    [
        ("", ["", "Ana", "Ágnes", "bob"]),
        ("-id", ["", "Ana", "Ágnes", "bob"]),
        ("id", ["bob", "Ágnes", "Ana", ""]),
        ("name", ["", "Ágnes", "Ana", "bob"]),
        ("-name", ["bob", "Ana", "Ágnes", ""]),
    ],
)
def test_contacts_are_sorted_by_name_without_case_and_accents(
    api: Client, people: dict, ordering: str, expected: list[str]
) -> None:
    assert names(api, f"?ordering={ordering}") == expected
    window = api.get(f"/contacts/window/?ordering={ordering}")
    assert window.status_code == 401  # the page's own call has no tokens


@pytest.mark.parametrize(
    "query, expected",
    [
        ("has_phone=true", {"bob", "Ana", ""}),
        ("has_phone=false", {"Ágnes"}),
        ("has_email=true", {"Ágnes", "Ana"}),
        ("has_email=true&has_phone=true", {"Ana"}),
        ("has_email=false&search=bob", {"bob"}),
    ],
)
def test_contacts_are_filtered_by_what_they_have(api: Client, people: dict, query: str, expected: set[str]) -> None:
    assert set(names(api, f"?{query}")) == expected
    exported = api.get(f"{URL}export.csv?{query}").getvalue().decode("utf-8-sig").splitlines()
    assert len(exported) == len(expected) + 1


def test_contacts_are_filtered_by_date(api: Client, people: dict) -> None:
    now = timezone.now()
    Contact.objects.filter(name="bob").update(accepted_at=now.replace(year=2020))
    assert names(api, "?accepted_before=2021-01-01T00:00:00Z") == ["bob"]
    assert len(names(api, "?accepted_after=2021-01-01T00:00:00Z")) == 3
    assert names(api, "?accepted_after=2019-01-01T00:00:00Z&accepted_before=2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "query", ["ordering=phone", "has_phone=maybe", "accepted_after=yesterday", "accepted_before=2026-13-01"]
)
def test_an_invalid_filter_is_refused_and_named(api: Client, query: str) -> None:
    answer = api.get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == query.split("=")[0]


def test_pages_by_name_contain_each_contact_once_also_if_many_have_none(api: Client, people: dict) -> None:
    upload = FileMetadata.objects.get(pk=people["id"])
    Contact.objects.bulk_create(
        Contact(
            owner=upload.owner, upload=upload, row=100 + number, name="" if number < 1150 else f"N{number % 7}",
            phone_key=str(10**9 + number), phone_number=str(number), accepted_at=timezone.now(),
        )
        for number in range(1200)
    )  # fmt: skip
    for ordering in ("name", "-name"):
        seen: list[int] = []
        url = f"{URL}?ordering={ordering}&page_size=200"
        while url:
            page = api.get(url).json()
            seen += [each["id"] for each in page["results"]]
            url = page["next"]
        assert len(seen) == len(set(seen)) == 1204


def test_a_very_long_name_can_be_stored_and_sorted(api: Client, imported: Send) -> None:
    """A folded ``ﷺ`` has 18 letters: an index on whole names would refuse the row."""
    assert imported(api, [["ﷺ" * 200, "+37411111111", ""]])["accepted"] == 1
    assert len(names(api, "?ordering=name")) == 1


def test_an_upload_counts_the_reasons_of_its_rejected_rows(api: Client, imported: Send) -> None:
    rows = [["a", "no", ""], ["b", "no", ""], ["c", "", "no"], ["d", "", "d@example.com"]]
    upload = imported(api, rows)
    assert upload["reasons"] == [{"code": "phone_invalid", "rows": 2}, {"code": "email_invalid", "rows": 1}]
    errors = api.get(f"{URL}uploads/{upload['id']}/errors/").json()["results"]
    assert [(each["name"], each["phone_number"], each["email_address"]) for each in errors] == [
        ("a", "no", ""), ("b", "no", ""), ("c", "", "no"),
    ]  # fmt: skip
    assert "reasons" not in api.get(f"{URL}uploads/").json()["results"][0]


def test_a_dry_run_lists_rejected_rows_wherever_they_are(api: Client, send: Send) -> None:
    rows = [*([f"n{i}", f"+3741{i:07}", ""] for i in range(300)), *(["x", "no", f"{i}"] for i in range(250))]
    answer = api.post(f"{URL}uploads/?dry_run=true", {"file": upload_of(xlsx(rows), "a.xlsx")}, format="multipart")
    report = answer.json()
    assert report["rejected"] == 250
    assert report["reasons"] == [{"code": "phone_invalid", "rows": 250}]
    assert len(report["rejected_rows"]) == 200
    first = report["rejected_rows"][0]
    assert (first["row"], first["column"], first["name"], first["phone_number"], first["email_address"]) == (
        302, "Phone Number", "x", "no", "0",
    )  # fmt: skip


class TestWindow:
    """``GET /contacts/window/``."""

    @pytest.fixture
    def browser(self, people: dict, client: Any) -> Any:
        client.force_login(FileMetadata.objects.get().owner)
        return client

    def test_it_returns_any_part_and_the_count(self, browser: Any) -> None:
        page = browser.get("/contacts/window/?offset=1&limit=2&ordering=id").json()
        assert page["count"] == 4
        assert [each["name"] for each in page["results"]] == ["Ágnes", "Ana"]
        # Another part is not answered with the cached one.
        other_part = browser.get("/contacts/window/?offset=3&limit=2&ordering=id").json()
        assert [each["name"] for each in other_part["results"]] == [""]
        assert browser.get("/contacts/window/?offset=100").json() == {"count": 4, "results": []}
        assert browser.get("/contacts/window/?has_email=true&search=AN").json()["count"] == 1

    @pytest.mark.parametrize("query", ["offset=-1", "limit=201", "limit=x", "ordering=y", "offset=9999999999999"])
    def test_invalid_values_are_refused(self, browser: Any, query: str) -> None:
        answer = browser.get(f"/contacts/window/?{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["attr"] == query.split("=")[0]

    def test_the_ids_of_a_range_of_rows(self, browser: Any, people: dict, client: Any) -> None:
        names = {each.pk: each.name for each in Contact.objects.all()}

        def named(query: str) -> list[str]:
            return [names[pk] for pk in browser.get(f"/contacts/ids/?{query}").json()["ids"]]

        assert named("ordering=name") == ["", "Ágnes", "Ana", "bob"]
        assert named("ordering=name&offset=1&limit=2") == ["Ágnes", "Ana"]
        assert named("has_email=true&search=AN") == ["Ana"]
        assert browser.get("/contacts/ids/?limit=100001").status_code == 400
        client.force_login(UserFactory())
        assert client.get("/contacts/ids/").json() == {"ids": []}

    def test_strangers_see_nothing(self, people: dict, client: Any) -> None:
        assert client.get("/contacts/window/").status_code == 401
        client.force_login(UserFactory())
        assert client.get("/contacts/window/").json() == {"count": 0, "results": []}

    def test_a_change_is_visible_at_once(self, browser: Any, api: Client) -> None:
        assert browser.get("/contacts/window/").json()["count"] == 4
        api.delete(f"{URL}{Contact.objects.get(name='bob').pk}/")
        assert browser.get("/contacts/window/").json()["count"] == 3


def test_a_short_search_with_marks_is_refused(api: Client) -> None:
    assert code_of(api.get(f"{URL}?search=a{'%CC%81' * 40}")) == "too_many_marks"
