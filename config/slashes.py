"""An address without its slash at the end leads to the one with it, whatever the method."""

from django.http import HttpResponsePermanentRedirect
from django.middleware import common


class Redirect(HttpResponsePermanentRedirect):
    status_code = 308  # after a 301, clients repeat a POST as a GET without its body (RFC 9110, 15.4.2 and 15.4.9)


class CommonMiddleware(common.CommonMiddleware):
    response_redirect_class = Redirect
