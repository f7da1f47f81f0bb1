"""The notes page. Its scripts get all data from the API, like any other client."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from accounts.services.profiles import profile_of

from ..colors import COLORS
from ..models import MAX_BODY, MAX_ITEM_TEXT, MAX_TITLE, Membership

# Loaded while the page is parsed, not one after the other as they import each other.
MODULES = (
    "notes/actions", "notes/cards", "notes/checklist", "notes/composer", "notes/drafts", "notes/editor", "notes/form",
    "notes/labels", "notes/masonry", "notes/menus", "notes/merge", "notes/search", "notes/selection",
    "notes/shortcuts", "notes/store", "notes/takeout", "notes/view",
    "atrium/api", "atrium/dom", "atrium/live", "atrium/toast",
)  # fmt: skip


@require_safe
@never_cache
@login_required
@ensure_csrf_cookie
def notes(request: Any, pk: int | None = None) -> HttpResponse:
    """Show the notes (``GET /notes/``), or one of them open (``GET /notes/{id}/``; 404 if the user does not see it)."""
    if pk is not None:
        get_object_or_404(Membership.objects.visible_to(request.user), note_id=pk)
    context = {
        "open_note": pk,
        "time_zone": profile_of(request.user).timezone,
        "colors": " ".join(COLORS),
        "limits": {"title": MAX_TITLE, "body": MAX_BODY, "item": MAX_ITEM_TEXT},
        "modules": [f"{name}.js" for name in MODULES],
    }
    return render(request, "notes/notes.html", context)
