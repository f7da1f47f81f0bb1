"""The sidebar of the admin: tables by subject, and all others under System."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst

# Group, icon, and its tables. A table that is listed nowhere is shown under System.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("People", ("accounts.User", "accounts.UserProfile", "accounts.UserSession", "accounts.PendingRegistration",
                "accounts.Invitation", "accounts.Block", "auth.Group")),
    ("Content", ("notes.Note", "notes.Label", "notes.Reminder", "messaging.Message", "contacts.Contact",
                 "contacts.UnprocessedContact", "trends.Trend", "trends.Change", "trends.Revision")),
    ("Imports", ("contacts.FileMetadata", "contacts.RejectedRow", "contacts.UploadUndo", "notes.NoteImport",
                 "trends.ImportRun", "trends.RowError", "trends.InboxFile")),
    ("Mail", ("config.OutgoingMail", "accounts.AccountLink", "config.Webhook", "config.WebhookDelivery")),
    ("Schedules", ("django_celery_beat.PeriodicTask", "django_celery_beat.IntervalSchedule",
                   "django_celery_beat.CrontabSchedule", "config.Backup")),
    ("Security", ("config.AuditRecord", "axes.AccessAttempt", "accounts.PersonalToken", "accounts.Totp",
                  "accounts.Passkey", "accounts.RecoveryCode", "accounts.WrongCode", "accounts.OidcIdentity")),
)  # fmt: skip
ICONS = {
    "People": "group", "Content": "description", "Imports": "upload", "Mail": "mail", "Schedules": "schedule",
    "Security": "lock", "System": "settings",
}  # fmt: skip
TITLES = {
    "django_celery_beat.CrontabSchedule": "Crontab schedules",
    "django_celery_beat.IntervalSchedule": "Interval schedules",
    "accounts.MfaTicket": "Sign-in tickets",
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return unfold's navigation with the tables that this member of staff may see."""
    home = {"title": "Dashboard", "icon": "home", "link": reverse("admin:index")}
    listed = {label for _, labels in GROUPS for label in labels}
    others = sorted(
        (model._meta.label for model in admin.site._registry if model._meta.label not in listed),
        key=lambda label: _title(label).lower(),
    )
    groups = [
        {"title": title, "collapsible": True, "icon": ICONS[title], "items": _items(request, labels)}
        for title, labels in (*GROUPS, ("System", tuple(others)))
    ]
    return [{"items": [home]}, *(group for group in groups if group["items"])]


def _items(request: HttpRequest, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    items = []
    for label in labels:
        model = apps.get_model(label)
        page = admin.site._registry.get(model)
        if page and page.has_view_permission(request):
            link = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            items.append({"title": _title(label), "link": link})
    return items


def _title(label: str) -> str:
    return TITLES.get(label) or str(capfirst(apps.get_model(label)._meta.verbose_name_plural))
