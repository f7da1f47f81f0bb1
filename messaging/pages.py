"""The chat page. What it shows it asks the API for, like any other client."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from . import people
from .models import BODY_LENGTH


@require_safe
@login_required
@ensure_csrf_cookie
def messager(request: Any) -> HttpResponse:
    """``GET /messager/``."""
    card = people.cards([request.user.pk])[request.user.pk]
    return render(request, "messaging/messager.html", {"me": card, "body_length": BODY_LENGTH})
