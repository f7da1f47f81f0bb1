"""Which URLs and addresses a webhook may have.

A URL is checked twice. At registration only what it says itself is checked, because the answer of a name server can
change. For each delivery the worker resolves the name once, checks every address of the answer, and connects to one of
these addresses without asking again.
"""

import ipaddress
import re
import socket
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

Address = IPv4Address | IPv6Address

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_RELAYS_6TO4 = IPv4Network("192.88.99.0/24")  # RFC 7526: deprecated
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\<>\"`{}|^]")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


class RefusedURL(ValueError):
    """The URL cannot be the URL of a webhook; the text says why."""


class RefusedAddress(ValueError):
    """The host has an address that webhooks must not reach."""

    def __init__(self) -> None:
        super().__init__("The host has an address that webhooks must not reach.")


@dataclass(frozen=True)
class Target:
    """The parts of a checked URL. ``literal`` is the host's address, if the URL contains one."""

    is_https: bool
    host: str
    port: int
    path: str
    literal: Address | None


def parse(url: str) -> Target:
    """Return the parts of ``url``; raises RefusedURL. Does not resolve names."""
    if _UNSAFE.search(url):
        raise RefusedURL("The URL contains white space or other characters that are not allowed.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RefusedURL("Enter a valid URL.") from error
    if not (parts.path + parts.query).isascii():
        raise RefusedURL("Percent-encode the characters of the path that are not ASCII.")
    if parts.scheme not in ("https", "http"):
        raise RefusedURL("The URL must begin with https://.")
    if parts.scheme == "http" and not settings.WEBHOOKS_ALLOW_HTTP:
        raise RefusedURL("The URL must begin with https://.")
    if "@" in parts.netloc:
        raise RefusedURL("The URL must not contain a username or password.")
    if parts.fragment or url.endswith("#"):
        raise RefusedURL("The URL must not contain a fragment (#).")
    if port == 0:
        raise RefusedURL("The port is invalid.")
    host, literal = _host(parts)
    if literal and not is_allowed(literal):
        raise RefusedURL("The URL contains an address that webhooks must not reach, such as a private one.")
    is_https = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_https, host, port or (443 if is_https else 80), path, literal)


def addresses_of(target: Target) -> list[Address]:
    """Resolve the host of ``target`` once and return its addresses; raises RefusedAddress, OSError.

    One address that is not allowed refuses the host, because it shows that the answer is not what it should be.
    """
    found = [target.literal] if target.literal else resolve(target.host, target.port)
    if not all(map(is_allowed, found)):
        raise RefusedAddress
    return found


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a name, as the system's resolver orders them; raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(answer[4][0]) for answer in answers))


def is_allowed(address: Address) -> bool:
    """Return whether webhooks may reach ``address``: a public one, or one in WEBHOOKS_ALLOWED_NETWORKS."""
    return _is_named(address) or all(_is_named(each) or _is_public(each) for each in unwrap(address))


def unwrap(address: Address) -> list[Address]:
    """Return the IPv4 addresses inside an IPv6 address that is routed to them, or the address itself."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return list(address.teredo)
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    return [address]


def _is_named(address: Address) -> bool:
    return any(address in network for network in settings.WEBHOOKS_ALLOWED_NETWORKS)


def _is_public(address: Address) -> bool:
    if address.is_multicast or not address.is_global:
        return False
    return address not in _RELAYS_6TO4 if isinstance(address, IPv4Address) else address in _GLOBAL_UNICAST


def _host(parts: SplitResult) -> tuple[str, Address | None]:
    """Return the host as it is resolved and sent, and its address if it is one; raises RefusedURL."""
    try:
        host = parts.hostname or ""
        if "[" in parts.netloc:
            address = IPv6Address(host)
            if address.scope_id:
                raise RefusedURL("The URL must not contain a zone.")
            return str(address), address
        # As a resolver may read it: full-width digits and dots, and characters that IDNA removes, such as soft hyphens.
        host = unicodedata.normalize("NFKC", host).replace("\u3002", ".").removesuffix(".")
        host = host.encode("idna").decode().lower()
        if _is_ipv4(host):
            literal = _parse_ipv4(host)
            return str(literal), literal
    except RefusedURL:
        raise
    except ValueError as error:
        raise RefusedURL("The URL has an invalid host.") from error
    if len(host) > 253 or not all(map(_NAME.fullmatch, host.split("."))):
        raise RefusedURL("The URL has an invalid host.")
    return host, None


def _is_ipv4(host: str) -> bool:
    """Return whether the last part is a number: such a host is an address and never a name (WHATWG URL, 3.5)."""
    return bool(re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]))


def _parse_ipv4(host: str) -> IPv4Address:
    """Parse the notations of inet_aton: one to four numbers, decimal, octal (0…) or hexadecimal (0x…)."""
    *first, last = (_parse_number(part) for part in host.split("."))
    if len(first) > 3 or any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        raise ValueError(host)
    return IPv4Address(sum(number << 8 * (3 - place) for place, number in enumerate(first)) + last)


def _parse_number(text: str) -> int:
    if not text.isalnum():
        raise ValueError(text)
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if len(text) > 1 and text[0] == "0" else 10)
