"""What clients are told when something is wrong: one JSON shape, never a 500 for what they sent.

The shape is drf-standardized-errors': ``{"type", "errors": [{"code", "detail", "attr"}]}``.
"""

import errno
import sys
from collections.abc import Callable
from typing import Any

import redis.exceptions
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from django.core import exceptions as django_errors
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from drf_standardized_errors.handler import ExceptionHandler as StandardizedHandler
from kombu.exceptions import OperationalError as BrokerError
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.response import Response

logger = structlog.get_logger(__name__)

RETRY_AFTER = 5  # seconds that a client is asked to wait while Postgres, Redis or the storage is away

FOREIGN_KEY_VIOLATION = "23503"  # Postgres' code

OUTAGES = (
    OperationalError,
    InterfaceError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ResponseError,  # it refuses to write: its memory or disk is full, or it is a replica by now
    BrokerError,
    BotoCoreError,
    ClientError,
)


def means_unavailable(error: BaseException | None) -> bool:
    """Whether something that a request needs is away, or the disk that takes its upload is full."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or isinstance(error, OUTAGES)


class Conflict(APIException):
    """The request is well formed, but the state it meets forbids it."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This is not possible in the present state."
    default_code = "conflict"


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = "Send the body with a Content-Length, not in chunks."
    default_code = "length_required"


class PreconditionFailed(APIException):
    """``If-Match`` named another version than the present one, which the answer's ``ETag`` then says."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "It has changed since you read it. Read it again, then repeat your change."
    default_code = "precondition_failed"

    def __init__(self, detail: Any = None, code: str | None = None, *, etag: str | None = None) -> None:
        super().__init__(detail, code)
        self.etag = etag


class PayloadTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is too large."
    default_code = "too_large"


class Unprocessable(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "The request cannot be processed."
    default_code = "unprocessable"


class ServiceUnavailable(APIException):
    """A part that the request needs is away; ``wait`` becomes ``Retry-After`` (seconds)."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The service is not available for the moment. Please try again."
    default_code = "service_unavailable"
    wait = RETRY_AFTER


class ExceptionHandler(StandardizedHandler):
    """Turns what is not an API error yet into the one it means."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if means_unavailable(exc):
            logger.warning("outage", error=type(exc).__name__, detail=str(exc)[:200])
            return ServiceUnavailable()
        if isinstance(exc, django_errors.RequestDataTooBig):
            return PayloadTooLarge()
        if isinstance(exc, django_errors.SuspiciousOperation):
            return ValidationError("The request is malformed.")
        if isinstance(exc, django_errors.ValidationError):
            return ValidationError(getattr(exc, "message_dict", exc.messages))
        if isinstance(exc, IntegrityError) and getattr(exc.__cause__, "pgcode", "") == FOREIGN_KEY_VIOLATION:
            return Conflict("Something that this refers to has just been deleted. Read again, then repeat your change.")
        if isinstance(exc, ValueError) and "NUL (0x00)" in str(exc):
            # No text in Postgres holds a NUL: in an address it names nothing, in data it is wrong.
            request = self.context["request"]
            in_path = request is not None and "\x00" in request.path
            return NotFound() if in_path else ValidationError("A text holds a NUL character.")
        if isinstance(exc, (DataError, UnicodeEncodeError)):
            # The serializers have let something through that no column can hold: still the client's doing.
            logger.warning("value_out_of_range", detail=str(exc)[:200])
            return ValidationError("A value is out of range.")
        return super().convert_known_exceptions(exc)

    def report_exception(self, exc: APIException, response: Response) -> None:
        """What is away is said in one line for each request; it is no fault of ours to be traced or reported."""
        if not isinstance(exc, ServiceUnavailable):
            super().report_exception(exc, response)

    def get_headers(self, exc: APIException) -> dict:
        headers = super().get_headers(exc)
        if isinstance(exc, PreconditionFailed) and exc.etag:
            headers["ETag"] = exc.etag
        return headers


class OutageMiddleware:
    """Answers 503 in an outage where no API view is there to say so: in pages and in the admin.

    What a middleware raises comes to ``server_error`` instead.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return outage(request, error) if means_unavailable(error) else None


def outage(request: HttpRequest, error: BaseException) -> HttpResponse:
    logger.warning("outage", error=type(error).__name__, detail=str(error)[:200])
    response = answer(request, ServiceUnavailable())
    response["Retry-After"] = str(RETRY_AFTER)
    return response


def answer(request: HttpRequest, error: APIException) -> HttpResponse:
    """The same answer as JSON for clients of the API and as a page for people."""
    if request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", ""):
        kind = "server_error" if error.status_code >= 500 else "client_error"
        entry = {"code": error.get_codes(), "detail": str(error.detail), "attr": None}
        return JsonResponse({"type": kind, "errors": [entry]}, status=error.status_code)
    return render(request, f"{error.status_code}.html", {"code": error.get_codes()}, status=error.status_code)


class _BadRequest(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "The request is malformed."
    default_code = "bad_request"


class _UnknownHost(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "This site does not go by that host name. Whoever runs it lists its names in ALLOWED_HOSTS."
    default_code = "unknown_host"


class _Forbidden(APIException):
    status_code = status.HTTP_403_FORBIDDEN
    default_detail = "You may not do this."
    default_code = "permission_denied"


class _NotFound(APIException):
    status_code = status.HTTP_404_NOT_FOUND
    default_detail = "There is nothing at this address."
    default_code = "not_found"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, django_errors.RequestDataTooBig):
        return answer(request, PayloadTooLarge())
    return answer(request, _UnknownHost() if isinstance(exception, django_errors.DisallowedHost) else _BadRequest())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, _Forbidden())


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, _NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exception()  # Django asks for this page while it handles what was raised
    if error is not None and means_unavailable(error):
        return outage(request, error)
    return answer(request, APIException("Something went wrong on our side. It has been recorded.", "error"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return answer(
        request, _Forbidden(f"The form was not sent from this site's own page. {reason}".strip(), "csrf_failed")
    )


def attr_error(attr: str, detail: str, code: str = "invalid") -> ValidationError:
    """A validation error of one field: ``attr`` as clients wrote it, ``detail`` saying what would be right."""
    return ValidationError({attr: [detail]}, code)
