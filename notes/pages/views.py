"""The notes page. Its scripts get all data from the API, like any other client."""

import copy
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe
from rest_framework.request import Request

from accounts.services.profiles import profile_of
from config.cache.responses import cached_response

from ..colors import COLORS
from ..models import MAX_BODY, MAX_ITEM_TEXT, MAX_TITLE, Membership
from ..pagination import NotePagination
from ..services.events import cache_scope

# Loaded while the page is parsed, not one after the other as they import each other. The template gives all but the
# first ones a low priority, so that the style sheets and the first cards do not wait for them.
FIRST_MODULES = ("notes/cards", "notes/masonry", "notes/look", "atrium/dom", "atrium/toast")
MODULES = (
    "notes/actions", "notes/checklist", "notes/composer", "notes/conflict", "notes/drafts", "notes/editor",
    "notes/form", "notes/labels", "notes/menus", "notes/merge", "notes/reminder", "notes/search", "notes/selection",
    "notes/share", "notes/shortcuts", "notes/store", "notes/takeout", "notes/view", "notes/when",
    "atrium/client", "atrium/leaving", "atrium/site", "atrium/live",
)  # fmt: skip
FIRST_PAGE = "page_size=60"  # the query of the page's first request for notes (view.js)
MAX_INLINE = 256 * 1024  # bytes; a page of larger notes is fetched


@require_safe
@never_cache
@login_required
@ensure_csrf_cookie
def notes(request: Any, pk: int | None = None) -> HttpResponse:
    """Show the notes (``GET /notes/``), or one of them open (``GET /notes/{id}/``; 404 if the user does not see it)."""
    if pk is not None:
        get_object_or_404(Membership.objects.visible_to(request.user), note_id=pk)
    context = {
        "time_zone": profile_of(request.user).timezone,
        "colors": " ".join(COLORS),
        "limits": {"title": MAX_TITLE, "body": MAX_BODY, "item": MAX_ITEM_TEXT},
        "first_modules": [f"{name}.js" for name in FIRST_MODULES],
        "modules": [f"{name}.js" for name in MODULES],
        "first_page": None if request.GET else _first_page(request),
    }
    return render(request, "notes/notes.html", context)


def _first_page(request: HttpRequest) -> dict[str, str | SafeString] | None:
    """Return the API's first page of notes, so that the first cards need no further request; None if it is large."""
    call = copy.copy(request)
    call.path = call.path_info = reverse("note-list")
    call.GET = QueryDict(FIRST_PAGE)
    call.META = {**request.META, "QUERY_STRING": FIRST_PAGE}
    call.META.pop("HTTP_IF_NONE_MATCH", None)
    call.resolver_match = None
    page = cached_response(
        call,
        scope=cache_scope(request.user.pk),
        produce=lambda: NotePagination().first_page("active", _api_request(call)),
    )
    if len(page.content) > MAX_INLINE:
        return None
    json = page.content.decode().replace("&", "\\u0026").replace("<", "\\u003C").replace(">", "\\u003E")
    return {"json": mark_safe(json), "etag": page["ETag"], "path": f"{call.path}?{FIRST_PAGE}"}  # noqa: S308


def _api_request(request: HttpRequest) -> Request:
    wrapped = Request(request)
    wrapped.user = request.user
    return wrapped
