"""Signal receivers: what happens when a user is saved or signs in, through the API, a page, the admin or a command."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from config import audit

from . import services
from .devices import Device
from .models import AccountLink, User, UserProfile, UserSession
from .signals import account_deactivated


@receiver(post_save, sender=User, dispatch_uid="accounts.create_profile")
def create_profile(instance: User, created: bool, raw: bool, **_: Any) -> None:
    if created and not raw:
        UserProfile.objects.create(user=instance)


@receiver(post_save, sender=User, dispatch_uid="accounts.end_sessions")
def end_sessions(instance: User, created: bool, raw: bool, **_: Any) -> None:
    """End the user's sessions when the password changes or the account is deactivated.

    A new password also revokes mailed links: somebody who knew the old one must not be able to move the account to an
    address of their own.
    """
    if created or raw:
        return
    # Django stores the raw password here between set_password() and save(), but not when it only upgrades a hash.
    has_new_password = vars(instance).get("_password") is not None or instance.password_removed
    instance.password_removed = False
    if has_new_password or not instance.is_active:
        ending = UserSession.objects.filter(user=instance)
        if instance.is_active and instance.session_to_keep:
            ending = ending.exclude(pk=instance.session_to_keep)
        services.end_sessions(ending)
    if not instance.is_active or (has_new_password and instance.session_to_keep is None):
        services.revoke_tokens(user=instance)  # a reset, or a password that staff have set
    if not instance.is_active:
        account_deactivated.send(User, user=instance)
    if has_new_password:
        purposes = [AccountLink.Purpose.RESET_PASSWORD, AccountLink.Purpose.CHANGE_EMAIL]
        services.revoke_links(purposes=purposes, user=instance)


@receiver(user_logged_in, dispatch_uid="accounts.record_cookie_session")
def record_cookie_session(request: HttpRequest, user: User, **_: Any) -> None:
    """Add a cookie sign-in, including one to the admin, to the user's devices."""
    if request.session.session_key is None:
        request.session.create()
    services.record_cookie_session(
        user=user,
        session_key=request.session.session_key or "",
        device=Device.of(request),
        signed_in_with=getattr(request, "signed_in_with", "password"),  # set by pages.cookie_session
    )
    if name := request.COOKIES.get("time_zone"):  # set by fields.js
        services.suggest_timezone(user=user, name=name)


@receiver(user_logged_out, dispatch_uid="accounts.end_cookie_session")
def end_cookie_session(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None and request.session.session_key:
        services.end_cookie_session(user=user, session_key=request.session.session_key)


@receiver(user_login_failed, dispatch_uid="accounts.record_failed_login")
def record_failed_login(credentials: dict[str, Any], **_: Any) -> None:
    """Record a failed sign-in on the login page of the admin; the API and ``/login/`` record theirs themselves."""
    login = credentials.get("username") or ""
    audit.record("login_failed", user=User.objects.by_login(login).first() if "\x00" not in login else None)
