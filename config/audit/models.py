"""The table of the audit log. A trigger in Postgres makes it append-only (migration ``audit_record``)."""

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now


class AuditQuerySet(models.QuerySet["AuditRecord"]):
    def about(self, user: models.Model) -> "AuditQuerySet":
        """Select the records that concern the account ``user``, newest first."""
        return self.filter(user=user).order_by("-pk")


class AuditRecord(models.Model):
    """Something that was done. When an account is deleted, person, address, user agent and details become empty."""

    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=50)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,  # the migration adds one with ON DELETE SET NULL
        help_text="The account that it concerns.",
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,  # the migration adds one with ON DELETE SET NULL
        help_text="Who did it; empty for somebody who was not signed in, and for the service itself.",
    )
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    credential = models.CharField(max_length=80, blank=True, help_text="The session or token that was used.")
    request_id = models.CharField(max_length=128, blank=True)
    target = models.CharField(max_length=120, blank=True, help_text="The row that was changed: model and ID.")
    details = models.JSONField(null=True, encoder=DjangoJSONEncoder, help_text="What changed.")

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["user", "-id"], name="auditrecord_of_user"),
            models.Index(fields=["actor", "-id"], name="auditrecord_of_actor"),
            models.Index(fields=["kind", "-id"], name="auditrecord_of_kind"),
            BrinIndex(fields=["at"], name="auditrecord_age"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".rstrip()

    def is_own(self, user_id: int) -> bool:
        """Return whether address and user agent may be shown to this user: they are not those of staff."""
        return self.actor_id in (None, user_id)
