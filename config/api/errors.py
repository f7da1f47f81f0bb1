"""API errors: one JSON shape, and never a 500 for anything that a client can send.

The shape is the one of drf-standardized-errors: ``{"type", "errors": [{"code", "detail", "attr"}]}``.
"""

import errno
from collections.abc import Callable, Iterable
from typing import Any

import redis.exceptions
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from django.core import exceptions as django_errors
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connection
from drf_standardized_errors.handler import ExceptionHandler as StandardizedHandler
from kombu.exceptions import OperationalError as BrokerError
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.response import Response

from config.outages import is_deadlock

logger = structlog.get_logger(__name__)

RETRY_AFTER = 5  # seconds

FOREIGN_KEY_VIOLATION = "23503"  # SQLSTATE

OUTAGES = (
    OperationalError,
    InterfaceError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ResponseError,  # Redis refuses writes: memory or disk is full, or it is a replica now
    BrokerError,
    BotoCoreError,
    ClientError,
)


def is_unavailable(error: BaseException | None) -> bool:
    """Return whether ``error`` means that Postgres, Redis or the storage is unavailable, or the disk is full."""
    disk_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return disk_full or isinstance(error, OUTAGES)


def retry_after_deadlock(request: Any, error: Exception, again: Callable[[], Any]) -> tuple[Any, Exception]:
    """Call ``again`` if ``error`` is a deadlock, but once per request; return its response, or None and the error."""
    if not is_deadlock(error) or connection.in_atomic_block or "atrium.retried" in request.META:
        return None, error
    request.META["atrium.retried"] = True
    logger.info("deadlock_retried", path=request.path)
    try:
        for file in request.FILES.values():
            file.seek(0)
        return again(), error
    except Exception as second:  # the caller answers it
        return None, second


class Conflict(APIException):
    """The request is valid, but conflicts with the current state."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "The current state does not allow this."
    default_code = "conflict"


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = "Send a Content-Length header. Chunked bodies are not accepted."
    default_code = "length_required"


class PreconditionFailed(APIException):
    """``If-Match`` does not match the current version; the response's ``ETag`` is ``etag``, if given."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "The object has changed since you read it. Read it again and repeat your change."
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
    """A component that the request needs is down; ``wait`` (seconds) becomes ``Retry-After``."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The service is temporarily unavailable. Try again in a few seconds."
    default_code = "service_unavailable"
    wait = RETRY_AFTER


class ExceptionHandler(StandardizedHandler):
    """Convert exceptions of Django, Postgres, Redis and the storage to API errors."""

    def run(self) -> Response | None:
        """Retry the request once after a deadlock; otherwise build the error response."""
        view: Any = self.context["view"]
        request: Any = self.context["request"]
        arguments = self.context["args"], self.context["kwargs"]

        def again() -> Any:
            view.initial(request, *arguments[0], **arguments[1])
            return getattr(view, request.method.lower())(request, *arguments[0], **arguments[1])

        response, self.exc = retry_after_deadlock(request, self.exc, again)
        return response if response is not None else super().run()

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if is_unavailable(exc):
            logger.warning("outage", error=type(exc).__name__, detail=str(exc)[:200])
            return ServiceUnavailable()
        if isinstance(exc, django_errors.RequestDataTooBig):
            return PayloadTooLarge()
        if isinstance(exc, django_errors.SuspiciousOperation):
            return ValidationError("The request is malformed.")
        if isinstance(exc, django_errors.ValidationError):
            return ValidationError(getattr(exc, "message_dict", exc.messages))
        if isinstance(exc, IntegrityError) and getattr(exc.__cause__, "pgcode", "") == FOREIGN_KEY_VIOLATION:
            return Conflict("A referenced object has just been deleted. Read the data again and repeat your change.")
        if isinstance(exc, ValueError) and "NUL (0x00)" in str(exc):
            # Postgres stores no NUL in text: in a path it matches nothing, in data it is invalid.
            request = self.context["request"]
            in_path = request is not None and "\x00" in request.path
            return NotFound() if in_path else ValidationError("NUL characters are not allowed.")
        if isinstance(exc, (DataError, UnicodeEncodeError)):
            # A value passed the serializers but does not fit its column: still the client's error.
            logger.warning("value_out_of_range", detail=str(exc)[:200])
            return ValidationError("A value is out of range.")
        return super().convert_known_exceptions(exc)

    def report_exception(self, exc: APIException, response: Response) -> None:
        """Report errors to Sentry, except outages: they are logged in one line."""
        if not isinstance(exc, ServiceUnavailable):
            super().report_exception(exc, response)

    def get_headers(self, exc: APIException) -> dict:
        headers = super().get_headers(exc)
        if isinstance(exc, PreconditionFailed) and exc.etag:
            headers["ETag"] = exc.etag
        return headers


def attr_error(attr: str, detail: str, code: str = "invalid") -> ValidationError:
    """Build a validation error of the field ``attr``; ``detail`` says what is wrong and what to send instead."""
    return ValidationError({attr: [detail]}, code)


def field_errors(attrs: Iterable[str], detail: str, code: str) -> ValidationError:
    """Build a validation error with the same ``detail`` for several fields, in the order of their names."""
    return ValidationError({attr: [detail] for attr in sorted(attrs)}, code)
