"""The notes page as its users use it: alone, by two people at once, without a connection, by keyboard, on a phone."""

import gzip
import re
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, Route, expect

from accounts.models import User, UserProfile
from notes.models import Membership, Note, Reminder, Role
from notes.services import memberships
from notes.services.trash import trash_notes
from notes.tasks import import_notes
from tests.notes.factories import LabelFactory, make_note, share
from tests.notes.keep_archives import TAKEOUT, zip_of
from tests.waiting import wait_until

from ..accessibility import violations
from ..conftest import PICTURES, Browse, Watch
from ..held import OldAnswer
from ..test_landing import overflow

pytestmark = pytest.mark.django_db(transaction=True)


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("article", name=title, exact=True)


def editor(page: Page) -> Locator:
    return page.locator("dialog.editor")


def saved(within: Locator | Page) -> None:
    expect(within.locator(".save-state")).to_have_text("Saved")


def open_note(page: Page, title: str) -> Locator:
    card(page, title).click(position={"x": 120, "y": 8})
    expect(editor(page)).to_be_visible()
    return editor(page)


def items(*texts: str) -> list[dict[str, Any]]:
    return [{"text": text, "checked": False} for text in texts]


class TestOneUser:
    def test_a_note_is_taken_saved_while_typing_and_opened_by_its_address(self, browse: Browse, ada: User) -> None:
        page = browse("/notes/", user=ada)
        expect(page.get_by_text("No notes yet.")).to_be_visible()
        page.get_by_role("button", name="Take a note…").click()
        page.get_by_label("Text", exact=True).fill("Call the **plumber**")
        saved(page)
        page.get_by_label("Title").fill("Bathroom")
        saved(page)
        page.get_by_role("button", name="Done").click()
        note = Note.objects.get()
        assert (note.title, note.body, note.owner) == ("Bathroom", "Call the **plumber**", ada)
        dialog = open_note(page, "Bathroom")
        expect(page).to_have_url(re.compile(rf"/notes/{note.pk}/$"))
        expect(dialog.locator("strong")).to_have_text("plumber")
        page.go_back()
        expect(editor(page)).to_have_count(0)
        expect(page).to_have_url(re.compile("/notes/$"))
        page.go_forward()
        expect(dialog).to_be_visible()
        page.reload()
        expect(dialog.get_by_label("Title")).to_have_value("Bathroom")
        assert violations(page) == []
        page.keyboard.press("Escape")
        expect(page).to_have_url(re.compile("/notes/$"))
        assert violations(page) == []

    def test_a_checklist_is_written_ticked_moved_and_indented(self, browse: Browse, ada: User) -> None:
        page = browse("/notes/", user=ada)
        page.get_by_role("button", name="New checklist").click()
        page.get_by_label("New list item").press_sequentially("Milk")
        for text in ("Bread", "Butter"):
            page.keyboard.press("Enter")
            page.keyboard.type(text)
        page.keyboard.press("Control+]")
        page.keyboard.press("Alt+ArrowUp")
        page.keyboard.press("Control+Enter")
        wait_until(lambda: Note.objects.filter(items=items("Milk", "  Butter", "Bread")).exists(), what="the checklist")
        card(page, "Milk").get_by_role("checkbox", name="Bread").check()
        wait_until(lambda: Note.objects.get().items[2]["checked"], what="the tick")
        dialog = open_note(page, "Milk")
        expect(dialog.get_by_text("1 completed item")).to_be_visible()
        handle = dialog.get_by_role("button", name="Move Milk")
        handle.hover()
        page.mouse.down()
        other = dialog.get_by_role("button", name="Move Butter").bounding_box()
        page.mouse.move(other["x"] + 5, other["y"] + other["height"] + 12, steps=6)
        page.mouse.up()
        wait_until(lambda: [each["text"].strip() for each in Note.objects.get().items][0] == "Butter", what="the move")

    def test_actions_on_a_card_can_be_undone(self, browse: Browse, watch: Watch, ada: User) -> None:
        watch.allow("status of 412")  # of the colour, if the answer to the last Undo is late; it is merged
        note = make_note(ada, title="Plan", body="")
        label = LabelFactory(owner=ada, name="Work")
        page = browse("/notes/", user=ada)
        membership = Membership.objects.filter(note=note)
        plan = card(page, "Plan")
        for action, field in (("Pin", "pinned"), ("Archive", "archived"), ("Delete", "trashed")):
            plan.hover()
            plan.get_by_role("button", name=f"{action}: Plan").click()
            wait_until(lambda field=field: membership.values_list(field, flat=True)[0], what=action)
            page.get_by_role("button", name="Undo").last.click()
            wait_until(lambda field=field: not membership.values_list(field, flat=True)[0], what=f"undo of {action}")
            expect(plan).to_be_visible()
        plan.get_by_role("button", name="Colour: Plan").click()
        page.get_by_role("button", name="Yellow").click()
        wait_until(lambda: Note.objects.filter(color="yellow").exists(), what="the colour")
        plan.get_by_role("button", name="Labels: Plan").click()
        page.get_by_label("Work", exact=True).check()
        wait_until(lambda: label.memberships.exists(), what="the label")
        page.keyboard.press("Escape")
        expect(page.get_by_role("navigation", name="Notes").get_by_role("link", name="Work 1")).to_be_visible()

    def test_a_reminder_is_typed_and_means_the_users_own_time_zone(self, browse: Browse, ada: User) -> None:
        make_note(ada, title="Call Tokyo")
        UserProfile.objects.update_or_create(user=ada, defaults={"timezone": "Asia/Tokyo"})
        page = browse("/notes/", user=ada, timezone_id="America/New_York")
        card(page, "Call Tokyo").hover()
        page.get_by_role("button", name="Remind me: Call Tokyo").click()
        page.get_by_label("When").fill("tomorrow 9")
        expect(page.get_by_text("Asia/Tokyo")).to_be_visible()
        page.keyboard.press("Enter")
        wait_until(Reminder.objects.exists, what="the reminder")
        at = Reminder.objects.get().remind_at
        assert (at.hour, at.minute) == (0, 0), "9:00 in Tokyo is midnight UTC"
        assert 0 < (at - timezone.now()).total_seconds() < 2 * 86400

    def test_search_and_filters_are_in_the_address(self, browse: Browse, ada: User, bob: User) -> None:
        make_note(ada, title="Oat milk", color="green")
        make_note(ada, title="Shopping", body="", items=items("Milk", "Bread"))
        share(make_note(bob, title="Bob's milk"), ada)
        page = browse("/notes/", user=ada)
        page.get_by_role("article").first.wait_for()
        page.keyboard.press("/")
        page.keyboard.type("milk")
        expect(page).to_have_url(re.compile(r"\?q=milk$"))
        expect(page.get_by_role("article")).to_have_count(3)
        for choice, address, title in (
            ("Checklists", "kind=list", "Shopping"),
            ("Green", "color=green", "Oat milk"),
            ("bob", f"person={bob.usercode}", "Bob's milk"),
        ):
            page.get_by_role("button", name="Filter", exact=True).click()
            page.locator(".popup").get_by_role("button", name=choice, exact=True).click()
            expect(page).to_have_url(re.compile(re.escape(address)))
            expect(page.get_by_role("article")).to_have_count(1)
            expect(card(page, title)).to_be_visible()
            page.reload()
            expect(page.get_by_role("article")).to_have_count(1)
            page.get_by_role("button", name="Remove filter").click()
            expect(page.get_by_role("article")).to_have_count(3)
        page.get_by_role("link", name="Shared with me").click()
        expect(page.get_by_role("article")).to_have_count(1)
        page.go_back()
        expect(page.get_by_role("article")).to_have_count(3)

    def test_markdown_cannot_run_scripts_or_fetch_images(self, browse: Browse, ada: User) -> None:
        body = (
            "# Head\n<script>window.hacked = 1</script><img src=x onerror=window.hacked=1>\n\n"
            "[good](https://example.org) [bad](javascript:window.hacked=1) ![pic](https://example.org/p.png)\n"
            '<a href="data:text/html,x" onclick="window.hacked=1">x</a> <form><input name=a></form>'
        )
        note = make_note(ada, title="Markdown", body=body)
        page = browse(f"/notes/{note.pk}/", user=ada)
        shown = editor(page).locator(".markdown")
        expect(shown.get_by_role("heading", name="Head")).to_be_visible()
        expect(shown.get_by_role("link", name="good")).to_have_attribute("rel", "noopener noreferrer nofollow")
        assert shown.locator("script, img, form, input, [onclick], [onerror], [style]").count() == 0
        hrefs = shown.locator("a[href]").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
        assert set(hrefs) == {"https://example.org", "https://example.org/p.png"}
        assert page.evaluate("window.hacked") is None

    def test_a_long_list_has_few_elements(self, browse: Browse, ada: User) -> None:
        many = Note.objects.bulk_create(
            Note(owner=ada, title=f"Note {number}", body="word " * (number % 40)) for number in range(500)
        )
        Membership.objects.bulk_create(Membership(user=ada, note=note, role=Role.OWNER) for note in many)
        page = browse("/notes/", user=ada)
        seen, most = set(), 0

        def scroll() -> bool:
            titles = page.locator(".note-card h2").all_inner_texts()
            nonlocal most
            most = max(most, len(titles))
            seen.update(titles)
            page.mouse.wheel(0, 1200)
            return len(seen) == 500

        page.get_by_role("article").first.wait_for()
        wait_until(scroll, timeout=90, what="all notes seen")
        assert most < 90
        assert overflow(page) <= 0

    def test_the_first_page_of_notes_is_in_the_html(self, browse: Browse, ada: User) -> None:
        make_note(ada, title="Ferry")
        page = browse(None, user=ada)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto("/notes/")
        expect(card(page, "Ferry")).to_be_visible()
        page.keyboard.press("n")  # app.js has taken over
        expect(page.get_by_label("Title")).to_be_visible()
        assert not [url for url in requests if "/api/v1/notes/?" in url]

    def test_what_is_moved_to_the_trash_after_emptying_it_stays_there(self, browse: Browse, ada: User) -> None:
        seen, later = make_note(ada, title="Seen"), make_note(ada, title="Later")
        trash_notes(by=ada, note_ids=[seen.pk])
        page = browse("/notes/?view=trash", user=ada)
        page.get_by_role("button", name="Empty trash").click()
        expect(page.get_by_text("The trash is empty.")).to_be_visible()
        trash_notes(by=ada, note_ids=[later.pk])  # on another device
        page.goto("/notes/?view=trash")  # what is held is sent now
        wait_until(lambda: not Note.objects.filter(pk=seen.pk).exists(), what="the deletion")
        expect(card(page, "Later")).to_be_visible()
        assert Note.objects.filter(pk=later.pk).exists()

    def test_select_all_and_empty_trash_include_notes_that_are_not_loaded(self, browse: Browse, ada: User) -> None:
        many = Note.objects.bulk_create(
            Note(owner=ada, title=f"Note {number}", trashed_at=timezone.now()) for number in range(80)
        )
        Membership.objects.bulk_create(Membership(user=ada, note=note, role=Role.OWNER, trashed=True) for note in many)
        trashed = Membership.objects.filter(trashed=True)
        page = browse("/notes/?view=trash", user=ada, width=360, height=500)  # the second page is not loaded yet
        page.get_by_role("button", name="Empty trash").click()
        expect(page.get_by_text("The trash is empty.")).to_be_visible()
        expect(page.get_by_role("button", name="Empty trash")).to_be_disabled()  # as it is until the list is loaded
        page.get_by_role("button", name="Undo").click()
        card(page, "Note 79").get_by_role("link").focus()
        page.keyboard.press("x")
        page.get_by_role("button", name="Select all").click()
        expect(page.get_by_text("80 selected")).to_be_visible()
        page.get_by_role("button", name="Restore", exact=True).click()
        wait_until(lambda: not trashed.exists(), what="80 restored notes")
        page.get_by_role("button", name="Undo").last.click()
        wait_until(lambda: trashed.count() == 80, what="80 notes in the trash")
        page.get_by_role("button", name="Empty trash").click()
        expect(page.get_by_text("Trash emptied.").last).to_be_visible()
        page.goto("/account/")  # the page is left: deleted at once
        wait_until(lambda: not Note.objects.exists(), what="an empty trash")

    def test_empty_trash_includes_a_note_whose_move_to_the_trash_is_not_confirmed_yet(
        self, browse: Browse, ada: User
    ) -> None:
        trash_notes(by=ada, note_ids=[make_note(ada, title="Late").pk])
        page = browse("/notes/?view=trash", user=ada)
        card(page, "Late").get_by_role("link").focus()
        page.keyboard.press("#")
        wait_until(lambda: not Membership.objects.filter(trashed=True).exists(), what="a restored note")
        old = OldAnswer(page, "**/api/v1/notes/bulk/")
        page.get_by_role("button", name="Undo").click()
        old.wait()
        page.get_by_role("button", name="Empty trash").click()
        old.arrive()
        expect(page.get_by_text("Trash emptied.")).to_be_visible()
        page.goto("/account/")
        wait_until(lambda: not Note.objects.exists(), what="an empty trash")


class TestTwoDevices:
    def test_own_changes_appear_on_the_users_other_devices(self, browse: Browse, events: Popen, ada: User) -> None:
        LabelFactory(owner=ada, name="Work")
        laptop, phone = browse("/notes/", user=ada), browse("/notes/", user=ada)
        laptop.get_by_role("button", name="Take a note…").click()
        laptop.get_by_label("Title").fill("Ferry")
        saved(laptop)
        expect(card(phone, "Ferry")).to_be_visible()
        laptop.get_by_label("Text", exact=True).fill("At nine")
        expect(card(phone, "Ferry")).to_contain_text("At nine")
        expect(laptop.get_by_role("article")).to_have_count(0)  # not yet, below its own text field
        laptop.get_by_role("button", name="Done").click()
        card(laptop, "Ferry").hover()
        laptop.get_by_role("button", name="Labels: Ferry").click()
        laptop.get_by_label("Work", exact=True).check()
        expect(phone.get_by_role("navigation", name="Notes").get_by_role("link", name="Work 1")).to_be_visible()
        laptop.keyboard.press("Escape")
        open_note(laptop, "Ferry")
        card(phone, "Ferry").hover()
        phone.get_by_role("button", name="Pin: Ferry").click()
        expect(editor(laptop).get_by_role("button", name="Unpin")).to_be_visible()
        phone.get_by_role("button", name="Delete: Ferry").click()
        expect(card(laptop, "Ferry")).to_have_count(0)


class TestTwoUsers:
    def test_changes_by_others_appear_and_a_conflict_loses_nothing(
        self, browse: Browse, events: Popen, watch: Watch, ada: User, bob: User
    ) -> None:
        watch.allow("status of 412|ERR_")
        note = make_note(ada, title="Trip", body="Meet at nine")
        hers, his = browse("/notes/", user=ada), browse("/notes/", user=bob)
        # Ada shares the note, and Bob sees it without reloading.
        card(hers, "Trip").hover()
        hers.get_by_role("button", name="Share: Trip").click()
        hers.get_by_label("E-mail address or code").fill(bob.usercode.lower())
        hers.get_by_role("button", name="Share", exact=True).last.click()
        expect(hers.get_by_label("Role of bob")).to_have_value("editor")
        hers.keyboard.press("Escape")
        expect(card(his, "Trip")).to_be_visible()
        # What Bob changes appears in the note that Ada has open.
        dialog = open_note(hers, "Trip")
        theirs = open_note(his, "Trip")
        theirs.get_by_label("Title").fill("Trip to Lisbon")
        expect(dialog.get_by_label("Title")).to_have_value("Trip to Lisbon")
        expect(dialog.get_by_text("Changed by bob")).to_be_visible()
        # Both change the text: Bob first, while Ada has no connection.
        hers.context.set_offline(True)
        dialog.get_by_role("button", name="Edit the text").click()
        dialog.get_by_label("Text", exact=True).fill("Meet at ten")
        expect(dialog.get_by_text("No connection.")).to_be_visible()
        theirs.get_by_role("button", name="Edit the text").click()
        theirs.get_by_label("Text", exact=True).fill("Meet at eleven")
        saved(theirs)
        hers.context.set_offline(False)
        conflict = hers.get_by_role("dialog", name="This note was changed twice")
        expect(conflict.get_by_role("region", name="Your version")).to_contain_text("Meet at ten")
        expect(conflict.get_by_role("region", name="Their version")).to_contain_text("Meet at eleven")
        assert violations(hers) == []
        conflict.get_by_role("button", name="Keep both").click()
        expect(dialog.get_by_label("Text", exact=True)).to_have_value("Meet at eleven")
        note.refresh_from_db()
        assert note.body == "Meet at eleven"
        assert Note.objects.exclude(pk=note.pk).get().body == "Meet at ten"

    def test_ticks_of_two_people_are_merged(
        self, browse: Browse, events: Popen, watch: Watch, ada: User, bob: User
    ) -> None:
        watch.allow("status of 412|ERR_")
        note = make_note(ada, title="Camping", body="", items=items("Tent", "Stove"))
        share(note, bob, Role.EDITOR)
        hers, his = browse("/notes/", user=ada), browse("/notes/", user=bob)
        hers.context.set_offline(True)
        card(hers, "Camping").get_by_role("checkbox", name="Tent").check()
        card(his, "Camping").get_by_role("checkbox", name="Stove").check()
        wait_until(lambda: Note.objects.get().items[1]["checked"], what="Bob's tick")
        hers.context.set_offline(False)
        wait_until(lambda: all(item["checked"] for item in Note.objects.get().items), what="both ticks")
        expect(card(hers, "Camping").get_by_role("checkbox", name="Stove")).to_be_checked()


class TestOutages:
    def test_a_note_typed_offline_survives_a_crash_of_the_tab(self, browse: Browse, watch: Watch, ada: User) -> None:
        watch.allow("ERR_INTERNET_DISCONNECTED")
        page = browse("/notes/", user=ada)
        page.get_by_role("button", name="Take a note…").click()
        page.context.set_offline(True)
        page.get_by_label("Text", exact=True).press_sequentially("In the tunnel")
        expect(page.get_by_text("No connection.").first).to_be_visible()
        page.close(run_before_unload=False)
        again = page.context.new_page()
        page.context.set_offline(False)
        again.goto("/notes/")
        expect(again.get_by_text("A note that was not saved is saved now.")).to_be_visible()
        expect(again.get_by_role("article")).to_have_count(1)
        assert Note.objects.get().body == "In the tunnel"

    def test_a_lost_answer_creates_no_second_note(self, browse: Browse, watch: Watch, ada: User) -> None:
        watch.allow("ERR_FAILED")
        page = browse("/notes/", user=ada)
        lost: list[Any] = []

        def lose(route: Route) -> None:
            if route.request.method != "POST" or lost:
                return route.continue_()
            lost.append(route.fetch())  # the server has created the note
            return route.abort()

        page.route("**/api/v1/notes/", lose)
        page.get_by_role("button", name="Take a note…").click()
        page.get_by_label("Text", exact=True).press_sequentially("Once")
        expect(page.get_by_text("No connection.").first).to_be_visible()
        page.get_by_label("Text", exact=True).press_sequentially(" only")
        saved(page)
        assert lost
        assert Note.objects.get().body == "Once only"

    def test_text_of_a_deleted_note_is_kept_as_a_new_one(self, browse: Browse, watch: Watch, ada: User) -> None:
        watch.allow("status of 404")
        note = make_note(ada, title="Gone", body="")
        page = browse(f"/notes/{note.pk}/", user=ada)
        expect(editor(page)).to_be_visible()
        Note.objects.all().delete()
        editor(page).get_by_label("Text", exact=True).fill("Still here")
        editor(page).get_by_role("button", name="Save as a new note").click()
        wait_until(lambda: Note.objects.filter(title="Gone", body="Still here").exists(), what="the copy")


class TestKeyboard:
    def test_notes_are_chosen_archived_and_deleted_by_keys_alone(self, browse: Browse, ada: User) -> None:
        for number in (1, 2, 3, 4):
            make_note(ada, title=f"Note {number}", body="")
        page = browse("/notes/", user=ada)
        page.get_by_role("article").nth(3).wait_for()
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(card(page, "Note 3").get_by_role("link")).to_be_focused()
        page.keyboard.press("k")
        page.keyboard.press("e")
        expect(card(page, "Note 4")).to_have_count(0)
        for title in ("Note 3", "Note 2"):
            card(page, title).get_by_role("link").focus()
            page.keyboard.press("x")
        expect(page.get_by_text("2 selected")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("#")
        expect(page.get_by_role("article")).to_have_count(1)
        wait_until(lambda: Membership.objects.filter(trashed=True).count() == 2, what="two notes in the trash")
        page.keyboard.press("n")
        page.keyboard.type("By keyboard")
        page.keyboard.press("Escape")
        expect(card(page, "By keyboard")).to_be_visible()
        page.keyboard.press("l")
        page.keyboard.type("First")
        page.keyboard.press("Escape")
        expect(card(page, "First")).to_be_visible()
        page.keyboard.press("?")
        expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()


class TestTakeout:
    def test_a_dropped_archive_is_imported_with_a_report(self, browse: Browse, ada: User, tmp_path: Path) -> None:
        page = browse("/notes/", user=ada)
        transfer = page.evaluate_handle(
            "bytes => { const transfer = new DataTransfer();"
            " transfer.items.add(new File([new Uint8Array(bytes)], 'takeout.zip')); return transfer; }",
            list(zip_of(TAKEOUT)),
        )
        page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
        expect(page.get_by_text("Drop a Google Keep archive (Takeout)")).to_be_visible()
        page.dispatch_event("body", "drop", {"dataTransfer": transfer})
        expect(page.get_by_text(re.compile("Importing takeout.zip"))).to_be_visible()
        import_notes()
        expect(page.get_by_text(re.compile("3 created"))).to_be_visible()
        page.keyboard.press("Escape")
        expect(card(page, "Groceries")).to_be_visible()
        expect(page.get_by_role("link", name="Food 1")).to_be_visible()


class TestLayout:
    @pytest.mark.parametrize("width, dark", [(360, True), (360, False), (1280, True)])
    def test_the_page_fits_both_themes_and_is_accessible(
        self, browse: Browse, ada: User, bob: User, width: int, dark: bool
    ) -> None:
        for color in ("default", "red", "yellow", "cerulean", "gray", "#336699"):
            make_note(ada, title=f"{color} note", items=items("one", "two"), color=color)
        pinned = make_note(ada, title="Pinned", body="x" * 200)
        memberships.update_memberships(by=ada, note_ids=[pinned.pk], pinned=True)
        share(pinned, bob)
        page = browse("/notes/", user=ada, width=width, dark=dark)
        page.get_by_role("article").nth(4).wait_for()
        page.screenshot(path=PICTURES / f"notes-{width}-{'dark' if dark else 'light'}.png")
        assert overflow(page) <= 0
        assert violations(page) == []
        open_note(page, "red note")
        assert overflow(page) <= 0
        assert violations(page) == []

    def test_a_long_press_on_a_phone_selects_the_note(self, browse: Browse, ada: User) -> None:
        make_note(ada, title="Press me")
        page = browse("/notes/", user=ada, width=360, has_touch=True, is_mobile=True)
        link = card(page, "Press me").get_by_role("link")
        link.dispatch_event("pointerdown", {"pointerType": "touch", "bubbles": True})
        expect(page.get_by_text("1 selected")).to_be_visible()
        link.dispatch_event("pointerup", {"pointerType": "touch", "bubbles": True})
        page.get_by_role("toolbar").get_by_role("button", name="Archive").tap()
        expect(page.get_by_role("button", name="Undo")).to_be_visible()
        wait_until(lambda: Membership.objects.filter(archived=True).exists(), what="the archived note")

    @pytest.mark.parametrize("path", ["/", "/notes/"])
    def test_a_page_is_small(self, browse: Browse, ada: User, path: str) -> None:
        make_note(ada)
        page = browse(None, user=ada)
        responses: list[Any] = []
        page.on("response", lambda response: responses.append(response))
        page.goto(path)
        expect(page.locator("main [aria-busy]")).to_have_count(0)
        # The server compresses static files; the API's few bytes count as they are.
        total = sum(len(gzip.compress(each.body())) for each in responses if each.status == 200)
        assert total < 120_000, f"{path}: {total} bytes"
