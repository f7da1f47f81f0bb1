"""Dry runs: what an import would decide now, without storing anything."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from contacts.files.guess import guess_mapping
from contacts.models import Contact, FileMetadata, KeyGate, RejectedRow, UnprocessedContact
from contacts.services import dry_run
from tests.conftest import Client
from tests.factories import UserFactory

from .conftest import URL, Send, code_of
from .workbooks import HEADER, upload_of, xlsx

MIXED = [
    ("Ana", "5551234", "ana@example.com"),
    ("Ben", "5551235", ""),
    ("Ana again", "", "ANA@example.com"),
    ("Nobody", "", ""),
]


def post(client: Client, content: bytes, query: str = "?dry_run=true", **fields: Any) -> Any:
    return client.post(f"{URL}uploads/{query}", {"file": upload_of(content)} | fields, format="multipart")


def test_a_dry_run_reports_each_outcome_and_stores_nothing(signed_in: Client) -> None:
    report = post(signed_in, xlsx(MIXED)).json()
    assert report["sheets"] == ["Sheet"]
    assert report["columns"] == list(HEADER)
    assert report["mapping"] == dict(zip(("name", "phone_number", "email_address"), HEADER, strict=True))
    assert report["problems"] == []
    assert [report[name] for name in ("total_rows", "accepted", "deferred", "rejected")] == [4, 2, 1, 1]
    assert [(row["row"], row["outcome"]) for row in report["rows"]] == [
        (2, "accepted"), (3, "accepted"), (4, "deferred"), (5, "rejected"),
    ]  # fmt: skip
    assert report["rows"][2]["due_at"]
    assert report["rows"][3]["code"] == "no_phone_or_email"
    for model in (FileMetadata, Contact, UnprocessedContact, RejectedRow, KeyGate):
        assert not model.objects.exists()


def test_a_dry_run_decides_as_the_import_that_follows(signed_in: Client, imported: Send, settings: Any) -> None:
    imported(signed_in, MIXED)
    settings.CONTACT_BACKLOG_MAX = settings.CONTACT_WINDOW * 3
    again = [*MIXED, *MIXED, ("Cem", "5559999", "")]
    report = post(signed_in, xlsx(again)).json()
    upload = imported(signed_in, again)
    for name in ("total_rows", "accepted", "deferred", "rejected"):
        assert report[name] == upload[name], name


def test_rows_of_several_chunks_share_the_window(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "CHUNK", 2)
    rows = [(f"P{n}", "5551234", "") for n in range(25)]
    report = post(signed_in, xlsx(rows)).json()
    assert (report["accepted"], report["deferred"], len(report["rows"])) == (1, 24, 20)
    first, second = report["rows"][1]["due_at"], report["rows"][2]["due_at"]
    assert datetime.fromisoformat(second) - datetime.fromisoformat(first) == timedelta(seconds=180)


def test_the_form_field_counts_too_and_takes_a_mapping(signed_in: Client) -> None:
    content = b"Who;Handy\nAna;5551234\n"
    mapping = {"name": ["Who"], "phone_number": ["Handy"]}
    report = post(signed_in, content, query="", dry_run="true", mapping=json.dumps(mapping)).json()
    assert (report["accepted"], report["mapping"], report["encoding"], report["sheets"]) == (1, mapping, "utf-8", [])
    assert not FileMetadata.objects.exists()


def test_a_guessed_mapping_is_used_and_reported_as_a_problem(signed_in: Client) -> None:
    report = post(signed_in, b"First Name,Last Name,E-mail Address,Mobile Phone\nAna,Petrosyan,a@b.am,\n").json()
    assert report["mapping"] == {
        "name": "First Name", "phone_number": "Mobile Phone", "email_address": "E-mail Address",
    }  # fmt: skip
    assert [(each["attr"], each["code"]) for each in report["problems"]] == [
        ("mapping", "bad_header"), ("mapping.name", "split_name"),
    ]  # fmt: skip
    assert report["rows"][0]["name"] == "Ana"


def test_without_a_useful_column_the_rows_are_only_counted(signed_in: Client) -> None:
    report = post(signed_in, b"Colour,Size\nred,5\nblue,6\n").json()
    assert (report["total_rows"], report["accepted"], report["rows"]) == (2, 0, [])
    assert report["problems"][-1]["code"] == "no_phone_or_email"


EXPORTS = {
    "Google Contacts": (
        "First Name,Middle Name,Last Name,Organization Name,Labels,E-mail 1 - Label,E-mail 1 - Value,"
        "Phone 1 - Label,Phone 1 - Value",
        ("First Name", "Phone 1 - Value", "E-mail 1 - Value"),
    ),
    "Outlook": (
        "First Name,Middle Name,Last Name,Company,Home Phone,Mobile Phone,E-mail Address,E-mail 2 Address",
        ("First Name", "Mobile Phone", "E-mail Address"),
    ),
    "Apple": ("First name,Last name,Phone,Email,Note", ("First name", "Phone", "Email")),
    "HubSpot": (
        "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Lead Status",
        ("First Name", "Phone Number", "Email"),
    ),
    "Twenty": (
        "Id,Name / First Name,Name / Last Name,Emails / Primary Email,Phones / Primary Phone Number",
        ("Name / First Name", "Phones / Primary Phone Number", "Emails / Primary Email"),
    ),
    "a list": ("Full name;Telephone;Mail".replace(";", ","), ("Full name", "Telephone", "Mail")),
}


@pytest.mark.parametrize("program", EXPORTS)
def test_the_columns_of_common_exports_are_guessed(program: str) -> None:
    header, expected = EXPORTS[program]
    assert tuple(guess_mapping(header.split(",")).values()) == expected


def test_columns_are_shown_if_the_guessed_ones_are_empty(signed_in: Client) -> None:
    content = xlsx([("Ana", "", "5551234")], header=("Name 1", "Phone", "Direct"))
    report = post(signed_in, content).json()
    assert (report["total_rows"], report["columns"]) == (0, ["Name 1", "Phone", "Direct"])
    answer = post(signed_in, content, mapping=json.dumps({"phone_number": "Phone"}))
    assert answer.json()["errors"][0]["detail"] == "No row has a value in the columns of the mapping."
    upload = post(signed_in, content, query="", mapping=json.dumps({"phone_number": "Phone"}))
    assert upload.json()["errors"] == answer.json()["errors"]


def test_a_title_that_occurs_twice_is_not_guessed() -> None:
    assert guess_mapping(["Email", "E-Mail", "Work Email"]) == {"email_address": "Work Email"}


@pytest.mark.parametrize(
    "content, fields, attr, code",
    [
        (b"\x00\x01", {}, "file", "not_xlsx"),
        (b"Name,Phone Number,Email Address\n", {}, "file", "bad_header"),
        (
            b"Name,Phone\nAna,5551234\n",
            {"mapping": '{"phone_number": "Fax"}'},
            "mapping.phone_number",
            "unknown_column",
        ),
        (xlsx(MIXED), {"sheet": "Other"}, "sheet", "unknown_sheet"),
    ],
)
def test_what_an_upload_refuses_is_refused(
    signed_in: Client, content: bytes, fields: dict, attr: str, code: str
) -> None:
    answer = post(signed_in, content, **fields)
    assert answer.status_code == 400
    assert [(error["attr"], error["code"]) for error in answer.json()["errors"]] == [(attr, code)]


def test_an_unknown_dry_run_is_400_and_stores_nothing(signed_in: Client) -> None:
    for query, form in (("?dry_run=maybe", {}), ("", {"dry_run": "maybe"})):
        data = {"file": upload_of(xlsx(MIXED)), **form}
        answer = signed_in.post(f"{URL}uploads/{query}", data, format="multipart")
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "dry_run")
    assert not FileMetadata.objects.exists()


def test_a_dry_run_has_a_limit_of_rows_of_its_own(signed_in: Client, settings: Any) -> None:
    settings.DRY_RUN_MAX_ROWS = 3
    assert code_of(post(signed_in, xlsx(MIXED))) == "too_many_rows"
    assert post(signed_in, xlsx(MIXED[:3])).status_code == 200


def test_the_list_of_rejected_rows_has_a_limit_of_bytes(signed_in: Client, settings: Any) -> None:
    settings.PAGE_MAX_BYTES = 3000
    report = post(signed_in, xlsx([("x" * 400, f"555{n:04}", "") for n in range(10)])).json()
    assert (report["rejected"], len(report["rejected_rows"])) == (10, 3)
    assert report["reasons"] == [{"code": "name_too_long", "rows": 10}]


def test_a_dry_run_counts_as_an_upload(signed_in: Client, settings: Any) -> None:
    settings.THROTTLE_UPLOAD = "1/hour"
    assert post(signed_in, xlsx(MIXED)).status_code == 200
    assert post(signed_in, xlsx(MIXED)).status_code == 429


def test_one_dry_run_runs_at_a_time_for_a_person(signed_in: Client, api: Client) -> None:
    other = connection.get_new_connection(connection.get_connection_params())  # another process
    try:
        name = f"contacts.dry_run.{User.objects.get().pk}"
        other.cursor().execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        answer = post(signed_in, xlsx(MIXED))
        assert (answer.status_code, code_of(answer)) == (429, "throttled")
        assert int(answer["Retry-After"]) > 0
        assert post(api.as_user(UserFactory()), xlsx(MIXED)).status_code == 200
    finally:
        other.close()
    assert post(signed_in, xlsx(MIXED)).status_code == 200


def test_a_busy_process_refuses_a_third_dry_run(signed_in: Client) -> None:
    with dry_run._slots, dry_run._slots:
        answer = post(signed_in, xlsx(MIXED))
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert post(signed_in, xlsx(MIXED)).status_code == 200


def test_the_rejected_rows_of_csv_are_csv_that_can_be_uploaded_again(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, b"Name,Phone Number,Email Address\n=Ana,+x,\n")
    assert upload["links"]["errors_file"].endswith("/errors.csv")
    answer = signed_in.get(f"{URL}uploads/{upload['id']}/errors.csv")
    content = b"".join(answer.streaming_content)
    assert content.decode("utf-8-sig").splitlines()[0] == "Name,Phone Number,Email Address,Reason"
    imported(signed_in, content)
    assert set(RejectedRow.objects.values_list("name", "phone_number")) == {("=Ana", "+x")}
