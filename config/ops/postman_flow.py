"""The order of the requests in the Postman collection, and the values that pass from one to the next."""

from dataclasses import dataclass, field
from typing import Any

NO_SESSION = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Step:
    """What a complete run adds to an operation of the schema.

    ``status`` is the expected status, if it is not the operation's first success. ``save`` maps a collection variable
    to the path of its value in the response. ``body`` is merged into the example; ``whole`` replaces it. ``path`` and
    ``query`` are parameter values, and ``file`` is a file in ``docs/postman/files``. ``poll_until`` is a member of the
    response: the request is repeated until it has a value.
    """

    status: int | None = None
    save: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    whole: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    file: str = ""
    poll_until: str = ""


# The variable for a path parameter, by path prefix; the longest matching prefix wins.
VARIABLES = {
    "/api/v1/auth/invitations/{id}/": {"id": "invitation_id"},
    "/api/v1/notes/{id}/": {"id": "note_id", "label_id": "label_id", "usercode": "friend"},
    "/api/v1/notes/imports/{id}/": {"id": "notes_import_id"},
    "/api/v1/labels/{id}/": {"id": "label_id"},
    "/api/v1/messages/{id}/": {"id": "message_id"},
    "/api/v1/contacts/{id}/": {"id": "contact_id"},
    "/api/v1/contacts/unprocessed/{id}/": {"id": "waiting_id"},
    "/api/v1/contacts/uploads/{id}/": {"id": "upload_id"},
    "/api/v1/trends/{id}/": {"id": "trend_id"},
    "/api/v1/trends/imports/{id}/": {"id": "import_id"},
    "/api/v1/webhooks/{id}/": {"id": "webhook_id", "delivery_id": "delivery_id"},
    "/api/v1/auth/tokens/{id}/": {"id": "token_id"},
    "/api/v1/": {"usercode": "friend"},
}

# Folders and their operations in running order; a note in brackets makes another request of an operation. Operations
# that sign the user out come last.
FLOW: dict[str, dict[str, Step]] = {
    "Accounts": {
        "POST /api/v1/auth/register/": Step(
            body={"email": "postman{{$timestamp}}@example.org", "username": "postman{{$timestamp}}"}
        ),
        "POST /api/v1/auth/verify-email/": Step(status=400),
        "POST /api/v1/auth/resend-verification/": Step(),
        "POST /api/v1/auth/login/": Step(
            whole={"username": "{{login}}", "password": "{{password}}"},
            save={"access": "access", "refresh": "refresh", "usercode": "user.usercode"},
        ),
        "POST /api/v1/auth/token/verify/": Step(whole={"token": "{{access}}"}),
        "POST /api/v1/auth/token/refresh/": Step(
            whole={"refresh": "{{refresh}}"}, save={"access": "access", "refresh": "refresh"}
        ),
        "GET /api/v1/auth/profile/": Step(),
        "PATCH /api/v1/auth/profile/": Step(),
        "DELETE /api/v1/auth/profile/image/": Step(),
        "GET /api/v1/auth/sessions/": Step(),
        "DELETE /api/v1/auth/sessions/{id}/": Step(status=404, path={"id": NO_SESSION}),
        "GET /api/v1/auth/tokens/": Step(),
        "POST /api/v1/auth/tokens/": Step(save={"token_id": "id"}),
        "DELETE /api/v1/auth/tokens/{id}/": Step(),
        "POST /api/v1/auth/token/from-session/": Step(status=401),
        "GET /api/v1/auth/activity/": Step(),
        # They need a staff account, as the imports of trends do.
        "POST /api/v1/auth/invitations/": Step(
            body={"email": "invited{{$timestamp}}@example.org"}, save={"invitation_id": "id"}
        ),
        "GET /api/v1/auth/invitations/": Step(),
        "DELETE /api/v1/auth/invitations/{id}/": Step(),
        # The second step and passkeys need an app and a browser, so a run sends invalid ones.
        "POST /api/v1/auth/login/mfa/": Step(status=400),
        "POST /api/v1/auth/login/passkey/options/": Step(),
        "POST /api/v1/auth/login/passkey/": Step(status=400),
        "POST /api/v1/auth/reauthenticate/": Step(whole={"password": "{{password}}"}),
        "POST /api/v1/auth/reauthenticate/options/": Step(),
        "GET /api/v1/auth/mfa/": Step(),
        "POST /api/v1/auth/mfa/totp/": Step(),
        "POST /api/v1/auth/mfa/totp/confirm/": Step(status=400, whole={"code": "no code"}),
        "DELETE /api/v1/auth/mfa/totp/": Step(),
        "POST /api/v1/auth/mfa/passkeys/options/": Step(),
        "POST /api/v1/auth/mfa/passkeys/": Step(status=400),
        "PATCH /api/v1/auth/mfa/passkeys/{id}/": Step(status=404, path={"id": NO_SESSION}),
        "DELETE /api/v1/auth/mfa/passkeys/{id}/": Step(status=404, path={"id": NO_SESSION}),
        "POST /api/v1/auth/mfa/recovery-codes/": Step(status=409),
        "GET /api/v1/auth/export/": Step(),
        "POST /api/v1/auth/reset-password/": Step(),
        "POST /api/v1/auth/new-password/": Step(status=400),
        "POST /api/v1/auth/change-email/": Step(body={"password": "{{password}}"}),
    },
    "Labels": {
        "POST /api/v1/labels/": Step(whole={"name": "Postman {{$timestamp}}"}, save={"label_id": "id"}),
        "GET /api/v1/labels/": Step(),
        "GET /api/v1/labels/{id}/": Step(),
        "PUT /api/v1/labels/{id}/": Step(whole={"name": "Postman {{$timestamp}} b"}),
        "PATCH /api/v1/labels/{id}/": Step(whole={"name": "Postman {{$timestamp}} c"}),
    },
    "Notes": {
        "POST /api/v1/notes/": Step(
            whole={
                "title": "Groceries",
                "body": "For the weekend",
                "items": [{"text": "Milk", "checked": False}],
                "color": "default",
                "label_ids": [],
            },
            save={"note_id": "id"},
        ),
        "GET /api/v1/notes/": Step(query={"search": "groceries", "page_size": "20"}),
        "GET /api/v1/notes/{id}/": Step(),
        "PATCH /api/v1/notes/{id}/": Step(whole={"title": "Groceries for Sunday"}),
        "PUT /api/v1/notes/{id}/": Step(whole={"title": "Groceries", "body": "For Sunday", "items": []}),
        "POST /api/v1/notes/{id}/labels/": Step(status=200, whole={"label_ids": ["{{label_id}}"]}),
        "GET /api/v1/labels/{id}/notes/": Step(),
        "DELETE /api/v1/notes/{id}/labels/{label_id}/": Step(),
        "POST /api/v1/notes/{id}/pin/": Step(),
        "POST /api/v1/notes/{id}/unpin/": Step(),
        "POST /api/v1/notes/{id}/archive/": Step(),
        "GET /api/v1/notes/archived/": Step(),
        "POST /api/v1/notes/{id}/unarchive/": Step(),
        "POST /api/v1/notes/{id}/collaborators/": Step(status=201, whole={"usercode": "{{friend}}", "role": "viewer"}),
        "GET /api/v1/notes/{id}/collaborators/": Step(),
        "PATCH /api/v1/notes/{id}/collaborators/{usercode}/": Step(whole={"role": "editor"}),
        "DELETE /api/v1/notes/{id}/collaborators/{usercode}/": Step(),
        "PUT /api/v1/notes/{id}/reminder/": Step(whole={"remind_at": "2099-01-01T09:00:00+01:00"}),
        "DELETE /api/v1/notes/{id}/reminder/": Step(),
        "POST /api/v1/notes/import/": Step(file="takeout.zip", save={"notes_import_id": "id"}),
        "GET /api/v1/notes/imports/": Step(),
        "GET /api/v1/notes/imports/{id}/": Step(),
        "GET /api/v1/notes/export/": Step(query={"format": "json"}),
        "POST /api/v1/notes/bulk/": Step(whole={"ids": ["{{note_id}}"], "action": "pin"}),
        "POST /api/v1/notes/{id}/trash/": Step(),
        "GET /api/v1/notes/trashed/": Step(),
        "POST /api/v1/notes/{id}/restore/": Step(),
        "DELETE /api/v1/notes/{id}/": Step(),
        "DELETE /api/v1/notes/trashed/": Step(),
        "DELETE /api/v1/labels/{id}/": Step(),
    },
    "Messages": {
        "POST /api/v1/presence/": Step(),
        "GET /api/v1/presence/": Step(),
        "POST /api/v1/messages/": Step(
            whole={"body": "Lunch at one?", "recipients": ["{{usercode}}", "{{friend}}"]}, save={"message_id": "id"}
        ),
        "GET /api/v1/messages/": Step(query={"box": "sent"}),
        "GET /api/v1/messages/ (search)": Step(query={"search": "lunch"}),
        "GET /api/v1/messages/{id}/": Step(),
        "PATCH /api/v1/messages/{id}/": Step(whole={"body": "Lunch at two?"}),
        "GET /api/v1/messages/{id}/recipients/": Step(),
        "GET /api/v1/messages/unread/": Step(),
        "POST /api/v1/messages/{id}/read/": Step(),
        "POST /api/v1/messages/read/": Step(whole={"up_to": "{{message_id}}"}),
        "GET /api/v1/conversations/": Step(),
        "GET /api/v1/events/": Step(query={"wait": "1"}),
        "GET /api/v1/people/{usercode}/": Step(),
        "GET /api/v1/people/{usercode}/picture/": Step(status=404),
        "POST /api/v1/blocks/{usercode}/": Step(status=201),
        "GET /api/v1/blocks/": Step(),
        "DELETE /api/v1/blocks/{usercode}/": Step(),
        "DELETE /api/v1/messages/{id}/": Step(),
    },
    "Contacts": {
        "GET /api/v1/contacts/template.xlsx": Step(),
        "POST /api/v1/contacts/uploads/ (dry run)": Step(status=200, file="contacts.csv", query={"dry_run": "true"}),
        "POST /api/v1/contacts/uploads/ (CSV with a mapping)": Step(
            status=202,
            file="contacts.csv",
            body={
                "mapping": '{"name": ["First Name", "Last Name"], "phone_number": "Mobile", "email_address": "Email"}'
            },
        ),
        "POST /api/v1/contacts/uploads/": Step(status=202, file="contacts.xlsx"),
        # The window of three minutes: at least the rows of the second upload of the same file wait.
        "POST /api/v1/contacts/uploads/ (again)": Step(status=202, file="contacts.xlsx", save={"upload_id": "id"}),
        "GET /api/v1/contacts/uploads/": Step(),
        "GET /api/v1/contacts/uploads/{id}/": Step(poll_until="finished_at"),
        "GET /api/v1/contacts/uploads/{id}/errors/": Step(),
        "GET /api/v1/contacts/uploads/{id}/errors.xlsx": Step(),
        "GET /api/v1/contacts/uploads/{id}/errors.csv": Step(),
        "GET /api/v1/contacts/uploads/{id}/original/": Step(),
        "POST /api/v1/contacts/uploads/{id}/retry/": Step(status=409),
        "GET /api/v1/contacts/": Step(
            query={"search": "a"}, save={"contact_id": "results.0.id", "other_contact_id": "results.1.id"}
        ),
        "GET /api/v1/contacts/unprocessed/": Step(save={"waiting_id": "results.0.id"}),
        "GET /api/v1/contacts/export.xlsx": Step(),
        "GET /api/v1/contacts/export.csv": Step(query={"search": "a"}),
        "GET /api/v1/contacts/export.vcf": Step(),
        "GET /api/v1/contacts/{id}/": Step(),
        "PATCH /api/v1/contacts/{id}/": Step(),
        "DELETE /api/v1/contacts/{id}/": Step(),
        "POST /api/v1/contacts/delete/": Step(whole={"ids": ["{{other_contact_id}}"]}),
        "DELETE /api/v1/contacts/unprocessed/{id}/": Step(),
        "POST /api/v1/contacts/uploads/{id}/undo/": Step(status=200),
        "DELETE /api/v1/contacts/uploads/{id}/": Step(),
    },
    "Trends": {
        "GET /api/v1/trends/": Step(query={"ordering": "-publications", "page_size": "20"}),
        "GET /api/v1/trends/summary/": Step(),
        "GET /api/v1/trends/radar/": Step(query={"steepl": "T"}),
        "POST /api/v1/trends/": Step(save={"trend_id": "id"}),
        "GET /api/v1/trends/{id}/": Step(),
        "PUT /api/v1/trends/{id}/": Step(),
        "PATCH /api/v1/trends/{id}/": Step(),
        "GET /api/v1/trends/{id}/history/": Step(),
        "GET /api/v1/trends/changes/": Step(query={"since": "2026-01-01T00:00:00Z"}),
        "DELETE /api/v1/trends/{id}/": Step(),
        "POST /api/v1/trends/imports/": Step(file="trends.csv", save={"import_id": "id"}),
        "GET /api/v1/trends/imports/": Step(),
        "GET /api/v1/trends/imports/{id}/": Step(poll_until="finished_at"),
        "GET /api/v1/trends/imports/{id}/errors.csv": Step(),
        "GET /api/v1/trends/imports/{id}/original/": Step(),
        "GET /api/v1/trends/export.csv": Step(),
        "GET /api/v1/trends/export.xlsx": Step(),
        "GET /api/v1/trends/export.json": Step(),
    },
    "Webhooks": {
        "POST /api/v1/webhooks/": Step(save={"webhook_id": "id"}),
        "GET /api/v1/webhooks/": Step(),
        "GET /api/v1/webhooks/{id}/": Step(),
        "POST /api/v1/webhooks/{id}/test/": Step(save={"delivery_id": "id"}),
        "GET /api/v1/webhooks/{id}/deliveries/": Step(),
        "POST /api/v1/webhooks/{id}/deliveries/{delivery_id}/resend/": Step(),
        "POST /api/v1/webhooks/{id}/secret/": Step(),
        "PATCH /api/v1/webhooks/{id}/": Step(),
        "DELETE /api/v1/webhooks/{id}/": Step(),
    },
    "Signing out": {
        "POST /api/v1/auth/change-password/": Step(
            whole={"current_password": "{{password}}", "new_password": "{{password}}"}
        ),
        "DELETE /api/v1/auth/account/": Step(status=400, whole={"password": "not the password"}),
        "POST /api/v1/auth/logout-all/": Step(),
        "POST /api/v1/auth/logout/": Step(whole={"refresh": "{{refresh}}"}),
    },
}


def variable(path: str, name: str) -> str:
    """Return the collection variable for the parameter ``name`` of ``path``."""
    prefixes = [prefix for prefix in VARIABLES if path.startswith(prefix) and name in VARIABLES[prefix]]
    return VARIABLES[max(prefixes, key=len)][name] if prefixes else name
