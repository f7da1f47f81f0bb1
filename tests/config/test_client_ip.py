"""The client's address, with and without proxies in front."""

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from config.client_ip import client_ip, client_network, user_agent


def request(peer: str = "192.0.2.7", **headers: str) -> HttpRequest:
    return RequestFactory().get("/", REMOTE_ADDR=peer, **headers)


@pytest.mark.parametrize(
    "peer, address, network",
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("", None, "unknown"),
        ("unix:", None, "unknown"),
    ],
)
def test_the_peers_address_is_normalised(peer: str, address: str | None, network: str) -> None:
    assert (client_ip(request(peer)), client_network(request(peer))) == (address, network)


@pytest.mark.parametrize(
    "trusted, header, address",
    [
        (0, "198.51.100.1", "192.0.2.7"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "forged, 198.51.100.1", "198.51.100.1"),
        (2, "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "198.51.100.1", "198.51.100.1"),
        (1, "forged", None),
        (1, "", "192.0.2.7"),
    ],
)
def test_a_forwarded_address_is_used_if_a_trusted_proxy_wrote_it(
    settings: Any, trusted: int, header: str, address: str | None
) -> None:
    settings.TRUSTED_PROXIES = trusted
    assert client_ip(request(HTTP_X_FORWARDED_FOR=header)) == address


def test_the_user_agent_is_printable_and_shortened() -> None:
    assert user_agent(request(HTTP_USER_AGENT="A\x00B\r\n" + "C" * 1000)) == "AB" + "C" * 298
