"""The files of tests/data give the results that their README states."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from contacts.models import Contact, UnprocessedContact
from contacts.services.release import release_due
from tests.conftest import Client

from .conftest import URL, Send


def test_four_rows_of_another_system_are_accepted(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, "contacts_sample.xlsx")
    assert (upload["status"], upload["accepted"], upload["rejected"]) == ("completed", 4, 0)
    found = signed_in.get(URL).json()["results"]
    assert [(row["name"], row["phone_number"], row["email_address"]) for row in reversed(found)] == [
        ("Jhon", "", "jhon1@gmail.com"),
        ("Kevin", "(+911)44558899", "kevin@gmail.com"),
        ("Davit", "(+374)500500", ""),
        ("Gorge", "14", ""),
    ]


def test_of_a_thousand_rows_ten_wait_for_the_window(
    signed_in: Client, imported: Send, settings: Any, wait_until: Callable
) -> None:
    settings.CONTACT_WINDOW = timedelta(seconds=2)
    upload = imported(signed_in, "contacts_1000.xlsx")
    assert (upload["status"], upload["accepted"], upload["deferred"], upload["rejected"]) == ("completed", 990, 10, 0)
    assert (Contact.objects.count(), UnprocessedContact.objects.count()) == (990, 10)
    waiting = signed_in.get(f"{URL}unprocessed/").json()["results"]
    assert sorted(row["busy"] for row in waiting) == [["email"]] * 5 + [["phone"]] * 5
    wait_until(lambda: release_due() >= 0 and Contact.objects.count() == 1000)
    assert not UnprocessedContact.objects.exists()


def test_each_row_of_a_messy_sheet_is_accepted_deferred_or_rejected_with_a_reason(
    signed_in: Client, imported: Send
) -> None:
    upload = imported(signed_in, "contacts_messy.xlsx")
    assert (upload["status"], upload["total_rows"]) == ("completed_with_errors", 13)
    assert (upload["accepted"], upload["deferred"], upload["rejected"]) == (7, 2, 4)
    assert list(Contact.objects.order_by("id").values_list("row", flat=True)) == [2, 6, 8, 9, 10, 11, 14]
    assert list(UnprocessedContact.objects.values_list("row", flat=True)) == [3, 4]
    errors = signed_in.get(upload["links"]["errors"].removeprefix("http://testserver")).json()["results"]
    assert [(row["row"], row["column"], row["code"]) for row in errors] == [
        (5, "Phone Number, Email Address", "no_phone_or_email"),
        (7, "Email Address", "email_invalid"),
        (13, "Phone Number", "phone_invalid"),
        (15, "Name", "name_too_long"),
    ]
    assert errors[1]["value"] == "not-an-address"
    assert all(row["message"] for row in errors)
