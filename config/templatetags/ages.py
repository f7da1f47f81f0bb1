"""How long ago something was, for the dashboard."""

from datetime import datetime

from django import template
from django.utils.timesince import timesince

register = template.Library()


@register.filter
def age(since: datetime, now: datetime) -> str:
    """Return the time between the two, such as "3 hours, 5 minutes"; never "0 minutes"."""
    return "under a minute" if (now - since).total_seconds() < 60 else timesince(since, now)
