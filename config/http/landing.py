"""The landing page, and the icon that browsers request for any page."""

from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.http import require_safe

# The README and the API guide contain the same blocks; tests/config/test_first_calls.py compares them.
FIRST_CALLS = settings.BASE_DIR / "config" / "templates" / "first_calls.sh"
DEFAULT_BASE = "${BASE:-http://localhost:8000}"


class Card(NamedTuple):
    """A link of the landing page; ``icon`` names a symbol of ``atrium/icons.svg``."""

    title: str
    url: str
    icon: str
    text: str


CARDS = (
    Card("Notes", "/notes/", "note", "Notes, checklists, labels, sharing and reminders."),
    Card("Messages", "/messager/", "chat", "Write to one person, to several, or to everybody who is online."),
    Card("Trends", "/trends/", "chart", "Charts of megatrends, with filters and a table."),
    Card("Contacts", "/contacts/", "contacts", "Upload a sheet of contacts and follow its import."),
    Card("Swagger", "/swagger/", "code", "Try every API call in the browser."),
    Card("Redoc", "/redoc/", "book", "Read the API reference."),
    Card("Admin", "/admin/", "shield", "Manage every table (staff only)."),
    Card("Health", "/readyz/", "pulse", "Status of Postgres, Redis, storage and the worker."),
)


def first_calls(base: str) -> list[str]:
    """Return the shell blocks of ``first_calls.sh`` with ``base`` as the server: its address, then one per call."""
    first, *others = FIRST_CALLS.read_text().strip().split("\n\n")
    return [first.replace(DEFAULT_BASE, base), *others]


def registration(request: HttpRequest) -> dict[str, object]:
    """Tell every template who may register (a context processor)."""
    return {"registration": settings.REGISTRATION, "registration_domains": settings.REGISTRATION_DOMAINS}


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """Show the page for visitors who are not signed in."""
    base, register, log_in, create = first_calls(settings.PUBLIC_URL)
    context: dict[str, object] = {
        "cards": CARDS,
        "register": f"{base}\n\n{register}",
        "log_in": log_in,
        "create": create,
    }
    if settings.EMAIL_BACKEND == "config.mail.FileBackend":
        folder = settings.MAIL_DIR
        # The page is public, so it names a folder outside the project by its last part only.
        inside = folder.is_relative_to(settings.BASE_DIR)
        context["mail_folder"] = folder.relative_to(settings.BASE_DIR) if inside else folder.name
    return render(request, "landing.html", context)


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """``GET /favicon.ico``, which browsers request where a page names no icon: the admin, API responses."""
    return HttpResponseRedirect(static("atrium/icon.svg"))
