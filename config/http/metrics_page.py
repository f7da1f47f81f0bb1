"""The page ``/metrics/``."""

import ipaddress
from contextlib import suppress

from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse
from django_prometheus.exports import ExportToDjangoView

from config.client_ip import client_ip
from config.webhooks import metrics as webhook_metrics

from . import site_metrics


def metrics(request: HttpRequest) -> HttpResponse:
    """Serve the Prometheus metrics to staff and to private addresses; anyone else gets 404."""
    address = client_ip(request)
    is_private = address is not None and ipaddress.ip_address(address).is_private
    if not is_private and not request.user.is_staff:
        raise Http404
    response = ExportToDjangoView(request)
    response.content += site_metrics.exposition()
    with suppress(Error):  # the other metrics are needed most in an outage
        response.content += webhook_metrics.exposition()
    return response
