"""No webhook reaches an address that is not public, in whatever notation or by whatever answer of a name server."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from config.webhooks import addresses, sending
from config.webhooks.addresses import RefusedURL
from config.webhooks.sending import Message

from .conftest import Receiver

REFUSED = [
    # dotted, and whole networks that are not public
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
    "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    # other notations of IPv4
    "2130706433", "0x7f000001", "0x7F.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "0x0", "0xa.1",
    "0x7f.0x0.0x0.0x1", "0251.0376.0251.0376", "2852039166", "3232235521", "127.0.0.1.", "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1", "\uff10x7f.1", "127.0.0.1\uff0e", "127.0.0.\u00ad1",
    "127.0.0.\u200b1", "10.0.0.\u20601", "0X7F.1",
    # IPv6
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[fe80::1]", "[fc00::1]", "[fd12:3456::1]", "[fec0::1]", "[ff02::1]",
    "[2001:db8::1]", "[100::1]", "[::127.0.0.1]", "[64:ff9b:1::1]", "[5f00::1]", "[fd00:ec2::254]",
    "[fe80::5efe:a00:1]",
    # IPv4 inside IPv6: mapped, translated, NAT64, 6to4, Teredo
    "[::ffff:127.0.0.1]", "[::ffff:0:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::a00:1]", "[64:ff9b::169.254.169.254]", "[2002:7f00:1::]", "[2002:a00:1::1]",
    "[2002:a9fe:a9fe::]", "[2001:0:808:808:0:0:f5ff:fffe]", "[2001:0:7f00:1::]", "[2001:0:a00:1:0:0:f7f7:f7f7]",
]  # fmt: skip
PUBLIC = ["93.184.215.14", "8.8.8.8", "[2606:4700::1111]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "134744072"]


def is_address(host: str) -> bool:
    """Return whether a name server can answer with ``host``: other notations are only for URLs."""
    try:
        return bool(ip_address(host.strip("[]")))
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def allow_nothing(allow_loopback: None, settings: Any) -> None:
    settings.WEBHOOKS_ALLOWED_NETWORKS = []


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Replace the resolver, the only part that cannot be had for real: ``name_server([...], [...])`` sets its answers.

    Returns the list of names that were asked.
    """

    def install(*answers: list[str]) -> list[str]:
        asked: list[str] = []

        def resolve(host: str, port: int) -> list[addresses.Address]:
            asked.append(host)
            return [ip_address(each) for each in answers[min(len(asked), len(answers)) - 1]]

        monkeypatch.setattr(addresses, "resolve", resolve)
        return asked

    return install


def message(url: str) -> Message:
    return Message(url, "msg_1", b"{}", ["salt"])


def test_there_are_more_than_60_refused_addresses() -> None:
    assert len(set(REFUSED)) >= 60


@pytest.mark.parametrize("host", REFUSED)
def test_a_url_with_an_address_that_is_not_public_is_refused(host: str) -> None:
    with pytest.raises(RefusedURL):
        addresses.parse(f"https://{host}/hook")


@pytest.mark.parametrize("host", list(filter(is_address, REFUSED)))
def test_a_name_with_such_an_address_is_refused_when_it_is_resolved(
    host: str, name_server: Callable[..., list[str]]
) -> None:
    name_server([host.strip("[]")])
    outcome = sending.send(message("https://hooks.example.org/"))
    assert (outcome.status, outcome.error) == (None, str(addresses.RefusedAddress()))


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_are_allowed(host: str) -> None:
    target = addresses.parse(f"https://{host}:8443/hook?a=b")
    assert target.literal is not None
    assert (target.port, target.path) == (8443, "/hook?a=b")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "//example.org/", "example.org", "https:///path", "https://user@example.org/",
        "https://user:secret@example.org/", "https://@example.org/", "https://example.org/#part", "https://example.org#",
        "https://example.org:0/", "https://example.org:99999/", "https://example.org:port/", "https://exa mple.org/",
        "https://example.org\\@127.0.0.1/", "https://example.org/\r\nHost: a", "https://[::1", "https://[v1.a]/",
        "https://[fe80::1%25eth0]/", "https://%31%32%37.0.0.1/", "https://1.2.3.4.5/", "https://256.1.1.1/",
        "https://08.0.0.1/", "https://0xzz.1/", "https://127.0.0.1../", "https://.127.0.0.1/", "https://1.2.3.-1/",
        "https://a..b/", "https://-a.example/", "https://example.org/\u00e4",
        "https://\u2100.example/", "javascript:alert(1)", "https://" + "a." * 200 + "org/", "",
    ],
)  # fmt: skip
def test_a_url_that_is_not_exactly_a_web_address_is_refused(url: str) -> None:
    with pytest.raises(RefusedURL):
        addresses.parse(url)


def test_http_needs_a_setting(settings: Any) -> None:
    settings.WEBHOOKS_ALLOW_HTTP = False
    with pytest.raises(RefusedURL):
        addresses.parse("http://example.org/")
    assert addresses.parse("https://example.org/").port == 443
    assert addresses.parse("https://b\u00fccher.example/").host == "xn--bcher-kva.example"


def test_an_allowed_network_is_allowed_in_every_form(settings: Any) -> None:
    settings.WEBHOOKS_ALLOWED_NETWORKS = [ip_network("10.1.0.0/16")]
    for host in ("10.1.2.3", "[::ffff:10.1.2.3]", "0xa010203"):
        assert addresses.parse(f"https://{host}/").literal
    with pytest.raises(RefusedURL):
        addresses.parse("https://10.2.0.1/")


def test_one_bad_address_among_good_ones_refuses_the_name(name_server: Callable[..., list[str]]) -> None:
    name_server(["93.184.215.14", "10.0.0.1"])
    assert sending.send(message("https://hooks.example.org/")).error == str(addresses.RefusedAddress())


def test_the_name_is_resolved_once_and_the_checked_address_is_used(
    name_server: Callable[..., list[str]], receiver: Receiver, settings: Any
) -> None:
    """The second answer would be another server: a client that asks again for its connection would go there."""
    settings.WEBHOOKS_ALLOWED_NETWORKS = [ip_network("127.0.0.1/32")]
    asked = name_server(["127.0.0.1"], ["127.0.0.2"])
    url = f"http://hooks.example.org:{receiver.port}/hook"
    assert sending.send(message(url)).status == 204
    assert asked == ["hooks.example.org"]
    assert receiver.requests[0].headers["host"] == f"hooks.example.org:{receiver.port}"
    refused = sending.send(message(url))
    assert (refused.error, len(asked), len(receiver.requests)) == (str(addresses.RefusedAddress()), 2, 1)


def test_a_name_of_this_machine_is_refused_by_the_real_resolver(receiver: Receiver) -> None:
    outcome = sending.send(message(f"http://localhost:{receiver.port}/"))
    assert outcome.error == str(addresses.RefusedAddress())
    assert receiver.requests == []


def test_proxies_of_the_environment_are_not_used(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch, start_receiver: Callable[..., Receiver]
) -> None:
    settings.WEBHOOKS_ALLOWED_NETWORKS = [ip_network("127.0.0.1/32")]
    proxy = start_receiver()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    assert sending.send(message(receiver.url)).status == 204
    assert (len(receiver.requests), proxy.requests) == (1, [])
