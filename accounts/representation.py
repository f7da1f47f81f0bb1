"""How rows look in the API and in the data export."""

from typing import Any

from config.audit.models import AuditRecord


def activity(record: AuditRecord) -> dict[str, Any]:
    """Return a record of the audit log as its user may see it.

    Address and user agent are null if somebody else, such as a member of staff, did it.
    """
    is_own = record.user_id is not None and record.is_own(record.user_id)
    return {
        "id": record.pk,
        "kind": record.kind,
        "at": record.at,
        "ip": record.ip if is_own else None,
        "user_agent": record.user_agent if is_own else None,
        "detail": record.details or {},
    }
