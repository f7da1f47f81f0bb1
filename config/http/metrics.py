"""Count requests for ``/metrics/``, under the names that django-prometheus' dashboards and rules use."""

from collections.abc import Callable
from functools import lru_cache
from time import perf_counter
from typing import Any

from django.http import HttpRequest, HttpResponse
from django_prometheus.middleware import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"})
UNNAMED = "<unnamed view>"


class MetricsMiddleware:
    """Update the metrics of django-prometheus' two middlewares in one pass.

    Those look up a dozen series by label in every request, which costs more than many views. Here the series of a
    combination of labels are looked up once. A response that a middleware served for a view counts for that view.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.metrics: Any = Metrics.get_instance()
        self.series = lru_cache(maxsize=1024)(self._series)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.metrics.requests_total.inc()
        started = perf_counter()
        response = self.get_response(request)
        self.count(request, response, perf_counter() - started)
        return response

    def count(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        metrics = self.metrics
        method = request.method if request.method in METHODS else "<invalid method>"
        counters, latency = self.series(
            _view_of(request), method, request.scheme, response.status_code, str(response.charset)
        )
        for counter in counters:
            counter.inc()
        latency.observe(seconds)
        metrics.requests_latency_before.observe(seconds)
        metrics.requests_body_bytes.observe(_length(request))
        if request.META.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest":
            metrics.requests_ajax.inc()
        if response.streaming:
            metrics.responses_streaming.inc()
        else:
            metrics.responses_body_bytes.observe(len(response.content))

    def _series(self, view: str, method: str, transport: str, code: int, charset: str) -> tuple[tuple[Any, ...], Any]:
        """Return the counters that a request with these labels increments, and its latency histogram (seconds)."""
        metrics, status = self.metrics, str(code)
        return (
            metrics.responses_total,
            metrics.requests_by_method.labels(method=method),
            metrics.requests_by_transport.labels(transport=transport),
            metrics.requests_by_view_transport_method.labels(view=view, transport=transport, method=method),
            metrics.responses_by_status.labels(status=status),
            metrics.responses_by_status_view_method.labels(status=status, view=view, method=method),
            metrics.responses_by_charset.labels(charset=charset),
        ), metrics.requests_latency_by_view_method.labels(view=view, method=method)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        self.metrics.exceptions_by_type.labels(type=type(exception).__name__).inc()
        self.metrics.exceptions_by_view.labels(view=_view_of(request)).inc()

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        if name := getattr(response, "template_name", None):
            self.metrics.responses_by_templatename.labels(templatename=str(name)).inc()
        return response


def _view_of(request: HttpRequest) -> str:
    match = request.resolver_match
    return (match.view_name if match else "") or UNNAMED


def _length(request: HttpRequest) -> int:
    given = request.META.get("CONTENT_LENGTH", "")
    return int(given) if given.isdecimal() and len(given) < 20 else 0
