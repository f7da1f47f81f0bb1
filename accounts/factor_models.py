"""Second factors of users, and the rows that make their codes and challenges single-use."""

import uuid

from django.db import models
from django.db.models.functions import Now


class Totp(models.Model):
    """The authenticator app of a user.

    A new app is pending until its first code is confirmed; the confirmed one works until then. Both secrets are
    encrypted (config.encryption).
    """

    user = models.OneToOneField("accounts.User", on_delete=models.CASCADE, primary_key=True, related_name="totp")
    secret = models.TextField(blank=True, help_text="Encrypted; empty until an app is confirmed.")
    created_at = models.DateTimeField(null=True, help_text="When the app was confirmed.")
    last_step = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="The time step (30 s) of the latest code that was used. Only later ones work.",
    )
    pending_secret = models.TextField(blank=True, help_text="Encrypted; of an app that is not confirmed yet.")
    pending_auth_hash = models.CharField(max_length=64, blank=True, help_text="As in MfaTicket.")
    pending_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "authenticator app"
        ordering = ("user",)

    def __str__(self) -> str:
        return f"Authenticator app of {self.user}"

    @property
    def is_enabled(self) -> bool:
        return bool(self.secret)


class Passkey(models.Model):
    """A WebAuthn credential of a user: a second factor, and a sign-in without a password."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=100)
    credential_id = models.BinaryField(max_length=1023)
    public_key = models.BinaryField(help_text="COSE key.")
    user_handle = models.BinaryField(max_length=64, help_text="The random ID under which the device stores the user.")
    sign_count = models.BigIntegerField(default=0, db_default=0)
    transports = models.JSONField(default=list, help_text="How browsers reach the device, such as usb or internal.")
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("created_at", "id")
        constraints = (models.UniqueConstraint(fields=["credential_id"], name="passkey_credential_unique"),)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class RecoveryCode(models.Model):
    """A code that replaces a second factor once."""

    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="recovery_codes", db_index=False)
    code_hash = models.CharField(max_length=64, help_text="SHA-256 of the code, in hex.")
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["user", "code_hash"], name="recoverycode_unique"),)

    def __str__(self) -> str:
        return f"Recovery code of {self.user}"


class MfaTicket(models.Model):
    """A step that a client has to answer: the second step of a sign-in, or the challenge of a passkey.

    It works once, for a few minutes, and not after five wrong answers or a change of the user's password.
    """

    class Purpose(models.TextChoices):
        SIGN_IN = "sign_in", "second step of a sign-in"
        PASSKEY_SIGN_IN = "passkey_sign_in", "sign-in with a passkey"
        ADD_PASSKEY = "add_passkey", "new passkey"
        REAUTHENTICATE = "reauthenticate", "confirmation by a passkey"

    token_hash = models.CharField(max_length=64, help_text="SHA-256 of the ticket, in hex.")
    purpose = models.CharField(max_length=20, choices=Purpose)
    user = models.ForeignKey(
        "accounts.User", on_delete=models.CASCADE, null=True, related_name="+",
        help_text="Empty for a sign-in with a passkey, which names the user itself.",
    )  # fmt: skip
    auth_hash = models.CharField(
        max_length=64, blank=True, help_text="The user's get_session_auth_hash(), which changes with the password."
    )
    first_step = models.CharField(max_length=20, blank=True, help_text="What was checked before: password or oidc.")
    challenge = models.BinaryField(null=True)
    user_handle = models.BinaryField(null=True, help_text="For a new passkey.")
    wrong_answers = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "ticket"
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=["token_hash"], name="mfaticket_token_unique"),)
        indexes = (models.Index(fields=["expires_at"], name="mfaticket_age"),)

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} of {self.user or 'an unknown user'}"


class WrongCode(models.Model):
    """A wrong code of an authenticator app. Ten in an hour end the attempts at an account for a while."""

    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["user", "at"], name="wrongcode_of_user"),
            models.Index(fields=["at"], name="wrongcode_age"),
        )

    def __str__(self) -> str:
        return f"Wrong code of {self.user} at {self.at}"
