"""Which address a client has, whatever it or a proxy says."""

import pytest
from django.test import RequestFactory

from config.clients import client_ip, client_network, user_agent


def request(peer="192.0.2.7", **headers):
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
def test_the_peers_address_is_read_in_one_form(peer, address, network):
    assert (client_ip(request(peer)), client_network(request(peer))) == (address, network)


@pytest.mark.parametrize(
    "trusted, said, address",
    [
        (0, "198.51.100.1", "192.0.2.7"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "made up, 198.51.100.1", "198.51.100.1"),
        (2, "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "198.51.100.1", "198.51.100.1"),
        (1, "made up", None),
        (1, "", "192.0.2.7"),
    ],
)
def test_a_forwarded_address_counts_as_far_as_proxies_are_trusted(settings, trusted, said, address):
    settings.TRUSTED_PROXIES = trusted
    assert client_ip(request(HTTP_X_FORWARDED_FOR=said)) == address


def test_what_a_client_calls_itself_is_cut_and_printable():
    assert user_agent(request(HTTP_USER_AGENT="A\x00B\r\n" + "C" * 1000)) == "AB" + "C" * 298
