"""Redirect a URL without its final slash to the one with it, for every method."""

from django.http import HttpResponsePermanentRedirect
from django.middleware import common


class PermanentRedirect(HttpResponsePermanentRedirect):
    status_code = 308  # after a 301, clients repeat a POST as a GET without a body (RFC 9110, 15.4.2 and 15.4.9)


class CommonMiddleware(common.CommonMiddleware):
    response_redirect_class = PermanentRedirect
