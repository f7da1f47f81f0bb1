"""Users, their profiles, the devices on which they are signed in, and the links mailed to them."""

import secrets
import string
import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinLengthValidator, RegexValidator
from django.db import IntegrityError, models, transaction
from django.db.models.functions import Lower, Now

from config.jobs.job import Job, due_index, failed_index

from .factor_models import MfaTicket as MfaTicket
from .factor_models import Passkey as Passkey
from .factor_models import RecoveryCode as RecoveryCode
from .factor_models import Totp as Totp
from .factor_models import WrongCode as WrongCode
from .hashers import normalize_password, password_forms
from .querysets import (
    InvitationQuerySet,
    OidcIdentityQuerySet,
    PendingRegistrationQuerySet,
    PersonalTokenQuerySet,
    UserManager,
    UserSessionQuerySet,
)

USERCODE_LENGTH = 6
USERCODE_ALPHABET = string.ascii_uppercase + string.digits


def new_usercode() -> str:
    """Draw a random usercode; it may be taken."""
    return "".join(secrets.choice(USERCODE_ALPHABET) for _ in range(USERCODE_LENGTH))


class User(AbstractUser):
    """A person with an account. E-mail address and username are unique without regard to case.

    ``usercode`` is how other people address the user.
    """

    username = models.CharField(
        max_length=30,
        validators=[
            MinLengthValidator(3),
            RegexValidator(r"^[A-Za-z0-9]+\Z", "Use only the letters A to Z and digits.", "invalid_username"),
        ],
    )
    email = models.EmailField(max_length=254)
    username_lower = models.GeneratedField(
        expression=Lower("username"), output_field=models.CharField(max_length=30), db_persist=True
    )
    email_lower = models.GeneratedField(
        expression=Lower("email"), output_field=models.CharField(max_length=254), db_persist=True
    )
    usercode = models.CharField(max_length=USERCODE_LENGTH, editable=False)
    email_verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Read with the user in each request, for MFA_REQUIRED. A sign-in reads the factors themselves.
    mfa_enabled = models.BooleanField("has a second factor", default=False, db_default=False, editable=False)

    # Set before a user is saved with a new password: the session that does not end.
    session_to_keep: uuid.UUID | None = None
    # Set when the user is about to be saved without the password that it had.
    password_removed = False

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=["username_lower"], name="user_username_unique",
                violation_error_message="This username is taken.",
            ),
            models.UniqueConstraint(
                fields=["email_lower"], name="user_email_unique",
                violation_error_message="This e-mail address belongs to another account.",
            ),
            models.UniqueConstraint(fields=["usercode"], name="user_usercode_unique"),
            models.CheckConstraint(condition=models.Q(usercode__regex=r"^[A-Z0-9]{6}$"), name="user_usercode_shape"),
        )  # fmt: skip

    def __str__(self) -> str:
        return self.username

    @property
    def email_verified(self) -> bool:
        return self.email_verified_at is not None

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password if raw_password is None else normalize_password(raw_password))

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self.password_removed = True

    def check_password(self, raw_password: str | None) -> bool:
        """Return whether ``raw_password`` is the password, in any Unicode form; upgrades an old hash."""
        return any(super(User, self).check_password(form) for form in password_forms(raw_password or ""))

    def has_blocked(self, other: "User") -> bool:
        """Return whether this user blocks ``other``."""
        return Block.objects.filter(blocker=self, blocked=other).exists()

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the user and give a new one a usercode.

        Atomic, so that the writes of receivers in other apps are committed together with the change. The database
        decides whether a code is free: a query before the insert would leave room for a race.
        """
        if self.usercode:
            return super().save(*args, **kwargs)
        for _ in range(10):
            self.usercode = new_usercode()
            try:
                with transaction.atomic():
                    return super().save(*args, **kwargs)
            except IntegrityError as error:
                if "user_usercode_unique" not in str(error):
                    self.usercode = ""
                    raise
        raise RuntimeError("No free usercode was found in ten attempts.")


class UserProfile(models.Model):
    """Optional details about a user. A signal receiver creates the row together with the user."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="profile")
    date_of_birth = models.DateField(null=True, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    has_timezone = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="Whether the user or their browser has set the time zone.",
    )
    image = models.FileField("picture", max_length=200, blank=True, editable=False)

    class Meta:
        ordering = ("user",)

    def __str__(self) -> str:
        return f"Profile of {self.user}"


class PendingRegistration(models.Model):
    """A registration whose address is not confirmed. Using its mailed link creates the account.

    The row is the same whether the address has an account or not. It reserves its username until it expires, even after
    another registration of the address was confirmed (``voided_at``): the registrant sees no difference.
    """

    email = models.EmailField(max_length=254)
    username = models.CharField(max_length=30)
    password = models.CharField(max_length=128, help_text="The hash.")
    email_lower = models.GeneratedField(
        expression=Lower("email"), output_field=models.CharField(max_length=254), db_persist=True
    )
    username_lower = models.GeneratedField(
        expression=Lower("username"), output_field=models.CharField(max_length=30), db_persist=True
    )
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True, help_text="When another registration of the address was confirmed.")

    objects = PendingRegistrationQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=["username_lower"], name="pendingregistration_username_unique"),)
        indexes = (
            models.Index(fields=["email_lower", "-id"], name="pendingregistration_email"),
            models.Index(fields=["expires_at"], name="pendingregistration_age"),
        )

    def __str__(self) -> str:
        return self.username


# What a request raises when its user's account is deleted while it runs.
ACCOUNT_DELETED = (User.DoesNotExist, UserProfile.DoesNotExist)


class UserSession(models.Model):
    """A device on which a user is signed in, with tokens or with the session cookie of this site's pages.

    Access tokens are valid until their session ends. Ending a cookie session deletes the ``django_session`` row that
    ``session_key`` names.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(db_default=Now())
    authenticated_at = models.DateTimeField(
        db_default=Now(), null=True, help_text="When the user last proved who they are; a refresh does not."
    )
    last_used_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(help_text="The latest time at which the session ends.")
    ended_at = models.DateTimeField(null=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    session_key = models.CharField(max_length=40, blank=True, help_text="Key of the cookie session; empty for tokens.")
    refresh_jti = models.CharField(max_length=64, blank=True, help_text="ID of the current refresh token.")
    refresh_issued_at = models.DateTimeField(null=True)
    spent_jti = models.CharField(max_length=64, blank=True, help_text="ID of the previous refresh token.")
    signed_in_with = models.CharField(
        max_length=60,
        blank=True,
        db_default="",
        help_text="Such as password, password+totp, passkey, oidc+recovery_code.",
    )

    # Read by accounts.tokens.live_session: the generation of cached responses (config.cache).
    generation: int

    objects = UserSessionQuerySet.as_manager()

    class Meta:
        ordering = ("-last_used_at",)
        indexes = (
            models.Index(fields=["user", "-last_used_at"], name="usersession_of_user"),
            models.Index(fields=["session_key"], name="usersession_cookie", condition=~models.Q(session_key="")),
            models.Index(fields=["expires_at"], name="usersession_age"),
        )

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"


class PersonalToken(models.Model):
    """A personal access token: a lasting credential for programs that may do only what its scopes name.

    The token itself is stored nowhere; revoking deletes the row (accounts.personal_tokens).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="personal_tokens", db_index=False)
    name = models.CharField(max_length=100)
    scopes = ArrayField(models.CharField(max_length=30))
    prefix = models.CharField(max_length=12, help_text="The first characters, so that the user recognizes it.")
    token_hash = models.CharField(max_length=64, help_text="SHA-256 of the token, in hex.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True, help_text="Updated at most once a minute.")
    last_used_ip = models.GenericIPAddressField(null=True)

    # Read by accounts.personal_tokens.live_token: the generation of cached responses (config.cache).
    generation: int

    objects = PersonalTokenQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        constraints = (models.UniqueConstraint(fields=["token_hash"], name="personaltoken_hash_unique"),)
        indexes = (
            models.Index(fields=["user", "-created_at"], name="personaltoken_of_user"),
            models.Index(fields=["expires_at"], name="personaltoken_age", condition=~models.Q(expires_at=None)),
        )

    def __str__(self) -> str:
        return f"{self.prefix}… {self.name}"


class AccountLink(Job):
    """A link to be mailed. The worker generates the code while it sends, so the raw code exists only in the mail.

    A request that names an address without being signed in writes the same row for known and unknown addresses. The
    worker looks the account up, so the request takes the same time in both cases. A link belongs to a user or to a
    pending registration once it is sent.
    """

    task = "accounts.tasks.send_links"

    class Purpose(models.TextChoices):
        VERIFY_EMAIL = "verify_email", "verify the e-mail address"
        RESET_PASSWORD = "reset_password", "set a new password"
        CHANGE_EMAIL = "change_email", "change the e-mail address"

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="links")
    registration = models.ForeignKey(PendingRegistration, on_delete=models.CASCADE, null=True, related_name="links")
    purpose = models.CharField(max_length=20, choices=Purpose)
    email = models.EmailField(max_length=254, help_text="The address that was entered; for a change, the new address.")
    code_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the code, in hex.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, help_text="Counted from the time of sending.")
    spent_at = models.DateTimeField(null=True, help_text="When the link was used or revoked.")
    asked_ip = models.GenericIPAddressField(null=True)
    asked_user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (
            due_index("accountlink_pending"),
            failed_index("accountlink_failed"),
            models.Index(fields=["code_hash"], name="accountlink_code", condition=~models.Q(code_hash="")),
            models.Index(fields=["email", "purpose"], name="accountlink_of_email", condition=models.Q(spent_at=None)),
            models.Index(fields=["user", "purpose"], name="accountlink_of_user", condition=models.Q(spent_at=None)),
        )

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} for {self.email}"

    @property
    def account(self) -> User | PendingRegistration:
        """The user or the pending registration that the link belongs to; raises ValueError before it is sent."""
        if (account := self.user or self.registration) is None:
            raise ValueError("The link belongs to no account yet.")
        return account

    @property
    def address(self) -> str:
        """The address that the link confirms."""
        return self.email if self.purpose == self.Purpose.CHANGE_EMAIL else self.account.email


class Invitation(Job):
    """An invitation to create an account for one address. The mailed link works once and confirms the address.

    As with AccountLink, the worker generates the code while it sends, so the raw code exists only in the mail.
    """

    task = "accounts.tasks.send_invitations"

    email = models.EmailField(max_length=254)
    email_lower = models.GeneratedField(
        expression=Lower("email"), output_field=models.CharField(max_length=254), db_persist=True
    )
    is_staff = models.BooleanField("staff", default=False, help_text="The new account is a staff account.")
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="invitations")
    code_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the code, in hex.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, related_name="+", help_text="The account that was created."
    )

    objects: ClassVar = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["email_lower"], condition=models.Q(used_at=None), name="invitation_open_once"
            ),
        )
        indexes = (
            due_index("invitation_pending"),
            failed_index("invitation_failed"),
            models.Index(fields=["code_hash"], name="invitation_code", condition=~models.Q(code_hash="")),
            models.Index(fields=["expires_at"], name="invitation_age"),
        )

    def __str__(self) -> str:
        return f"Invitation of {self.email}"


class OidcIdentity(models.Model):
    """The account of a user at the OpenID Connect provider, found by issuer and subject, never by an address."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="oidc_identities", db_index=False)
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(db_default=Now())

    objects: ClassVar = OidcIdentityQuerySet.as_manager()

    class Meta:
        verbose_name = "OpenID Connect identity"
        verbose_name_plural = "OpenID Connect identities"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["issuer", "subject"], name="oidcidentity_once"),
            models.UniqueConstraint(fields=["user", "issuer"], name="oidcidentity_one_of_user"),
        )

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"


class OidcAttempt(models.Model):
    """A sign-in at the provider that has begun. The callback deletes the row, so each works once.

    ``browser_hash`` is that of a secret in a cookie: the callback must come from the browser that began.
    """

    class Purpose(models.TextChoices):
        SIGN_IN = "sign_in", "sign in"
        CONNECT = "connect", "connect the account"
        AGAIN = "again", "sign in again"

    purpose = models.CharField(max_length=10, choices=Purpose)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    next_url = models.CharField(max_length=2000)
    state_hash = models.CharField(max_length=64)
    browser_hash = models.CharField(max_length=64)
    nonce = models.CharField(max_length=100)
    verifier = models.CharField(max_length=100, help_text="Of PKCE.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "OpenID Connect attempt"
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=["state_hash"], name="oidcattempt_state"),)
        indexes = (models.Index(fields=["created_at"], name="oidcattempt_age"),)

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} at {self.created_at:%Y-%m-%d %H:%M}"


class Block(models.Model):
    """``blocker`` gets no messages and no shared notes from ``blocked``, who does not see them online."""

    blocker = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    blocked = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "messaging_block"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["blocker", "blocked"], name="block_once"),
            models.CheckConstraint(condition=~models.Q(blocker=models.F("blocked")), name="block_somebody_else"),
        )

    def __str__(self) -> str:
        return f"{self.blocker} blocks {self.blocked}"
