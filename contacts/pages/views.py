"""The contacts pages. Their scripts get all data from the API, like any other client."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from ..models import FileMetadata

# The modules of each page besides its own, loaded while the page is parsed and not one after the other.
_SHARED = ("atrium/client", "atrium/site", "atrium/dom", "atrium/live", "atrium/toast", "contacts/words")
_LATER = ("atrium/leaving", "contacts/later")
MODULES = {
    "people": (*_LATER, "contacts/drawer", "contacts/rows", "contacts/selection"),
    "import": ("contacts/columns", "contacts/corrections", "contacts/outcome", "contacts/sheet"),
    "uploads": ("contacts/outcome",),
    "upload": (*_LATER, "contacts/corrections", "contacts/outcome", "contacts/progress", "contacts/sheet"),
    "waiting": _LATER,
}


def _page(request: HttpRequest, name: str, **context: Any) -> HttpResponse:
    modules = [f"{module}.js" for module in (*_SHARED, *MODULES[name])]
    context |= {"page": name, "script": f"contacts/{name}.js", "modules": modules}
    return render(request, f"contacts/{name}.html", context)


@require_safe
@never_cache
@login_required
@ensure_csrf_cookie
def people(request: HttpRequest) -> HttpResponse:
    """Show the stored contacts (``GET /contacts/``). The query has the filters, and ``contact`` opens one."""
    return _page(request, "people")


@require_safe
@never_cache
@login_required
@ensure_csrf_cookie
def import_page(request: HttpRequest) -> HttpResponse:
    """Show the import of a file, step by step (``GET /contacts/import/``)."""
    return _page(request, "import", max_bytes=settings.CONTACT_MAX_BYTES)


@require_safe
@never_cache
@login_required
@ensure_csrf_cookie
def uploads(request: HttpRequest) -> HttpResponse:
    """Show the user's uploads (``GET /contacts/uploads/``)."""
    return _page(request, "uploads")


@require_safe
@never_cache
@login_required
@ensure_csrf_cookie
def upload(request: Any, pk: int) -> HttpResponse:
    """Show the progress and result of an upload (``GET /contacts/uploads/{id}/``); 404 if it is not the user's."""
    found = get_object_or_404(FileMetadata.objects.visible_to(request.user), pk=pk)
    return _page(request, "upload", upload=found)


@require_safe
@never_cache
@login_required
@ensure_csrf_cookie
def waiting(request: HttpRequest) -> HttpResponse:
    """Show the rows that wait for their window (``GET /contacts/waiting/``)."""
    return _page(request, "waiting", window=int(settings.CONTACT_WINDOW.total_seconds()))
