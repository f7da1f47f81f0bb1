"""The messages of ``manage.py demo``."""

from collections.abc import Sequence

from accounts.models import User

from . import services


def fill(people: Sequence[User]) -> str:
    """A short conversation; returns what was made."""
    ann, ben, cleo, *_ = people
    services.send_message(sender=ann, body="Good morning, both of you!", usercodes=[ben.usercode, cleo.usercode])
    services.send_message(sender=ben, body="Morning! I have added bread to the list.", usercodes=[ann.usercode])
    services.send_message(sender=cleo, body="Lunch at one?", usercodes=[ann.usercode, ben.usercode])
    return "3 messages"
