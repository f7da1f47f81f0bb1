"""A note as a page, for the link in a reminder."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .models import Membership


@require_safe
@never_cache
@login_required
def note(request: HttpRequest, pk: int) -> HttpResponse:
    """``GET /notes/<pk>/``: 404 for those who do not see the note."""
    memberships = Membership.objects.visible_to(request.user).select_related("note__owner", "reminder")
    membership = get_object_or_404(memberships, note_id=pk)
    return render(request, "notes/note.html", {"membership": membership, "note": membership.note})
