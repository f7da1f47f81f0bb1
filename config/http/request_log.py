"""Write one log line per request, and set its ``X-Request-ID``."""

import logging
from time import perf_counter
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django_structlog.middlewares import RequestMiddleware as StructlogMiddleware
from structlog.contextvars import bind_contextvars, clear_contextvars

from config.audit import context
from config.client_ip import client_ip
from config.logs import RequestLine, sane_request_id
from config.outages import is_outage

logger = logging.getLogger(__name__)

PROBES = ("/healthz/", "/readyz/", "/metrics/")


class RequestMiddleware(StructlogMiddleware):
    """Give request and response a valid ``X-Request-ID``, and log the request with its duration in milliseconds.

    Every line of a request contains its id and client address. The query string is not logged: it may hold secrets.
    """

    def __call__(self, request: HttpRequest) -> Any:
        response: Any
        request_id = sane_request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        # Static files and probes are not logged: their lines would bury all others. Failed readiness logs its own line.
        if request.path.startswith(settings.STATIC_URL) or request.path in PROBES:
            response = self.get_response(request)
        else:
            started = perf_counter()
            bind_contextvars(request_id=request_id, ip=client_ip(request))  # for other lines of the request
            bound = context.bind_request(request)
            try:
                response = self.get_response(request)
            finally:
                context.unbind_request(bound)
            self.log(request, response, request_id, round((perf_counter() - started) * 1000, 1))
        response["X-Request-ID"] = request_id
        return response

    def log(self, request: HttpRequest, response: Any, request_id: str, ms: float) -> None:
        if response.streaming or hasattr(request, "_raised_exception"):  # more than one line
            bind_contextvars(ms=ms)
            self.handle_response(request, response)
            return
        line = RequestLine(
            event="request_finished",
            code=response.status_code,
            ip=client_ip(request),
            ms=ms,
            request=self.format_request(request),
            request_id=request_id,
            user_id=_user_id(request),
        )
        logger.log(self._log_level_for_status_code(response.status_code), line)
        clear_contextvars()

    def _process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Skip the traceback of an outage: it is answered with 503 and has its own log line."""
        if not is_outage(exception):
            super()._process_exception(request, exception)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {request.path}"

    @staticmethod
    def bind_user_id(request: HttpRequest) -> None:
        bind_contextvars(user_id=_user_id(request))


def _user_id(request: HttpRequest) -> int | None:
    """Return the id of the user if the view loaded it; a log line must not cost a query."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)  # set by Django when the user was loaded
    return getattr(user, "pk", None)
