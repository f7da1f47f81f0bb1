from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """``GET /trends/``: everything on it comes from the API."""
    return render(request, "trends/page.html")
