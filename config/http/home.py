"""``/``: the home page of a signed-in user, and the landing page for everybody else."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .landing import landing


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """Show the user's home page, whose script gets its content from the API, or the landing page."""
    return render(request, "home.html") if request.user.is_authenticated else landing(request)
