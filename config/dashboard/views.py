"""The dashboard, its live parts, and the actions on failed jobs."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from . import activity, checks, figures, imports, jobs, services

MAX_SELECTED = 200
View = Callable[[HttpRequest], HttpResponse]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the index of the admin shows (``UNFOLD["DASHBOARD_CALLBACK"]``)."""
    user: Any = request.user
    problems, more = jobs.problems(user)
    may_see_sign_ins = user.has_perm("config.view_auditrecord")
    return context | {
        "title": "Dashboard",
        "now": timezone.now(),
        "figures": figures.shown(),
        "problems": problems,
        "more_problems": more,
        "locked": activity.locked_sign_ins() if user.has_perm("axes.view_accessattempt") else [],
        "imports": imports.last(request),
        "sign_ins": activity.sign_ins() if may_see_sign_ins else None,
        "endpoints": activity.slowest_endpoints(),
        "disk": activity.disk(),
        "may_upload_trends": user.has_perm("trends.add_trend"),
    }


def staff_only(view: View) -> View:
    """Allow only staff; others get 403 without a redirect, because scripts call these views."""

    @wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        if not admin.site.has_permission(request):
            raise PermissionDenied
        return view(request)

    return never_cache(wrapped)


@require_GET
@staff_only
def health(request: HttpRequest) -> HttpResponse:
    """Return the result of each check, as a part of the page."""
    results = checks.run_all(for_page=True)
    failed = sum(not result.ok for result in results)
    context = {"results": results, "failed": failed, "now": timezone.now()}
    return render(request, "admin/dashboard/health.html", context)


@require_GET
@staff_only
def queues(request: HttpRequest) -> HttpResponse:
    """Return the state of the queues, as a part of the page."""
    return render(request, "admin/dashboard/queues.html", {"queues": jobs.queues(request.user), "now": timezone.now()})


@require_POST
@staff_only
def change_jobs(request: HttpRequest) -> HttpResponse:
    """Retry or dismiss the selected rows, or the one row whose button was pressed."""
    action, _, only = request.POST.get("action", "").partition(" ")
    ids = _parse(request, [only] if only else request.POST.getlist("row")[:MAX_SELECTED])
    if action not in ("retry", "discard"):
        raise BadRequest("unknown action")
    change = services.retry_jobs if action == "retry" else services.dismiss_jobs
    count = sum(change(model=model, ids=each) for model, each in ids.items())
    rows = "1 row" if count == 1 else f"{count} rows"
    done = f"Retried {rows}." if action == "retry" else f"Discarded {rows}."
    if not ids:
        messages.warning(request, "Select rows first.")
    elif count:
        messages.success(request, done)
    else:
        messages.warning(request, f"{done} They have changed, or cannot be retried.")
    return redirect("admin:index")


def _parse(request: HttpRequest, keys: list[str]) -> dict[Any, list[int]]:
    """Return the IDs by model; raises BadRequest, or PermissionDenied for a table that this user may not change."""
    user: Any = request.user
    ids: dict[Any, list[int]] = {}
    for key in keys:
        label, _, number = key.partition(":")
        try:
            model, pk = jobs.job_table(label), int(number)
        except (LookupError, ValueError) as error:
            raise BadRequest("unknown row") from error
        if not 0 < pk < 2**63:
            raise BadRequest("unknown row")
        if not user.has_perm(jobs.permission(model, "change")):
            raise PermissionDenied
        ids.setdefault(model, []).append(pk)
    return ids
