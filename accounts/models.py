"""People, their profile, the devices they are signed in on, and the links mailed to them."""

import secrets
import string
import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.validators import MinLengthValidator, RegexValidator
from django.db import IntegrityError, models, transaction
from django.db.models.functions import Lower, Now
from rest_framework_simplejwt.settings import api_settings as jwt_settings

from config.claims import Job, pending

from .addresses import comparable

USERCODE_LENGTH = 6
USERCODE_ALPHABET = string.ascii_uppercase + string.digits


def new_usercode() -> str:
    return "".join(secrets.choice(USERCODE_ALPHABET) for _ in range(USERCODE_LENGTH))


class UserManager(DjangoUserManager["User"]):
    def by_email(self, email: str) -> "models.QuerySet[User]":
        return self.filter(email_lower=comparable(email))

    def by_login(self, login: str) -> "models.QuerySet[User]":
        """Whoever has ``login`` as e-mail address or username; an ``@`` tells which is meant, usernames have none."""
        return self.by_email(login) if "@" in login else self.filter(username_lower=login.strip().lower())

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra: Any
    ) -> "User":
        """An administrator made on the server needs no mail to prove the address."""
        return super().create_superuser(username, email, password, email_verified_at=Now(), **extra)


class User(AbstractUser):
    """A person. E-mail and username are unique without regard to case; ``usercode`` is how others address them."""

    username = models.CharField(
        max_length=30,
        validators=[
            MinLengthValidator(3),
            RegexValidator(
                r"^[A-Za-z0-9]+\Z", "A username is made of the letters A to Z and digits.", "invalid_username"
            ),
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

    # Of a user about to be saved with a new password: the session that outlives it.
    session_to_keep: uuid.UUID | None = None

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

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give a new user a code. The database decides whether it is free: asking first would leave room for a race.

        Atomic, so that what the apps' receivers do about the change is committed with it, whoever saves.
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
    """What a person says of themselves; made with the user, by a signal."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="profile")
    date_of_birth = models.DateField(null=True, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    image = models.FileField("picture", max_length=200, blank=True, editable=False)

    class Meta:
        ordering = ("user",)

    def __str__(self) -> str:
        return f"Profile of {self.user}"


# What is raised where an account is deleted while its owner asks for something else.
GONE = (User.DoesNotExist, UserProfile.DoesNotExist)


class UserSessionQuerySet(models.QuerySet["UserSession"]):
    def live(self) -> "UserSessionQuerySet":
        """Those on which somebody is signed in, and has been seen within the life of a refresh token."""
        unused = Now() - jwt_settings.REFRESH_TOKEN_LIFETIME
        return self.filter(~models.Q(refresh_issued_at__lte=unused), ended_at=None, expires_at__gt=Now())


class UserSession(models.Model):
    """A device on which a person is signed in, by tokens or by the cookie of this site's own pages.

    Access tokens are good for as long as their session has not ended; ending one of the cookie's deletes the row of
    ``django_session`` that ``session_key`` names.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(help_text="Unless it is used before, it ends here.")
    ended_at = models.DateTimeField(null=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    session_key = models.CharField(max_length=40, blank=True, help_text="Of the cookie; empty for tokens.")
    refresh_jti = models.CharField(max_length=64, blank=True, help_text="The one refresh token that is good now.")
    refresh_issued_at = models.DateTimeField(null=True)
    spent_jti = models.CharField(max_length=64, blank=True, help_text="The refresh token before it.")

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


class AccountLink(Job):
    """A link to be mailed. The worker makes its code as it sends, so that the raw code exists only in the mail.

    Where somebody names an address without being signed in, the row is written for a known and an unknown one alike,
    and the worker finds out whose it is: the request does the same work, whoever is asked for.
    """

    class Purpose(models.TextChoices):
        VERIFY_EMAIL = "verify_email", "verify the e-mail address"
        RESET_PASSWORD = "reset_password", "set a new password"
        CHANGE_EMAIL = "change_email", "change the e-mail address"

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="links")
    purpose = models.CharField(max_length=20, choices=Purpose)
    email = models.EmailField(max_length=254, help_text="What it was asked for; a new address is mailed there.")
    code_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the code, in hex.")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, help_text="Counted from when it was mailed.")
    spent_at = models.DateTimeField(null=True, help_text="Used, or made worthless by a later one.")
    asked_ip = models.GenericIPAddressField(null=True)
    asked_user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (
            pending("accountlink_pending"),
            models.Index(fields=["code_hash"], name="accountlink_code", condition=~models.Q(code_hash="")),
            models.Index(fields=["email", "purpose"], name="accountlink_of_email", condition=models.Q(spent_at=None)),
            models.Index(fields=["user", "purpose"], name="accountlink_of_user", condition=models.Q(spent_at=None)),
        )

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} for {self.email}"
