"""Looks up the users that a request names by their usercode."""

from django.shortcuts import get_object_or_404

from accounts.models import User
from config.api.errors import attr_error


def user_by_code(code: str, attr: str = "with") -> User:
    """Find the user whose usercode a field contains; raises a validation error of that field."""
    found = User.objects.filter(usercode=code.upper()).first() if code.isascii() else None
    if found is None:
        raise attr_error(attr, f"No user has the usercode {code}.", "unknown_usercode")
    return found


def active_user_or_404(usercode: str) -> User:
    """Find the active user, with their profile, whose usercode is in the path."""
    return get_object_or_404(User.objects.select_related("profile"), usercode=usercode.upper(), is_active=True)
