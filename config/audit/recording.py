"""Writes to the audit log."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from config.client_ip import client_ip, user_agent
from config.db.batches import BATCH, delete_batch
from config.logs import masked

from .context import current_request
from .models import AuditRecord

MAX_TEXT = 500  # characters of a text in ``details``


def record(
    kind: str,
    *,
    user: AbstractBaseUser | None = None,
    actor: AbstractBaseUser | None = None,
    target: models.Model | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Insert one record. Call it inside the transaction of the action, so that both are stored or neither.

    ``kind`` is a word for programs, such as ``token_created``; docs/audit.md lists all. ``user`` is the account
    concerned (default: the actor), ``actor`` who does it (default: the user of the current request).
    ``target`` is the row that changes. ``details`` say what changed: JSON values, never a secret, and no text that
    somebody wrote for others. Address, user agent, credential and request ID come from the current request.
    """
    request = current_request()
    actor = actor or _signed_in(request)
    user = user or actor
    AuditRecord(
        kind=kind,
        user_id=user.pk if user else None,
        actor_id=actor.pk if actor else None,
        ip=client_ip(request) if request else None,
        user_agent=user_agent(request) if request else "",
        credential=_name(getattr(request, "auth", None)),
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", ""))[:128],
        target=_name(target),
        details=_clean(masked(details)) if details else None,
    ).save(force_insert=True)


def _signed_in(request: Any) -> AbstractBaseUser | None:
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def _name(row: Any) -> str:
    return f"{row._meta.label_lower} {row.pk}" if isinstance(row, models.Model) else ""


def _clean(value: Any) -> Any:
    """Return ``value`` with texts that Postgres can store as JSON, and that are not too long."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode(errors="replace").decode()[:MAX_TEXT]
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(each) for each in value]
    return value


@transaction.atomic
def erase_user(user_id: int) -> None:
    """Remove a person from the log, before their account is deleted. What happened, and when, stays."""
    rows = AuditRecord.objects.order_by()
    person = {"ip": None, "user_agent": ""}
    rows.filter(Q(actor=user_id) | Q(actor=None), user=user_id).update(user=None, actor=None, details=None, **person)
    rows.filter(user=user_id).update(user=None, details=None)  # done by others: their address is not the user's
    rows.filter(actor=user_id).update(actor=None, **person)


@transaction.atomic
def delete_expired() -> int:
    """Delete a batch of records older than ``AUDIT_DAYS``; return how many."""
    with connection.cursor() as cursor:  # what the trigger lets this transaction delete
        cursor.execute(
            "SELECT set_config('atrium.audit_delete_before', (now() - make_interval(days => %s))::text, true)",
            [settings.AUDIT_DAYS],
        )
    oldest = Now() - timedelta(days=settings.AUDIT_DAYS)
    expired = AuditRecord.objects.filter(at__lt=oldest).order_by("pk").values("pk")[:BATCH]
    return AuditRecord.objects.filter(pk__in=expired)._raw_delete(using="default")


def delete_expired_admin_log() -> int:
    """Delete a batch of entries of the admin's own log that are older than ``AUDIT_DAYS``; return how many."""
    return delete_batch(LogEntry.objects.filter(action_time__lt=Now() - timedelta(days=settings.AUDIT_DAYS)))
