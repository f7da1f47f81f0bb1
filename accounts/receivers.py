"""What follows from a user being saved or signing in, wherever it happened: API, pages, admin, command line."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from . import services
from .devices import Device
from .models import AccountLink, User, UserProfile, UserSession


@receiver(post_save, sender=User, dispatch_uid="accounts.make_profile")
def make_profile(instance: User, created: bool, raw: bool, **_: Any) -> None:
    if created and not raw:
        UserProfile.objects.create(user=instance)


@receiver(post_save, sender=User, dispatch_uid="accounts.end_sessions")
def end_sessions(instance: User, created: bool, raw: bool, **_: Any) -> None:
    """A new password, or the end of an account's activity, ends the sessions that began before it.

    With a new password, links that were asked for under the old one are worth nothing either: whoever knew it and has
    them sent the account to an address of their own must not get it after all.
    """
    # Django keeps the raw password here between set_password() and save(), but not when it merely renews an old hash.
    has_new_password = vars(instance).get("_password") is not None or not instance.has_usable_password()
    if not created and not raw and (has_new_password or not instance.is_active):
        ending = UserSession.objects.filter(user=instance)
        if instance.is_active and instance.session_to_keep:
            ending = ending.exclude(pk=instance.session_to_keep)
        services.end_sessions(ending)
    if has_new_password and not created and not raw:
        asked = [AccountLink.Purpose.RESET_PASSWORD, AccountLink.Purpose.CHANGE_EMAIL]
        services.spend_links(purposes=asked, email=instance.email_lower, user=instance)


@receiver(user_logged_in, dispatch_uid="accounts.remember_cookie")
def remember_cookie(request: HttpRequest, user: User, **_: Any) -> None:
    """A sign-in by Django's session, that of the admin too, is one of the user's devices."""
    if request.session.session_key is None:
        request.session.create()
    services.remember_cookie(user=user, session_key=request.session.session_key or "", device=Device.of(request))


@receiver(user_logged_out, dispatch_uid="accounts.end_cookie")
def end_cookie(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None and request.session.session_key:
        services.end_sessions(UserSession.objects.filter(session_key=request.session.session_key))
