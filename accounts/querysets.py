"""How users and sessions are selected."""

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models.functions import Now
from rest_framework_simplejwt.settings import api_settings as jwt_settings

from config.jobs.job import JobQuerySet

from .addresses import lookup_key

if TYPE_CHECKING:
    from .models import (  # noqa: F401  named in strings
        OidcIdentity,
        PendingRegistration,
        PersonalToken,
        User,
        UserSession,
    )


class UserManager(DjangoUserManager["User"]):
    def by_email(self, email: str) -> "models.QuerySet[User]":
        """Select the user with this address, without regard to case."""
        return self.filter(email_lower=lookup_key(email))

    def by_login(self, login: str) -> "models.QuerySet[User]":
        """Select the user with ``login`` as e-mail address or username. Only addresses contain an ``@``."""
        return self.by_email(login) if "@" in login else self.filter(username_lower=login.strip().lower())

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra: Any
    ) -> "User":
        """Create an administrator whose address counts as confirmed: the command runs on the server."""
        return super().create_superuser(username, email, password, email_verified_at=Now(), **extra)


class UserSessionQuerySet(models.QuerySet["UserSession"]):
    def live(self) -> "UserSessionQuerySet":
        """Select sessions that have neither ended nor been unused for longer than a refresh token lives."""
        unused = Now() - jwt_settings.REFRESH_TOKEN_LIFETIME
        return self.filter(~models.Q(refresh_issued_at__lte=unused), ended_at=None, expires_at__gt=Now())


class InvitationQuerySet(JobQuerySet):
    def visible_to(self, user: Any) -> Self:
        """Select the invitations that ``user`` may see: all for staff, none for others."""
        return self.all() if user.is_staff else self.none()

    def unused(self) -> Self:
        """Select invitations that nobody has used yet, expired ones too."""
        return self.filter(used_at=None)

    def by_email(self, email: str) -> Self:
        """Select the invitations of this address, without regard to case."""
        return self.filter(email_lower=lookup_key(email))


class OidcIdentityQuerySet(models.QuerySet["OidcIdentity"]):
    def by_identity(self, issuer: str, subject: str) -> Self:
        """Select the connection of this subject of the provider."""
        return self.filter(issuer=issuer, subject=subject)


class PersonalTokenQuerySet(models.QuerySet["PersonalToken"]):
    def live(self) -> "PersonalTokenQuerySet":
        """Select tokens that have not expired."""
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=Now()))


class PendingRegistrationQuerySet(models.QuerySet["PendingRegistration"]):
    def active(self) -> "PendingRegistrationQuerySet":
        """Select registrations that still reserve their username."""
        return self.filter(expires_at__gt=Now())

    def confirmable(self) -> "PendingRegistrationQuerySet":
        """Select registrations whose links work, unless the address has an account."""
        return self.active().filter(voided_at=None)

    def by_email(self, email: str) -> "PendingRegistrationQuerySet":
        """Select the registrations of this address, newest first."""
        return self.filter(email_lower=lookup_key(email)).order_by("-pk")

    def by_login(self, login: str) -> "PendingRegistrationQuerySet":
        """Select registrations with ``login`` as e-mail address or username, newest first."""
        return self.by_email(login) if "@" in login else self.filter(username_lower=login.strip().lower())
