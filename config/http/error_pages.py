"""Error responses outside API views: JSON for API clients, a page for people."""

import sys
from collections.abc import Callable
from typing import Any

import structlog
from django.core import exceptions as django_errors
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework.exceptions import APIException

from config.api.errors import RETRY_AFTER, PayloadTooLarge, ServiceUnavailable, is_unavailable, retry_after_deadlock

WITH_NAVIGATION = (403, 404)  # the other pages must render without database and user

logger = structlog.get_logger(__name__)


class OutageMiddleware:
    """Answer 503 when a page or the admin fails because Postgres, Redis or the storage is unavailable.

    A request whose transaction was aborted for a deadlock is retried once.

    Exceptions raised by a middleware reach ``server_error`` instead.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        match: Any = request.resolver_match

        def again() -> HttpResponse:
            return match.func(request, *match.args, **match.kwargs)

        response, error = retry_after_deadlock(request, error, again) if match else (None, error)
        unavailable = is_unavailable(error) or isinstance(error, ServiceUnavailable)
        return response or (outage_response(request, error) if unavailable else None)


def outage_response(request: HttpRequest, error: BaseException) -> HttpResponse:
    """Log the outage in one line and return a 503 with ``Retry-After``."""
    logger.warning("outage", error=type(error).__name__, detail=str(error)[:200])
    response = error_response(request, ServiceUnavailable())
    response["Retry-After"] = str(RETRY_AFTER)
    return response


def error_response(request: HttpRequest, error: APIException) -> HttpResponse:
    """Return ``error`` as JSON for API clients, or as the page ``<status>.html`` for a browser."""
    if request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", ""):
        kind = "server_error" if error.status_code >= 500 else "client_error"
        entry = {"code": error.get_codes(), "detail": str(error.detail), "attr": None}
        return JsonResponse({"type": kind, "errors": [entry]}, status=error.status_code)
    template, context = f"{error.status_code}.html", {"code": error.get_codes()}
    if error.status_code in WITH_NAVIGATION:
        try:
            return render(request, template, {**context, "layout": "error_site.html"}, status=error.status_code)
        except Exception as failure:  # the navigation names the user, which needs the database
            if not is_unavailable(failure):
                raise
    return render(request, template, context, status=error.status_code)


def _error(status: int, code: str, detail: str) -> APIException:
    error = APIException(detail, code)
    error.status_code = status
    return error


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, django_errors.RequestDataTooBig):
        return error_response(request, PayloadTooLarge())
    if isinstance(exception, django_errors.DisallowedHost):
        detail = "This site does not serve that host name. The operator can add it to ALLOWED_HOSTS."
        return error_response(request, _error(400, "unknown_host", detail))
    return error_response(request, _error(400, "bad_request", "The request is malformed."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, _error(403, "permission_denied", "You do not have permission to do this."))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, _error(404, "not_found", "There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exception()  # Django calls this while it handles the exception
    if error is not None and is_unavailable(error):
        return outage_response(request, error)
    return error_response(request, _error(500, "error", "Internal error. It has been logged."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    detail = f"The form was not sent from a page of this site. {reason}".strip()
    return error_response(request, _error(403, "csrf_failed", detail))
