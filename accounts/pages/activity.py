"""``/account/activity/``: all security events of the user, newest first."""

from typing import Any

from django.http import Http404

from config.audit.models import AuditRecord

from ..activity import describe
from .account import AccountPage

PAGE_SIZE = 25
MAX_ID = 2**63 - 1


class ActivityPage(AccountPage):
    """A page of events, older than that of the parameter ``before``."""

    template_name = "accounts/activity.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        records = AuditRecord.objects.about(self.user)
        before = self.request.GET.get("before", "")
        if before:
            if not (before.isascii() and before.isdigit() and int(before[:20]) <= MAX_ID):
                raise Http404
            records = records.filter(pk__lt=int(before[:20]))
        rows = list(records[: PAGE_SIZE + 1])
        events = [describe(record) for record in rows[:PAGE_SIZE]]
        return {
            "view": self,
            "events": events,
            "is_first_page": not before,
            "next_before": events[-1].id if len(rows) > PAGE_SIZE else None,
            **context,
        }
