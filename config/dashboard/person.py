"""Links from the page of a person to everything that belongs to them."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

MANY = 1_000  # counts stop here
# Title, table and its column of the person; each column has an index.
TABLES = (
    ("Devices", "accounts.UserSession", "user"),
    ("Authenticator app", "accounts.Totp", "user"),
    ("Passkeys", "accounts.Passkey", "user"),
    ("Recovery codes", "accounts.RecoveryCode", "user"),
    ("Personal tokens", "accounts.PersonalToken", "user"),
    ("OpenID Connect", "accounts.OidcIdentity", "user"),
    ("Contact uploads", "contacts.FileMetadata", "owner"),
    ("Note imports", "notes.NoteImport", "user"),
    ("E-mails", "config.OutgoingMail", "user"),
    ("E-mailed links", "accounts.AccountLink", "user"),
    ("Webhooks", "config.Webhook", "owner"),
    ("Audit records", "config.AuditRecord", "user"),
    ("Audit records of what they did", "config.AuditRecord", "actor"),
)


def related_rows(request: HttpRequest, person: Any) -> str:
    """Return a list of links to the rows of ``person`` that this member of staff may see, each with its count."""
    entries = []
    for title, label, field in TABLES:
        model = apps.get_model(label)
        page = admin.site._registry.get(model)
        if page and page.has_view_permission(request):
            count = page.get_queryset(request).order_by().filter(**{field: person.pk})[: MANY + 1].count()
            url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            text = f"more than {MANY:,}" if count > MANY else str(count)
            entries.append((f"{url}?{field}__id__exact={person.pk}", title, text))
    links = format_html_join("", '<li><a class="dash-link" href="{}">{}</a>: {}</li>', entries)
    return format_html("<ul>{}</ul>", links)
