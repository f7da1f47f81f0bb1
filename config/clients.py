"""Who is at the other end of a request, as far as that can be known."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request


def client_ip(request: HttpRequest | Request) -> str | None:
    """The client's address: the peer's own, or what the ``TRUSTED_PROXIES`` proxies nearest to us say it is.

    ``X-Forwarded-For`` grows to the right, so with n trusted proxies the n-th entry from the right is the last one that
    somebody we trust has written. None where that is no address.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        chain = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        if chain:
            address = chain[-min(settings.TRUSTED_PROXIES, len(chain))]
    try:
        found = ipaddress.ip_address(address.partition("%")[0])  # a link-local one names its interface, no column does
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


def user_agent(request: HttpRequest | Request) -> str:
    """What the client calls itself, printable and at most 300 characters."""
    said = request.META.get("HTTP_USER_AGENT", "")
    return "".join(char for char in said if char.isprintable())[:300]


def client_network(request: HttpRequest | Request) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one household or host has of IPv6."""
    return network(client_ip(request))


def client_place(request: HttpRequest) -> str | None:
    """The first address of that network: what stands for the client where only an address can be stored."""
    ip = client_ip(request)
    return network(ip).partition("/")[0] if ip else None


def network(ip: str | None) -> str:
    if ip is None:
        return "unknown"
    address = ipaddress.ip_address(ip)
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
