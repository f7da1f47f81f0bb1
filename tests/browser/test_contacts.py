"""The contacts pages: a file is imported with errors corrected in place, people are found, corrected and deleted."""

import gzip
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from contacts.models import Contact, FileMetadata, RejectedRow, UnprocessedContact
from contacts.services.importing import import_due
from tests.factories import UserFactory
from tests.waiting import wait_until

from .accessibility import violations
from .conftest import PICTURES, wait_for_stream
from .test_landing import overflow

pytestmark = pytest.mark.django_db(transaction=True)

CSV = """First Name,Last Name,Mobile,Mail
Ana,Petrosyan,+374 91 123456,ana@example.com
Bob,Meyer,call me,bob@example.com
Cem,Aydin,,not-an-address
Dana,Novak,,dana@example.com
Eva,Petrosyan,+374 91 123456,
"""


def make_people(owner: User, number: int, **options: Any) -> FileMetadata:
    upload = FileMetadata.objects.create(
        owner=owner, name="people.xlsx", size=1000, key=f"k{number}", total_rows=number, accepted=number,
        done_at=timezone.now(), **options,
    )  # fmt: skip
    Contact.objects.bulk_create(
        Contact(
            owner=owner, upload=upload, row=i + 2, name=f"Person {i:06}", phone_number=f"+37410{i:06}",
            phone_key=f"37410{i:06}", email_address=f"p{i}@example.org" if i % 2 else "",
            email_key=f"p{i}@example.org" if i % 2 else "", accepted_at=timezone.now(),
        )
        for i in range(number)
    )  # fmt: skip
    return upload


# Records what the page says about the progress of an upload.
RECORD = """() => {
  const seen = [];
  const box = document.querySelector("#upload");
  const look = () => seen.push(box.querySelector("progress")?.parentElement.textContent ?? "");
  new MutationObserver(look).observe(box, { childList: true, subtree: true });
  return seen;
}"""


def choose_file(page: Page, text: str = CSV, name: str = "export.csv") -> None:
    page.get_by_label("Choose a file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": text.encode()})


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"contacts-{name}.png")


class TestImport:
    def test_a_file_is_imported_with_errors_corrected_in_place(self, browse: Callable[..., Page], ada: User) -> None:
        page = browse("/contacts/", user=ada)
        page.get_by_role("link", name="Import a file").click()
        choose_file(page)
        expect(page.get_by_role("heading", name="Match the columns")).to_be_visible()
        expect(page.get_by_label("Name, column 2")).to_have_value("Last Name")
        expect(page.get_by_role("cell", name="Ana Petrosyan")).to_be_visible()
        picture(page, "columns")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("= 5 rows")).to_be_visible()
        expect(page.get_by_role("heading", name="2 rejected rows")).to_be_visible()
        assert not FileMetadata.objects.exists()
        page.get_by_label("Phone Number of row 3").fill("+374 91 222222")
        page.get_by_label("Email Address of row 4").fill("still wrong")
        page.get_by_role("button", name="Check corrections").click()
        expect(page.get_by_text("1 corrected row still invalid")).to_be_visible()
        expect(page.get_by_label("Email Address of row 4")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_text("Corrected", exact=True)).to_be_visible()
        picture(page, "check")
        assert violations(page) == []
        page.get_by_label("Email Address of row 4").fill("cem@example.com")
        page.get_by_role("button", name="Import 3 rows and 2 corrected rows").click()
        expect(page).to_have_url(re.compile(r"/contacts/uploads/\d+/\?corrected=\d+$"))
        import_due()
        expect(page.get_by_text("Done, with rejected rows")).to_be_visible()
        expect(page.get_by_role("list", name="Result")).to_have_text(
            re.compile(r"2 accepted.*1 had to wait.*2 rejected.*= 5 rows")
        )
        assert sorted(Contact.objects.values_list("name", flat=True)) == [
            "Ana Petrosyan", "Bob Meyer", "Cem Aydin", "Dana Novak",
        ]  # fmt: skip
        page.get_by_role("link", name="corrected rows").click()
        expect(page.get_by_role("heading", name="corrected rows of export.csv")).to_be_visible()
        expect(page.get_by_role("list", name="Result")).to_have_text(re.compile(r"2 accepted.*0 rejected.*= 2 rows"))
        page.go_back()
        expect(page.get_by_role("heading", name="export.csv")).to_be_visible()

    def test_files_of_other_forms(self, browse: Callable[..., Page], watch: Any, settings: Any, ada: User) -> None:
        watch.allow("status of 400")
        page = browse("/contacts/import/", user=ada)
        # A file that cannot be read.
        choose_file(page, "%PDF-1.7 \x00\x01\x02", "paper.pdf")
        expect(page.get_by_role("alert")).to_contain_text("paper.pdf cannot be imported.")
        # Other columns are chosen, and Back leads through the steps.
        choose_file(page, "Who,Call,Other\nAna,+374 91 123456,+374 91 777777\n")
        expect(page.get_by_text("A column of phone numbers or of e-mail addresses is required.")).to_be_visible()
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.get_by_role("button", name="Continue")).to_be_disabled()
        page.get_by_role("combobox", name="Phone number", exact=True).select_option("Other")
        page.get_by_role("combobox", name="Name", exact=True).select_option("Who")
        expect(page.get_by_role("cell", name="Ana")).to_be_visible()
        expect(page.get_by_role("cell", name="+374 91 777777")).to_be_visible()
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("button", name="Import 1 row")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("combobox", name="Phone number", exact=True)).to_have_value("Other")
        page.go_back()
        expect(page.get_by_text("or drop it here")).to_be_visible()
        page.go_forward()
        expect(page.get_by_role("combobox", name="Phone number", exact=True)).to_have_value("Other")
        # The three columns of the template need no step for the columns.
        page.goto("/contacts/import/")
        choose_file(page, "Name,Phone Number,Email Address\nAna,+374 91 123456,\n")
        page.get_by_role("button", name="Import 1 row").click()
        expect(page).to_have_url(re.compile(r"/contacts/uploads/\d+/$"))
        assert FileMetadata.objects.get().mapping is None
        # Too many rows for a check.
        page.goto("/contacts/import/")
        settings.DRY_RUN_MAX_ROWS = 7000  # the page checks the first 200 kB for the columns
        choose_file(page, "Who,Mobile\n" + "".join(f"Person {i:08},+37491{i:07}\n" for i in range(8000)))
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Import without a check").click()
        expect(page).to_have_url(re.compile(r"/contacts/uploads/\d+/$"))

    def test_a_file_that_is_chosen_before_the_script_is_loaded_is_taken(
        self, browse: Callable[..., Page], ada: User
    ) -> None:
        page = browse(None, user=ada)
        held: list[Route] = []
        page.route("**/contacts/import.js", lambda route: held.append(route))
        page.goto("/contacts/import/", wait_until="commit")
        choose_file(page)
        wait_until(lambda: page.evaluate("true") and held, what="the request for the script")
        held[0].continue_()
        expect(page.get_by_role("heading", name="Match the columns")).to_be_visible()

    def test_an_import_with_the_keyboard_only(self, browse: Callable[..., Page], ada: User) -> None:
        page = browse("/contacts/import/", user=ada)
        with page.expect_file_chooser() as chooser:
            page.get_by_label("Choose a file").focus()
            page.keyboard.press("Enter")
        chooser.value.set_files({"name": "a.csv", "mimeType": "text/csv", "buffer": CSV.encode()})
        expect(page.get_by_role("cell", name="Ana Petrosyan")).to_be_visible()
        tab_to(page, "Continue")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Phone Number of row 3")).to_be_visible()
        tab_to(page, "Phone Number of row 3")
        page.keyboard.press("Control+A")
        page.keyboard.type("+374 91 222222")
        tab_to(page, "Import 3 rows and 1 corrected row")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/contacts/uploads/\d+/\?corrected=\d+$"))


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element called ``name`` has the focus."""
    script = "() => { const e = document.activeElement; return e.getAttribute('aria-label') ?? e.textContent.trim(); }"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(script) == name:
            return
    raise AssertionError(f"Tab does not reach {name!r}")


class TestUpload:
    @pytest.fixture
    def rejected(self, ada: User) -> FileMetadata:
        upload = make_people(ada, 3)
        FileMetadata.objects.filter(pk=upload.pk).update(total_rows=5, rejected=2)
        for row, phone in ((5, "call me"), (6, "12a")):
            RejectedRow.objects.create(
                upload=upload, row=row, name=f"R{row}", phone_number=phone, column="Phone Number",
                code="phone_invalid", message="Phone Number: not a phone number.", value=phone,
            )  # fmt: skip
        return upload

    def test_rejected_rows_are_corrected_and_an_upload_is_undone_and_deleted(
        self, browse: Callable[..., Page], ada: User, rejected: FileMetadata
    ) -> None:
        page = browse(f"/contacts/uploads/{rejected.pk}/", user=ada)
        expect(page.get_by_role("list", name="Reasons")).to_have_text(re.compile("Invalid phone number.*× 2"))
        expect(page.get_by_role("button", name="Upload corrected rows")).to_be_disabled()
        page.get_by_label("Phone Number of row 5").fill("+374 91 555555")
        page.get_by_role("button", name="Upload 1 corrected row").click()
        expect(page.get_by_role("heading", name="corrected rows of people.csv")).to_be_visible()
        import_due()
        expect(page.get_by_text("Done", exact=True)).to_be_visible()
        assert Contact.objects.get(name="R5").phone_number == "+374 91 555555"
        page.go_back()
        page.get_by_role("button", name="Undo upload").click()
        page.get_by_role("dialog").get_by_role("button", name="Undo upload").click()
        expect(page.get_by_text("The undo has removed 3 contacts and 0 waiting rows.")).to_be_visible()
        assert list(Contact.objects.values_list("name", flat=True)) == ["R5"]
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Delete upload").click()
        expect(page.get_by_role("link", name="people.xlsx")).to_be_hidden()
        page.get_by_role("button", name="Undo", exact=True).click()
        expect(page.get_by_role("link", name="people.xlsx")).to_be_visible()
        page.get_by_role("link", name="people.xlsx").click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Delete upload").click()
        expect(page.get_by_text("Deleted people.xlsx.")).to_be_visible()
        page.get_by_role("link", name="Waiting").click()  # the page is left: deleted at once
        wait_until(lambda: not FileMetadata.objects.filter(pk=rejected.pk).exists(), what="a deleted upload")

    def test_a_failed_upload_is_retried_and_the_progress_moves_while_a_page_is_open(
        self, browse: Callable[..., Page], watch: Any, events: Any, ada: User
    ) -> None:
        watch.allow("ERR_")
        upload = FileMetadata.objects.create(
            owner=ada, name="f.xlsx", size=1, key="f", total_rows=9, failed_at=timezone.now(),
            error="The file is gone.", error_code="original_missing",
        )  # fmt: skip
        page = browse(f"/contacts/uploads/{upload.pk}/", user=ada)
        expect(page.get_by_text("The import failed. The file is gone.")).to_be_visible()
        page.get_by_role("button", name="Retry").click()
        expect(page.get_by_text("Waiting to start")).to_be_visible()
        expect(page.get_by_text("You can leave this page.")).to_be_visible()
        page.goto("/contacts/import/")
        upload.delete()  # not earlier: the page of a deleted upload leads to the list
        lines = [f"N{number},+3749{number:07}," for number in range(2500)]
        choose_file(page, "\n".join(["Name,Phone Number,Email Address", *lines]))
        page.get_by_role("button", name="Import 2,500 rows").click()
        expect(page.get_by_text("Waiting for a worker")).to_be_visible()
        wait_for_stream(page)
        states = page.evaluate_handle(RECORD)
        import_due(chunk_rows=500)
        expect(page.get_by_text("Done", exact=True)).to_be_visible()
        seen = states.json_value()
        assert any("500 of 2,500 rows" in text for text in seen)
        assert any("rows per second" in text for text in seen)


class TestPeople:
    def test_many_rows_scroll_and_search_filters_order_and_export_are_in_the_address(
        self, browse: Callable[..., Page], ada: User
    ) -> None:
        upload = make_people(ada, 3000)
        page = browse("/contacts/?ordering=name", user=ada)
        expect(page.get_by_text("3,000 contacts", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name="Person 000000")).to_be_visible()
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        expect(page.get_by_role("link", name="Person 002999")).to_be_visible()
        assert page.locator("[data-index]").count() < 80
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
        expect(page.get_by_role("link", name="Person 001500")).to_be_visible()
        page.get_by_role("link", name="Person 001500").focus()
        for _ in range(40):
            page.keyboard.press("ArrowDown")
        expect(page.get_by_role("link", name="Person 001540")).to_be_focused()
        # Search, filters, order, export.
        page.goto("/contacts/")
        expect(page.get_by_text("3,000 contacts", exact=True)).to_be_visible()
        page.keyboard.press("/")
        page.keyboard.type("person 0001")
        found = [number for number in range(3000) if "0001" in f"37410{number:06}"]
        odd = [number for number in found if number % 2]
        expect(page.locator("#total")).to_have_text(f"{len(found):,} contacts found")
        page.get_by_role("combobox", name="E-mail").select_option("With e-mail")
        expect(page.locator("#total")).to_have_text(f"{len(odd):,} contacts found")
        page.get_by_role("button", name="Name").click()
        expect(page.get_by_role("link", name=re.compile("^Person")).first).to_have_text(f"Person {odd[0]:06}")
        expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
        page.get_by_text("Export", exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        assert len(download.value.path().read_text().splitlines()) == len(odd) + 1
        page.reload()
        expect(page.locator("#total")).to_have_text(f"{len(odd):,} contacts found")
        page.go_back()
        expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "none")
        page.go_back()
        expect(page.locator("#total")).to_have_text(f"{len(found):,} contacts found")
        page.get_by_role("button", name="Clear filters").click()
        expect(page.get_by_text("3,000 contacts", exact=True)).to_be_visible()
        page.get_by_role("combobox", name="Upload").select_option(str(upload.pk))
        page.get_by_label("Added until").fill("2020-01-01")
        expect(page.get_by_text("No contacts match these filters.")).to_be_visible()

    def test_a_contact_is_opened_by_its_address_corrected_and_deleted_with_undo(
        self, browse: Callable[..., Page], watch: Any, ada: User
    ) -> None:
        watch.allow("status of 40[04]")
        make_people(ada, 150)
        first = Contact.objects.get(name="Person 000000")  # not among the first hundred rows
        page = browse(f"/contacts/?contact={first.pk}", user=ada)
        expect(page.get_by_role("dialog", name="Person 000000")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        expect(page).to_have_url(re.compile("/contacts/$"))
        stranger = make_people(UserFactory(), 1)
        page.goto(f"/contacts/?contact={Contact.objects.get(upload=stranger).pk}")
        expect(page.get_by_text("This contact does not exist.")).to_be_visible()
        # Correct.
        page.get_by_role("link", name="Person 000149").click()
        drawer = page.get_by_role("dialog", name="Person 000149")
        assert violations(page) == []
        drawer.get_by_label("Phone number").fill("call me")
        drawer.get_by_role("button", name="Save").click()
        expect(drawer.get_by_label("Phone number")).to_have_attribute("aria-invalid", "true")
        page.keyboard.press("Escape")
        expect(drawer.get_by_text("Your changes are not saved.")).to_be_visible()
        drawer.get_by_label("Phone number").fill("+374 91 999999")
        drawer.get_by_label("Name").fill("Zoe")
        drawer.get_by_role("button", name="Save").click()
        expect(page.get_by_role("link", name="Zoe")).to_be_visible()
        expect(page.get_by_role("dialog")).to_be_hidden()
        assert Contact.objects.get(name="Zoe").phone_key == "37491999999"
        # Delete, by keyboard.
        page.get_by_role("link", name="Person 000148").focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
        page.get_by_role("button", name="Undo").press("Enter")
        expect(page.locator(".person.leaving")).to_have_count(0)
        page.get_by_role("link", name="Person 000147").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.locator(".person.leaving")).to_have_count(1)
        page.goto("/contacts/uploads/")  # the page is left: deleted at once
        wait_until(lambda: not Contact.objects.filter(name="Person 000147").exists(), what="a deleted contact")
        assert Contact.objects.filter(name="Person 000148").exists()

    def test_several_contacts_are_selected_and_deleted(self, browse: Callable[..., Page], ada: User) -> None:
        make_people(ada, 2500)
        page = browse("/contacts/?ordering=name", user=ada, width=360)
        page.get_by_label("Select Person 000002").check()
        expect(page.get_by_label("Select Person 000002")).to_be_focused()
        page.get_by_label("Select Person 000005").click(modifiers=["Shift"])
        expect(page.get_by_role("toolbar", name="Selected contacts")).to_contain_text("4 selected")
        page.get_by_label("Select Person 000004").uncheck()
        assert overflow(page) <= 0
        assert violations(page) == []
        page.get_by_role("toolbar").get_by_role("button", name="Delete").click()
        dialog = page.get_by_role("dialog", name="Delete 3 contacts?")
        assert violations(page) == []
        dialog.get_by_role("button", name="Cancel").click()
        assert Contact.objects.count() == 2500
        page.get_by_role("toolbar").get_by_role("button", name="Delete").click()
        dialog.get_by_role("button", name="Delete 3 contacts").click()
        expect(page.get_by_text("Deleted 3 contacts.")).to_be_visible()
        expect(page.get_by_text("2,497 contacts", exact=True)).to_be_visible()
        expect(page.get_by_role("toolbar")).to_be_hidden()
        assert list(Contact.objects.order_by("name").values_list("name", flat=True)[:4]) == [
            "Person 000000", "Person 000001", "Person 000004", "Person 000006",
        ]  # fmt: skip
        # All that a search has found, in several requests.
        page.get_by_label("Select Person 000000").check()
        page.get_by_label("Search contacts").fill("person 0")
        expect(page.locator("#total")).to_have_text("2,497 contacts found")
        expect(page.get_by_role("toolbar")).to_be_hidden()
        page.get_by_label("Select Person 000000").check()
        page.get_by_role("button", name="Select all 2,497").click()
        expect(page.get_by_role("toolbar", name="Selected contacts")).to_contain_text("2,497 selected")
        page.get_by_label("Select Person 000001").uncheck()
        page.get_by_role("toolbar").get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Delete 2,496 contacts").click()
        expect(page.locator("#total")).to_have_text("1 contact found")
        assert Contact.objects.get().name == "Person 000001"


def make_waiting(owner: User, upload: FileMetadata, seconds: int = 100) -> UnprocessedContact:
    now = timezone.now()
    return UnprocessedContact.objects.create(
        owner=owner, upload=upload, row=90, name="Wanda", phone_number="+374 91 1", phone_key="374911",
        email_address="wanda@example.org", email_key="wanda@example.org", received_at=now,
        due_at=now + timezone.timedelta(seconds=seconds), phone_busy=True, email_busy=False,
    )  # fmt: skip


def test_a_waiting_row_shows_its_key_a_countdown_and_the_reason(browse: Callable[..., Page], ada: User) -> None:
    row = make_waiting(ada, make_people(ada, 1))
    page = browse("/contacts/waiting/", user=ada)
    expect(page.get_by_text(re.compile(r"^in 1:\d\d$"))).to_be_visible()
    expect(page.locator(".key-chip.busy")).to_have_text(re.compile(r"\+374 91 1"))
    expect(page.get_by_text("Its phone number was stored less than 3 minutes before")).to_be_visible()
    row.delete()
    row = make_waiting(ada, row.upload)
    page.reload()
    page.get_by_role("button", name="Delete Wanda").click()
    expect(page.get_by_text("No rows wait.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Wanda", exact=True)).to_be_visible()
    assert UnprocessedContact.objects.filter(pk=row.pk).exists()


def check_layout(page: Page, name: str, width: int) -> None:
    """Check the width and the accessibility of a page, and its colours in the other theme, too."""
    picture(page, f"{name}-{width}-light")
    assert overflow(page) <= 0, name
    assert violations(page) == [], name
    page.emulate_media(color_scheme="dark")
    picture(page, f"{name}-{width}-dark")
    assert violations(page, runOnly=["color-contrast"]) == [], name
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_the_window_and_is_accessible(browse: Callable[..., Page], ada: User, width: int) -> None:
    upload = make_people(ada, 200)
    make_waiting(ada, upload)
    FileMetadata.objects.filter(pk=upload.pk).update(total_rows=203, rejected=2, deferred=1)
    for row, phone in ((300, "call me"), (301, "12a")):
        RejectedRow.objects.create(
            upload=upload, row=row, name="A rather long name of somebody", phone_number=phone, column="Phone Number",
            code="phone_invalid", message="Phone Number: not a phone number.", value=phone,
        )  # fmt: skip
    FileMetadata.objects.create(owner=ada, name="a" * 80 + ".xlsx", size=1, key="running", total_rows=9, accepted=4)
    page = browse(None, user=ada, width=width)
    ready = {
        "": page.get_by_role("link", name="Person 000199"),
        "uploads/": page.get_by_role("link", name="people.xlsx"),
        f"uploads/{upload.pk}/": page.get_by_label("Phone Number of row 301"),
        "waiting/": page.get_by_text("Wanda", exact=True),
        "import/": page.get_by_text("or drop it here"),
    }
    for path, mark in ready.items():
        page.goto(f"/contacts/{path}")
        expect(mark).to_be_visible()
        name = path.split("/")[0] + ("-one" if path.count("/") == 2 else "")
        check_layout(page, name or "people", width)
    choose_file(page)
    expect(page.get_by_role("cell", name="Ana Petrosyan")).to_be_visible()
    for step in ("Columns", "Check"):
        check_layout(page, f"import-{step.lower()}", width)
        if step == "Columns":
            page.get_by_role("button", name="Continue").click()
            expect(page.get_by_role("heading", name="2 rejected rows")).to_be_visible()


def test_each_page_is_small(browse: Callable[..., Page], ada: User) -> None:
    upload = make_people(ada, 100)
    page = browse(None, user=ada)
    responses: list[Any] = []
    for path in ("", "import/", "uploads/", f"uploads/{upload.pk}/", "waiting/"):
        responses.clear()
        window = page.context.new_page()
        window.on("response", lambda response: responses.append(response))
        window.goto(f"/contacts/{path}", wait_until="networkidle")
        paint = window.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        # The server compresses static files; the API's few bytes count as they are.
        total = sum(len(gzip.compress(each.body())) for each in responses if each.status == 200)
        print(f"/contacts/{path}: {total / 1000:.0f} kB, first paint {paint:.0f} ms")
        assert 10_000 < total < 120_000, path
        window.close()
