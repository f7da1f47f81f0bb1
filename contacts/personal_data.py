"""What the data export contains of a person's contacts."""

from typing import Any

from accounts.models import User

from .models import Contact, FileMetadata, UnprocessedContact
from .representation import upload_json

_ROW = ("row", "name", "phone_number", "email_address")


def personal_data(user: User) -> dict[str, Any]:
    """Return all uploads, rejected rows, contacts and waiting rows of ``user``, with links to the original files."""
    uploads = FileMetadata.objects.visible_to(user).order_by("pk")
    return {
        "uploads": [
            upload_json(upload)
            | {"rejected_rows": list(upload.rejected_rows.order_by("row").values(*_ROW, "column", "code", "message"))}
            for upload in uploads
        ],
        "contacts": list(Contact.objects.visible_to(user).order_by("pk").values("upload_id", *_ROW, "accepted_at")),
        "waiting": list(UnprocessedContact.objects.visible_to(user).values("upload_id", *_ROW, "due_at")),
    }
