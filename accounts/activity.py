"""A user's security events in words, for the account page."""

from typing import Any, NamedTuple

from config.audit.models import AuditRecord

from .devices import Device
from .representation import activity

# One sentence for each kind of docs/audit.md that can concern an account.
TEXTS = {
    "login": "Signed in",
    "login_failed": "Failed sign-in",
    "mfa_failed": "Failed second step of a sign-in",
    "reauthenticated": "Identity confirmed",
    "reauthentication_failed": "Failed to confirm the identity",
    "totp_enabled": "Authenticator app set up",
    "totp_removed": "Authenticator app removed",
    "passkey_added": "Passkey added",
    "passkey_renamed": "Passkey renamed",
    "passkey_removed": "Passkey deleted",
    "passkey_cloned": "Copied passkey refused",
    "recovery_codes_created": "New recovery codes created",
    "mfa_reset": "All second factors removed by the operator",
    "logout": "Signed out",
    "sessions_ended": "Devices signed out",
    "session_ended": "Session ended, because an old refresh token was used",
    "password_changed": "Password changed",
    "password_reset": "Password reset with a mailed link",
    "email_change_requested": "New e-mail address entered",
    "email_changed": "E-mail address changed",
    "webhook_created": "Webhook created",
    "webhook_changed": "Webhook changed",
    "webhook_deleted": "Webhook deleted",
    "webhook_secret_replaced": "Secret of a webhook replaced",
    "webhook_disabled": "Webhook switched off automatically",
    "token_created": "Personal access token created",
    "token_revoked": "Personal access token revoked",
    "data_exported": "Data downloaded",
    "contacts_uploaded": "Contacts uploaded",
    "contacts_upload_undone": "Upload of contacts undone",
    "contacts_upload_deleted": "Upload of contacts deleted",
    "contacts_exported": "Contacts exported",
    "notes_imported": "Notes imported",
    "notes_exported": "Notes exported",
    "trends_imported": "Trends imported",
    "trends_exported": "Trends exported",
    "account_created": "Account created",
    "invitation_created": "Invitation sent",
    "invitation_revoked": "Invitation withdrawn",
    "oidc_connected": "Sign-in provider connected",
    "oidc_disconnected": "Sign-in provider disconnected",
    "account_deleted": "Account deleted",
    "admin_added": "Added in the admin",
    "admin_changed": "Changed in the admin",
    "admin_deleted": "Deleted in the admin",
    "admin_action": "Action in the admin",
    "jobs_retried": "Failed work retried in the admin",
    "jobs_dismissed": "Failed work removed from the dashboard",
}


class Event(NamedTuple):
    """A record of the audit log as the account page shows it."""

    id: int
    at: Any
    text: str
    name: str  # of what was changed, or empty
    ip: str | None
    program: str
    by_others: bool


def describe(record: AuditRecord) -> Event:
    """Return ``record`` in words. Address and program are empty if somebody else did it."""
    shown = activity(record)
    detail = shown["detail"]
    name = next((str(detail[key]) for key in ("name", "after", "new_email") if detail.get(key)), "")
    text = TEXTS.get(record.kind, record.kind.replace("_", " ").capitalize())
    program = Device(user_agent=shown["user_agent"]).program if shown["user_agent"] else ""
    is_own = record.user_id is not None and record.is_own(record.user_id)
    return Event(record.pk, record.at, text, name, shown["ip"], program, not is_own)
