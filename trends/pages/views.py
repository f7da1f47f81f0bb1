import re

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.cache.responses import cached_response

from .. import representation
from ..files.columns import HEADINGS, describe
from ..models import CACHE_SCOPE

MAX_TRENDS = 100  # of which the counts are requested at once
ID = re.compile("[0-9]{1,18}")


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the trends page. Its scripts read the trends from the API."""
    columns = [(heading, describe(name)) for name, heading in HEADINGS.items()]
    context = {"columns": columns, "last_import": representation.last_import()}
    return render(request, "trends/page.html", context)


@require_safe
def counts(request: HttpRequest) -> HttpResponse:
    """Return the counts over time of the trends ``?trend=1&trend=2``, for the lines in the page's list."""
    ids = request.GET.getlist("trend")
    if len(ids) > MAX_TRENDS or not all(map(ID.fullmatch, ids)):
        error = {"code": "invalid", "detail": f"Use up to {MAX_TRENDS} ids of trends.", "attr": "trend"}
        return JsonResponse({"type": "validation_error", "errors": [error]}, status=400)
    return cached_response(
        request, scope=CACHE_SCOPE, public=True, produce=lambda: representation.counts_over_time(set(map(int, ids)))
    )
