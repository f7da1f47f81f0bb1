"""Single contacts: read, correct, erase; and the exports of the filtered list."""

import csv
import io
from typing import Any

import pytest

from contacts.models import Contact, KeyGate, UnprocessedContact
from tests.conftest import Client

from .conftest import URL, Send, code_of
from .test_results import written

ANA = ("Ana Petrosyan", "(+374) 91-12-34-56", "ana@example.com")


@pytest.fixture
def ana(signed_in: Client, imported: Send) -> dict:
    """A stored contact, as the API shows it."""
    imported(signed_in, [ANA])
    return signed_in.get(URL).json()["results"][0]


def test_a_contact_is_read_alone_as_in_the_list(signed_in: Client, ana: dict) -> None:
    answer = signed_in.get(f"{URL}{ana['id']}/")
    assert answer.json() == ana
    assert signed_in.get(f"{URL}{ana['id']}/", HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304


def test_a_correction_changes_the_texts_and_keys_and_not_the_instants(signed_in: Client, ana: dict) -> None:
    gates = list(KeyGate.objects.values())
    answer = signed_in.patch(f"{URL}{ana['id']}/", {"name": "Anna", "phone_number": "0037491 99"})
    assert answer.json() == ana | {"name": "Anna", "phone_number": "0037491 99"}
    assert signed_in.get(f"{URL}{ana['id']}/").json() == answer.json(), "no stale answer from the cache"
    assert Contact.objects.get().phone_key == "3749199"
    assert list(KeyGate.objects.values()) == gates
    assert signed_in.get(f"{URL}?search=3749199").json()["results"] == [answer.json()]


def test_a_whole_contact_can_be_sent_back(signed_in: Client, ana: dict) -> None:
    assert signed_in.patch(f"{URL}{ana['id']}/", ana | {"name": "Anna"}, format="json").json()["name"] == "Anna"


@pytest.mark.parametrize(
    "changes, attr, code",
    [
        ({"phone_number": "no phone"}, "phone_number", "phone_invalid"),
        ({"email_address": "nobody"}, "email_address", "email_invalid"),
        ({"phone_number": "", "email_address": ""}, "non_field_errors", "no_phone_or_email"),
        ({"name": "n" * 201}, "name", "max_length"),
        ({"name": "a" + "\u0301" * 31}, "name", "too_many_marks"),
        ({"name": None}, "name", "null"),
        ({"name": ["x"]}, "name", "invalid"),
        ({"name": "a\x00b"}, "name", "null_characters_not_allowed"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
)
def test_a_correction_that_breaks_a_rule_is_400_and_changes_nothing(
    signed_in: Client, ana: dict, changes: dict[str, Any], attr: str, code: str
) -> None:
    answer = signed_in.patch(f"{URL}{ana['id']}/", changes, format="json")
    assert answer.status_code == 400
    assert (answer.json()["errors"][0]["attr"], code_of(answer)) == (attr, code)
    assert signed_in.get(f"{URL}{ana['id']}/").json() == ana


def test_an_erased_contact_is_gone_and_its_key_stays_busy(signed_in: Client, imported: Send, ana: dict) -> None:
    assert signed_in.delete(f"{URL}{ana['id']}/").status_code == 204
    assert signed_in.delete(f"{URL}{ana['id']}/").status_code == 404
    assert signed_in.get(f"{URL}{ana['id']}/").status_code == 404
    assert signed_in.get(URL).json()["results"] == []
    assert imported(signed_in, [ANA])["deferred"] == 1, "erasing a contact does not bypass the window"


def test_strangers_cannot_read_correct_or_erase(signed_in: Client, other: Client, imported: Send, ana: dict) -> None:
    waiting = imported(signed_in, [ANA]) and signed_in.get(f"{URL}unprocessed/").json()["results"][0]
    url = f"{URL}{ana['id']}/"
    assert other.get(url).status_code == 404
    assert other.patch(url, {"name": "x"}).status_code == 404
    assert other.patch(url, {"name": None}, format="json").status_code == 404
    assert other.delete(url).status_code == 404
    assert other.post(f"{URL}delete/", {"ids": [ana["id"]]}, format="json").json() == {"deleted": 0}
    assert other.delete(f"{URL}unprocessed/{waiting['id']}/").status_code == 404
    assert Contact.objects.count() == UnprocessedContact.objects.count() == 1


def test_many_contacts_are_erased_at_once_and_other_ids_are_ignored(
    signed_in: Client, other: Client, imported: Send, ana: dict
) -> None:
    imported(other, [("Other", "5550009", "")])
    ids = [*Contact.objects.values_list("pk", flat=True), 2**63 - 1, ana["id"]]
    assert signed_in.post(f"{URL}delete/", {"ids": ids}, format="json").json() == {"deleted": 1}
    assert Contact.objects.get().name == "Other"


@pytest.mark.parametrize("ids", [[], [0], ["x"], [2**63], list(range(1, 1002)), None])
def test_invalid_ids_are_400(signed_in: Client, ids: Any) -> None:
    assert signed_in.post(f"{URL}delete/", {"ids": ids}, format="json").status_code == 400


def test_an_erased_waiting_row_frees_its_slot(signed_in: Client, imported: Send) -> None:
    imported(signed_in, [("A", "5550001", ""), ("B", "5550001", ""), ("C", "5550001", "")])
    second, third = UnprocessedContact.objects.order_by("due_at")
    assert signed_in.delete(f"{URL}unprocessed/{third.pk}/").status_code == 204
    assert KeyGate.objects.get().next_free_at == third.due_at
    assert UnprocessedContact.objects.get().due_at == second.due_at
    assert signed_in.delete(f"{URL}unprocessed/{third.pk}/").status_code == 404


PEOPLE = [
    ("=1+1", "+49 151 1234567", "a@example.com"),
    ('Quote "q", comma; semicolon\\ and\nline', "", "b@example.com"),
    ("王" * 60, "5550003", ""),
    ("", "5550004", ""),
]


def body_of(answer: Any) -> str:
    assert answer.status_code == 200
    return b"".join(answer).decode()


def test_the_csv_is_formula_safe_and_complete(signed_in: Client, imported: Send) -> None:
    imported(signed_in, written(PEOPLE))
    answer = signed_in.get(f"{URL}export.csv")
    text = body_of(answer)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert text.startswith("\ufeffName,Phone Number,Email Address\r\n")
    rows = list(csv.reader(io.StringIO(text[1:], newline="")))[1:]
    assert rows[0] == ["'=1+1", "'+49 151 1234567", "a@example.com"]
    assert [tuple(row) for row in rows[1:]] == PEOPLE[1:]


def test_vcards_are_escaped_and_folded(signed_in: Client, imported: Send) -> None:
    imported(signed_in, written(PEOPLE))
    answer = signed_in.get(f"{URL}export.vcf")
    text = body_of(answer)
    assert answer["Content-Type"] == "text/vcard; charset=utf-8"
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")
    cards = text.replace("\r\n ", "").split("END:VCARD\r\n")
    assert cards == [
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:=1+1\r\nTEL:+49 151 1234567\r\nEMAIL:a@example.com\r\n",
        'BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Quote "q"\\, comma\\; semicolon\\\\ and\\nline\r\nEMAIL:b@example.com\r\n',
        f"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:{'王' * 60}\r\nTEL:5550003\r\n",
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:5550004\r\nTEL:5550004\r\n",
        "",
    ]


@pytest.mark.parametrize("kind", ["csv", "vcf", "xlsx"])
def test_exports_take_the_filters_of_the_list_and_contain_only_own_rows(
    signed_in: Client, other: Client, imported: Send, kind: str
) -> None:
    first = imported(signed_in, [("Ana", "5550001", ""), ("Bo", "5550002", "")])
    imported(signed_in, [("Ana Second", "5550003", "")])
    imported(other, [("Ana Other", "5550004", "")])
    answer = signed_in.get(f"{URL}export.{kind}?search=ana&upload={first['id']}")
    content = b"".join(answer)
    if kind != "xlsx":
        assert b"Ana" in content
        assert not any(word in content for word in (b"Bo", b"Second", b"Other"))
    full = b"".join(signed_in.get(f"{URL}export.{kind}"))
    assert len(full) > len(content)
    assert signed_in.get(f"{URL}export.{kind}?upload=x").status_code == 400
