"""The chat page. Its script gets all data from the API, like any other client."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from ..cards import load_cards
from ..models import BODY_LENGTH


@require_safe
@login_required
@ensure_csrf_cookie
def messager(request: Any) -> HttpResponse:
    """Show the chat page (``GET /messager/``)."""
    card = load_cards([request.user.pk])[request.user.pk]
    return render(request, "messaging/messager.html", {"me": card, "body_length": BODY_LENGTH})
