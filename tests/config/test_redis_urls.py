"""URLs of Redis: Sentinels and TLS, for the cache and for Celery."""

import pytest

from config.redis_urls import celery_broker, parse_sentinel_url

SECURE = "rediss+sentinel://me:p%2Fw@[::1],two:26380/main/2?sentinel_password=other&ssl_ca_certs=/ca.pem"


def test_a_sentinel_url_names_sentinels_primary_and_database() -> None:
    found = parse_sentinel_url("redis+sentinel://one:1,two/main")
    assert (found.sentinels, found.primary, found.database) == ([("one", 1), ("two", 26379)], "main", 0)
    assert "ssl" not in found.options


def test_user_password_and_certificates_are_those_of_the_servers_and_sentinels_have_their_own_password() -> None:
    found = parse_sentinel_url(SECURE)
    assert found.sentinels == [("::1", 26379), ("two", 26380)]
    assert found.options == {"username": "me", "password": "p/w", "db": 2, "ssl_ca_certs": "/ca.pem", "ssl": True}
    assert found.sentinel_options.items() >= {"password": "other", "ssl_ca_certs": "/ca.pem", "ssl": True}.items()
    assert "username" not in found.sentinel_options


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://one:26379/", "redis+sentinel://one,/main/0", "redis+sentinel://one:0/main/0",
        "redis+sentinel://one:port/main/0", "redis+sentinel://one/main/zero", "redis://one/main/0",
    ],
)  # fmt: skip
def test_an_invalid_sentinel_url_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="need|cast"):
        parse_sentinel_url(url)


def test_celery_gets_every_sentinel_with_the_login_of_the_servers() -> None:
    url, options = celery_broker(SECURE)
    tls = "ssl_ca_certs=%2Fca.pem&ssl_cert_reqs=required"
    assert url == f"sentinel://me:p%2Fw@[::1]:26379/2?{tls};sentinel://me:p%2Fw@two:26380/2?{tls}"
    assert options["master_name"] == "main"
    assert options["sentinel_kwargs"].items() >= {"password": "other", "ssl": True}.items()


@pytest.mark.parametrize(
    "url, expected",
    [
        ("rediss://host/1", "rediss://host/1?ssl_cert_reqs=required"),
        ("rediss://host/1?ssl_ca_certs=/ca.pem", "rediss://host/1?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required"),
        ("rediss://host/1?ssl_cert_reqs=none", "rediss://host/1?ssl_cert_reqs=none"),
        ("redis://host/1", "redis://host/1"),
        ("amqp://a//;amqp://b//", "amqp://a//;amqp://b//"),
    ],
)
def test_celery_verifies_certificates_unless_the_url_says_otherwise(url: str, expected: str) -> None:
    assert celery_broker(url) == (expected, {})
