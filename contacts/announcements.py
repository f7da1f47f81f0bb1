"""What the API says of an upload, in answers and in events alike."""

from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from config import caching, events

from .models import Contact, FileMetadata, UnprocessedContact


def represent(upload: FileMetadata) -> dict[str, Any]:
    """The upload as clients see it. ``waiting`` is there only where the query annotated it."""
    answer = {
        "id": upload.pk,
        "name": upload.name,
        "size": upload.size,
        "status": upload.status,
        "total_rows": upload.total_rows,
        "processed_rows": upload.processed_rows,
        "accepted": upload.accepted,
        "deferred": upload.deferred,
        "rejected": upload.rejected,
        "duplicate_of": upload.duplicate_of_id,
        "created_at": upload.created_at,
        "finished_at": upload.finished_at,
        "error": {"code": upload.error_code, "detail": upload.error} if upload.failed_at else None,
        "links": links(upload.pk),
    }
    if hasattr(upload, "waiting"):
        answer["waiting"] = upload.waiting
    return answer


def first_answer(upload: FileMetadata) -> dict[str, Any]:
    """What the request that made the upload was told, and is told again under its Idempotency-Key."""
    return represent(upload) | {
        "status": FileMetadata.Status.QUEUED,
        "processed_rows": 0,
        "accepted": 0,
        "deferred": 0,
        "rejected": 0,
        "finished_at": None,
        "error": None,
    }


def links(upload_id: int) -> dict[str, str]:
    def url(name: str) -> str:
        return settings.PUBLIC_URL + reverse(name, args=[upload_id])

    return {
        "original": url("contacts:original"),
        "errors": url("contacts:errors"),
        "errors_xlsx": url("contacts:errors-xlsx"),
        "contacts": f"{settings.PUBLIC_URL}{reverse('contacts:contacts')}?upload={upload_id}",
    }


def scope(user_id: int) -> str:
    """What of a person's uploads and contacts is cached."""
    return f"contacts:{user_id}"


def tell(upload: FileMetadata) -> None:
    """Send the owner an ``upload`` event after the commit, and end what is cached. Call it last in a transaction."""
    events.publish([upload.owner_id], "upload", represent(upload))
    caching.bump(scope(upload.owner_id))


def export_of(user: User) -> dict[str, Any]:
    """All that is held of a person here, with links to the originals."""
    columns = ("row", "name", "phone_number", "email_address")
    uploads = FileMetadata.objects.visible_to(user).order_by("pk")
    return {
        "uploads": [
            represent(upload)
            | {
                "rejected_rows": list(
                    upload.rejected_rows.order_by("row").values(*columns, "column", "code", "message")
                )
            }
            for upload in uploads
        ],
        "contacts": list(Contact.objects.visible_to(user).order_by("pk").values("upload_id", *columns, "accepted_at")),
        "waiting": list(UnprocessedContact.objects.visible_to(user).values("upload_id", *columns, "due_at")),
    }
