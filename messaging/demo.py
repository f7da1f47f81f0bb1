"""The messages of ``manage.py demo``."""

from collections.abc import Sequence

from accounts.models import User

from .services.sending import send_message


def fill(people: Sequence[User]) -> str:
    """Create a short conversation; returns a summary for the command's output."""
    ann, ben, cleo, *_ = people
    send_message(sender=ann, body="Good morning, both of you!", usercodes=[ben.usercode, cleo.usercode])
    send_message(sender=ben, body="Morning! I have added bread to the list.", usercodes=[ann.usercode])
    send_message(sender=cleo, body="Lunch at one?", usercodes=[ann.usercode, ben.usercode])
    return "3 messages"
