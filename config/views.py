"""The front page: what Atrium is and where everything stands. And the icon that browsers ask for on any page."""

from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.http import require_safe


class Room(NamedTuple):
    """One card of the front page; ``icon`` names a symbol of ``atrium/icons.svg``."""

    title: str
    url: str
    icon: str
    text: str


ROOMS = (
    Room("Messages", "/messager/", "chat", "Write to one person, to several, or to everybody who is online right now."),
    Room("Trends", "/trends/", "chart", "Megatrends drawn as charts, with filters and the table behind them."),
    Room("Notes API", "/swagger/#/notes", "note", "Notes, checklists, labels, sharing and reminders, by REST."),
    Room(
        "Contacts API",
        "/swagger/#/contacts",
        "contacts",
        "Upload a sheet of contacts and watch every row find its place.",
    ),
    Room("Swagger", "/swagger/", "code", "Every call, to be tried from the browser."),
    Room("Redoc", "/redoc/", "book", "The same reference, made for reading."),
    Room("Admin", "/admin/", "shield", "Every table, for staff."),
    Room("Health", "/readyz/", "pulse", "Postgres, Redis, storage and the worker, each by name."),
)


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """``GET /``."""
    context = {"rooms": ROOMS, "base": settings.PUBLIC_URL}
    if settings.EMAIL_BACKEND == "config.mail.FileBackend":
        folder = settings.MAIL_DIR
        # Told as far as it helps on this machine, and no further: the page is public.
        inside = folder.is_relative_to(settings.BASE_DIR)
        context["mail_folder"] = folder.relative_to(settings.BASE_DIR) if inside else folder.name
    return render(request, "landing.html", context)


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """``GET /favicon.ico``, asked for where a page names no icon: the admin, the JSON of the API."""
    return HttpResponseRedirect(static("atrium/icon.svg"))
