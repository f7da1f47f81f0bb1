"""The messages of ``manage.py demo``."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User

from .models import Message
from .services import receipts
from .services.sending import send_message

# Days ago, time, sender > recipients: text. People are the first letters of their names.
MESSAGES = """
9 08:42 b>a: Morning Ann, the inverter people have moved our appointment to Thursday at ten.
9 08:51 a>b: Thursday works. Can you be there? I am at the library until noon.
9 08:52 b>a: Yes. I will take pictures of the meter before they start.
8 17:30 c>a: Are we still on for the market on Saturday?
8 17:44 a>c: Yes! I will bring the crates. Could you bring the cash box?
8 17:45 c>a: It is in my car already.
7 12:05 d>a: Hello Ann, Ben gave me your code. I am setting up the reading group and would like to use your room on Tuesdays.
7 12:31 a>d: Hi Dina, of course. Tuesday is free from six. How many are you?
7 12:33 d>a: Between eight and twelve. We bring our own tea.
7 12:34 a>d: Then I will put out fourteen chairs. The key is with Emil.
6 09:15 b>a: They found a crack in the junction box and have ordered a new one: two weeks.
6 09:20 a>b: Annoying. Does it work until then?
6 09:21 b>a: At half power. Enough for the lights and the fridge.
5 19:02 e>ad: I have left the key in the blue box beside the door. The code is the year the house was built.
5 19:10 d>e: Which year is that? It says 1911 on the plate and 1912 on the plan.
5 19:12 e>d: 1911. The plan is wrong, as so often.
4 10:00 a>bcde: The garden day is on the 14th. Who can bring a wheelbarrow?
4 10:07 c>a: I have one, and a second one if Ben fixes the tyre.
4 10:40 b>ac: The tyre is fixed since April, it only needs air.
4 11:02 e>a: I cannot lift much at the moment, but I can cook for everybody.
4 11:03 a>e: Even better. Twelve people, two of them vegan.
3 14:20 c>a: The market was good: 312 euros, and the plum jam is sold out.
3 14:22 a>c: That is more than last year! Thank you for staying until the end.
3 14:25 c>a: I wrote the list of what we need for the next one into our shared note.
2 08:30 d>a: The group has met for the first time. Nine people, and we only got through four pages.
2 08:47 a>d: Four good ones, I hope.
2 08:48 d>a: We argued about one sentence for half an hour, so yes.
1 16:05 b>a: The new junction box is here, a week early. They come tomorrow at eight.
1 16:20 a>b: Very good. I will open the gate at half past seven.
1 18:40 e>a: Menu for the garden day: lentil soup, flat bread, apple cake. All of it vegan, so nobody has to ask.
0 09:58 b>a: They are done. 5.2 kW, and it is not even noon!
0 10:10 c>ab: I have added bread and coffee to the list for Saturday.
0 10:15 d>a: Could we have the room until nine next week? We invited the translator.
"""
UNREAD = 3  # the last messages, which Ann has not read


@transaction.atomic
def fill(people: Sequence[User]) -> str:
    """Create conversations of the last days; returns a summary for the command's output."""
    known = {user.username[0]: user for user in people}
    now = timezone.now()
    sent: list[Message] = []
    for line in MESSAGES.strip().splitlines():
        days, clock, names, text = line.split(" ", 3)
        sender, recipients = names.rstrip(":").split(">")
        message = send_message(sender=known[sender], body=text, usercodes=[known[each].usercode for each in recipients])
        at = datetime.combine(now.date() - timedelta(days=int(days)), time.fromisoformat(clock), tzinfo=now.tzinfo)
        Message.objects.filter(pk=message.pk).update(created_at=min(at, now))
        sent.append(message)
    for user in people:
        last = sent[-1 - UNREAD] if user == people[0] else sent[-1]
        receipts.mark_read(reader=user, up_to=last.pk)
    return f"{len(sent)} messages, {UNREAD} of them unread"
