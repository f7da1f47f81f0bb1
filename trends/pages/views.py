"""The trends pages. Their scripts get all numbers from the API, like any other client."""

import re
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from config.cache.responses import cached_response

from .. import representation
from ..files.columns import COUNTS, FREE_TEXTS, HEADINGS, describe
from ..files.exports import FORMATS
from ..files.template import TEMPLATES
from ..models import CACHE_SCOPE, Change, Trend

MAX_TRENDS = 100  # of which the counts are requested at once
ID = re.compile("[0-9]{1,18}")
FACETS = {  # of the filter bar
    "megatrend": "Megatrend",
    "macrotrend": "Macrotrend",
    "steepl": "STEEPL",
    "impact_strength": "Impact",
    "technology_readiness_level": "Readiness",
}
# The modules of a page besides its own, loaded while the page is parsed and not one after the other.
_SHARED = ("atrium/client", "atrium/site", "atrium/dom", "atrium/toast", "trends/facets")
MODULES = {
    "page": ("trends/charts", "trends/filters", "trends/rows", "trends/sparkline"),
    "trend": (),
}


def _modules(page: str) -> list[str]:
    return [f"{module}.js" for module in (*_SHARED, *MODULES[page])]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the filters, the charts and the list."""
    context = {
        "columns": [(heading, describe(name)) for name, heading in HEADINGS.items()],
        "facets": FACETS.items(),
        "last_import": representation.last_import(),
        "modules": _modules("page"),
    }
    return render(request, "trends/page.html", context)


@require_safe
def trend(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one trend. The query has the filters of the page that it was opened from, for the way back."""
    found = get_object_or_404(Trend.objects.defer("fingerprint", "search_text"), pk=pk)
    last_import = representation.last_import()
    change = Change.objects.since(last_import["before"]).filter(trend_id=pk).first() if last_import else None
    context = {
        "trend": found,
        "last_import": last_import,
        "is_new": change is not None and change.before is None,
        "changed": _changed(change.before, found) if change and change.before else [],
        "facets": [(name, title, getattr(found, name), _shown(found, name)) for name, title in FACETS.items()],
        "texts": [(HEADINGS[name], getattr(found, name)) for name in FREE_TEXTS],
        "counts": [(HEADINGS[name], _text(getattr(found, name))) for name in COUNTS],
        "modules": _modules("trend"),
    }
    return render(request, "trends/trend.html", context)


def _changed(before: dict[str, Any], trend: Trend) -> list[tuple[str, str, str]]:
    """Return heading, earlier and present value of the columns that differ from ``before``."""
    pairs = [(heading, before[name], getattr(trend, name)) for name, heading in HEADINGS.items()]
    return [(heading, _text(old), _text(new)) for heading, old, new in pairs if old != new]


def _text(value: str | int | None) -> str:
    return f"{value:,}" if isinstance(value, int) else value or "unknown"


def _shown(trend: Trend, name: str) -> str:
    """Return the value of a facet as the page shows it."""
    if name == "steepl":
        return f"{trend.steepl} · {trend.get_steepl_display()}"
    return _text(getattr(trend, name))


@require_safe
def template(request: HttpRequest, extension: str) -> HttpResponse:
    """Download an empty file with the ten columns (``GET /trends/template.xlsx`` or ``.csv``)."""
    if extension not in TEMPLATES:
        raise Http404
    name = f'attachment; filename="trends-template.{extension}"'
    content = TEMPLATES[extension]()
    return HttpResponse(content, content_type=FORMATS[extension].content_type, headers={"Content-Disposition": name})


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
