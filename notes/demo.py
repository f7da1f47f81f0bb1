"""The notes that ``manage.py demo`` creates."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from accounts.models import User

from .models import Membership, Note, Role
from .services import labels, memberships, notes, reminders, sharing, trash


class Draft(NamedTuple):
    """A note of Ann's. ``shared`` has the first letters of names, in upper case for editors; times are in hours."""

    title: str
    body: str = ""
    items: str = ""  # one a line; ticked ones begin with x
    color: str = "default"
    label: str = ""
    pinned: bool = False
    archived: bool = False
    trashed: bool = False
    reminder: int = 0  # from now
    age: int = 24
    shared: str = ""


DRAFTS = (
    Draft("Winter coat", "The one at the flea market was 30 euros, still there on Sunday?", trashed=True, age=900),
    Draft("Old phone plan", "Cancelled, confirmation 4471.", archived=True, label="Home", age=2_600),
    Draft("Lisbon, three days", "Tram 28 early in the morning.\nTile museum, closed on Mondays.\nPastéis: the queue moves fast.", archived=True, color="yellow", label="Travel", age=2_200),
    Draft("Speech for Ben's fortieth", "How we met: the broken ferry.\nThe tent story, but short.\nEnd with the choir.", archived=True, color="pink", age=1_500),
    Draft("Books to read", items="x The Left Hand of Darkness\nThe Dispossessed\nPiranesi\nx Stoner\nAusterlitz\nKindred", color="purple", label="Reading", age=840),
    Draft("Sourdough", "Evening: 100 g starter, 350 g water, 500 g flour, 10 g salt.\nFold four times, then the fridge.\nMorning: 250 °C with the lid, 20 minutes; 220 °C without, 20 minutes.", color="orange", label="Recipes", age=720),
    Draft("Lentil soup for twelve", items="x 1.2 kg red lentils\nx 12 carrots\n8 onions\n2 tins of tomatoes\nCumin, paprika\n3 lemons", color="orange", label="Recipes", shared="E", age=50),
    Draft("Wi-Fi for guests", "Network: Lee-Guests\nThe password is on the card behind the clock.", label="Home", pinned=True, age=1_900),
    Draft("Bike service", "Rear brake squeals. Ask about the chain, it has 4,000 km.", reminder=70, label="Home", age=96),
    Draft("Tax documents", items="x Wage statement\nx Donation receipts\nInsurance certificate\nBill of the heating engineer", color="red", label="Money", reminder=190, age=130),
    Draft("Garden day, the 14th", "Start at ten, soup at one.\nBen: wheelbarrow. Cleo: second wheelbarrow and gloves. Emil cooks.\nStill missing: someone with a trailer for the branches.", color="green", label="Garden", pinned=True, shared="BCDE", age=20),
    Draft("Market stall", items="x Plum jam, 40 jars\nx Cash box with change\nPrice labels\nPaper bags\nTablecloth", color="teal", label="Garden", shared="C", age=30),
    Draft("Groceries", items="x Milk\nBread\nCoffee\nOlives\nWashing powder\nLemons", color="green", label="Home", pinned=True, shared="BC", age=2),
    Draft("Solar panels", "Inverter: 8 kW, two strings.\nMeter reading before the start: 18,244.\nOpen question: does the junction box get its own fuse?", color="blue", label="Home", shared="B", age=26),
    Draft("Reading group: questions", "Why does the narrator correct himself twice in chapter two?\nWhich word did the translator leave as it was?\nWho is speaking on page 31?", color="purple", label="Reading", shared="d", age=40),
    Draft("Doctor", "Ask about the vaccination before Lisbon.", reminder=18, color="red", age=60),
    Draft("Ideas for the attic", "Insulate between the rafters first, then the floor.\nA window to the north would be enough light for a desk.\nIs the staircase wide enough for the boards?", label="Home", color="brown", age=400),
    Draft("Savings", "Target for December: 4,200.\nJanuary to March: 1,050.\nStanding order on the 3rd.", label="Money", color="gray", age=340),
    Draft("", "“Nothing is as far away as one minute ago.” Heard on the tram.", age=210),
    Draft("Gifts", items="Mum: the blue scarf\nx Ben: head torch\nCleo: concert in May\nDina: tea from the shop at the harbour", color="pink", age=160),
    Draft("Release plan", "Freeze on Monday, tag on Wednesday.\nTell the translators on Friday.", color="cerulean", label="Work", reminder=44, pinned=True, age=9),
    Draft("Meeting with the printer", "400 copies, 96 pages, thread binding.\nProof until the 20th.\nThey keep the paper for us until the end of the month.", label="Work", color="cerulean", age=14),
    Draft("Questions for the interview", items="What did you build that nobody uses any more?\nWhat would you not automate?\nx Which tool do you miss?", label="Work", age=76),
)  # fmt: skip
OTHERS = {
    "ben": (
        Draft("Books", "The Design of Everyday Things\nWhen Breath Becomes Air", color="teal", age=300),
        Draft("Tyres", "3.5 bar in front, 4 at the back.", age=110),
        Draft("Trailer", items="Ask Emil's brother\nx Ask at the farm shop\nRent: 25 euros a day", shared="A", age=28),
    ),
    "cleo": (Draft("Jam labels", "Plum 2026, 220 g. Font: the one of last year.", shared="A", color="pink", age=48),),
    "dina": (Draft("Reading group", items="x Room\nx Chairs\nInvite the translator\nTea", color="yellow", age=70),),
    "emil": (Draft("Apple cake", "Eight apples, 300 g flour, 150 g sugar, 120 ml oil, baking powder. 50 minutes at 180 °C.", color="orange", age=35),),
}  # fmt: skip


@transaction.atomic
def fill(people: Sequence[User]) -> str:
    """Create notes, most of them Ann's, who is the first of ``people``; returns a summary."""
    by_letter = {user.username[0]: user for user in people}
    names: dict[str, int] = {}
    count = shared = 0
    for owner in people:
        for draft in DRAFTS if owner == people[0] else OTHERS[owner.username]:
            if draft.label and draft.label not in names:
                names[draft.label] = labels.create_label(owner=owner, name=draft.label).pk
            pk = _create(owner, draft, [names[draft.label]] if draft.label else [])
            for letter in draft.shared:
                role = Role.EDITOR if letter.isupper() else Role.VIEWER
                sharing.share_note(by=owner, note_id=pk, usercode=by_letter[letter.lower()].usercode, role=role)
            _finish(owner, draft, pk)
            count += 1
            shared += bool(draft.shared)
    return f"{count} notes, {shared} of them shared, and {len(names)} labels"


def _create(owner: User, draft: Draft, label_ids: list[int]) -> int:
    content: dict[str, Any] = {"title": draft.title, "body": draft.body, "color": draft.color}
    lines = draft.items.splitlines()
    content["items"] = [{"text": line.removeprefix("x "), "checked": line.startswith("x ")} for line in lines]
    return notes.create_note(owner=owner, label_ids=label_ids, **content).pk


def _finish(owner: User, draft: Draft, pk: int) -> None:
    """Set what is not content, and the time of the note."""
    now = timezone.now()
    if draft.reminder:
        reminders.set_reminder(by=owner, note_id=pk, remind_at=now + timedelta(hours=draft.reminder))
    if draft.pinned or draft.archived:
        memberships.update_memberships(by=owner, note_ids=[pk], pinned=draft.pinned, archived=draft.archived)
    if draft.trashed:
        trash.trash_notes(by=owner, note_ids=[pk])
    at = now - timedelta(hours=draft.age)
    Note.objects.filter(pk=pk).update(created_at=at, updated_at=at)
    Membership.objects.filter(note=pk).update(updated_at=at)
