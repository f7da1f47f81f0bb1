"""Headers, log lines and metrics of every response: from a view, the cache, a middleware or an outage."""

import logging
import re
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path
from prometheus_client import REGISTRY

from accounts.models import User
from config import urls
from config.http.csp import ContentSecurityPolicyMiddleware
from tests.conftest import Client
from tests.factories import PASSWORD, UserFactory

TRENDS = "/api/v1/trends/"
RESPONSES = {
    "a page": ("/", {}),
    "an API view": ("/api/v1/auth/profile/", {}),
    "a cached read": (TRENDS, {}),
    "a redirect": ("/login", {}),
    "a 404": ("/nowhere/", {}),
    "an unknown host": ("/", {"HTTP_HOST": "evil.example"}),
}


@pytest.fixture
def cached(api: Client) -> Any:
    """The first read of the list of trends, which caches it."""
    return api.get(TRENDS)


@pytest.mark.parametrize("url, headers", RESPONSES.values(), ids=RESPONSES)
def test_every_response_has_security_headers_and_a_request_id(
    api: Client, cached: Any, url: str, headers: dict[str, Any]
) -> None:
    response = api.get(url, **headers)
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["X-Request-ID"]
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_a_cached_response_has_the_headers_of_a_new_one(api: Client, cached: Any) -> None:
    again = api.get(TRENDS)
    assert again.content == cached.content
    own = {"X-Request-ID", "Vary", "Allow"}  # the cookie was not read; only the view knows its methods
    assert {n: v for n, v in again.items() if n not in own} == {n: v for n, v in cached.items() if n not in own}
    assert "Accept-Encoding" in again["Vary"]


def test_a_cached_response_has_cors_headers(api: Client, cached: Any, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
    response = api.get(TRENDS, HTTP_ORIGIN="https://app.example.org")
    assert response["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert "origin" in response["Vary"]


class TestContentSecurityPolicy:
    def test_a_page_has_the_policy_of_the_settings(self, api: Client, settings: Any) -> None:
        assert "frame-ancestors 'none'" in api.get("/")["Content-Security-Policy"]
        settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"default-src": ["'none'"], "img-src": ["example.org"]}}
        assert "img-src example.org" in api.get("/")["Content-Security-Policy"]

    def test_the_admin_has_its_own(self, client: Any, staff: User) -> None:
        client.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
        policy = client.get("/admin/")["Content-Security-Policy"]
        assert "'unsafe-eval'" in policy
        assert "script-src 'self' 'unsafe-eval'" in policy

    def test_a_view_can_extend_the_policy(self, api: Client) -> None:
        assert "worker-src" in api.get("/swagger/")["Content-Security-Policy"]

    def test_a_policy_set_by_a_view_is_kept(self, rf: Any) -> None:
        def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse(headers={"Content-Security-Policy": "sandbox"})

        assert ContentSecurityPolicyMiddleware(view)(rf.get("/"))["Content-Security-Policy"] == "sandbox"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in found if line["event"] == "request_finished"]


@pytest.mark.django_db
class TestLogLines:
    def test_a_line_has_request_status_user_address_and_duration(
        self, api: Client, user: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            api.as_user(user).get("/api/v1/auth/profile/")
        (line,) = lines(caplog)
        assert (line["request"], line["code"], line["user_id"]) == ("GET /api/v1/auth/profile/", 200, user.pk)
        assert line["ip"] == "127.0.0.1"
        assert 0 < line["ms"] < 60_000

    def test_a_cached_read_has_a_line(self, api: Client, cached: Any, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            api.get(TRENDS)
        assert [(line["request"], line["code"], line["user_id"]) for line in lines(caplog)] == [
            ("GET /api/v1/trends/", 200, None)
        ]

    def test_the_line_of_a_page_has_the_id_of_the_session_s_user(
        self, client: Any, user: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        client.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
        with caplog.at_level(logging.INFO):
            assert client.get("/account/").status_code == 200
        assert [line["user_id"] for line in lines(caplog)] == [user.pk]

    def test_a_forged_forwarding_header_does_not_change_the_address(
        self, api: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            api.get("/robots.txt", HTTP_X_FORWARDED_FOR="203.0.113.9")
        assert [line["ip"] for line in lines(caplog)] == ["127.0.0.1"]


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"django_http_{name}", labels) or 0


@pytest.mark.django_db
class TestMetrics:
    def test_a_cached_read_counts_for_its_view(self, api: Client, cached: Any) -> None:
        labels = {"view": "trend-list", "method": "GET"}
        names = {
            "requests_total_by_view_transport_method_total": {**labels, "transport": "http"},
            "responses_total_by_status_view_method_total": {**labels, "status": "200"},
            "requests_latency_seconds_by_view_method_count": labels,
        }
        before = {name: metric(name, **of) for name, of in names.items()}
        api.get(TRENDS)
        assert {name: metric(name, **of) - before[name] for name, of in names.items()} == dict.fromkeys(names, 1)

    def test_unknown_methods_and_paths_create_no_new_series(self, api: Client) -> None:
        labels = {"view": "<unnamed view>", "method": "<invalid method>", "status": "404"}
        before = metric("responses_total_by_status_view_method_total", **labels)
        api.generic("MADEUP", "/nowhere/1/")
        api.generic("OTHER", "/nowhere/2/")
        assert metric("responses_total_by_status_view_method_total", **labels) == before + 2

    def test_an_exception_in_a_view_is_counted_by_its_type(self, api: Client, settings: Any) -> None:
        settings.ROOT_URLCONF = __name__
        before = metric("exceptions_total_by_type_total", type="ZeroDivisionError")
        assert api.get("/fails/").status_code == 500
        assert metric("exceptions_total_by_type_total", type="ZeroDivisionError") == before + 1

    def test_the_metrics_page_has_the_names_that_dashboards_use(self, api: Client) -> None:
        api.get("/login/")
        text = api.get("/metrics/").content.decode()
        for name in (
            "django_http_requests_before_middlewares_total", "django_http_responses_before_middlewares_total",
            "django_http_requests_latency_including_middlewares_seconds_bucket",
            "django_http_requests_latency_seconds_by_view_method_bucket", "django_http_requests_total_by_method_total",
            "django_http_responses_total_by_status_total", "django_http_responses_total_by_templatename_total",
            "django_http_requests_body_total_bytes_bucket", "django_http_responses_body_total_bytes_bucket",
            "django_http_responses_total_by_charset_total", "django_db_execute_total",
        ):  # fmt: skip
            assert re.search(rf"^{name}\b", text, re.MULTILINE), name


def fails(request: HttpRequest) -> NoReturn:
    raise ZeroDivisionError


urlpatterns = [path("fails/", fails), *urls.urlpatterns]
handler500 = urls.handler500


class FailingMiddleware:
    """A middleware that cannot reach Postgres."""

    def __init__(self, get_response: Callable[..., Any]) -> None:
        pass

    def __call__(self, request: HttpRequest) -> NoReturn:
        raise OperationalError("could not connect to server")


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_an_outage_in_a_middleware_is_503(api: Client, settings: Any, accept: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.config.test_middleware.FailingMiddleware"]
    response = api.get("/login/", HTTP_ACCEPT=accept)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response["Content-Type"].startswith(accept)
    assert response["Content-Security-Policy"]


@pytest.mark.django_db
def test_the_log_line_costs_no_query(
    client: Any, django_assert_num_queries: Any, caplog: pytest.LogCaptureFixture
) -> None:
    user = UserFactory()
    client.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    with caplog.at_level(logging.INFO), django_assert_num_queries(0):
        client.get("/favicon.ico")
    assert [line["user_id"] for line in lines(caplog)] == [None]


def test_the_redirect_to_the_slash_keeps_method_and_body(api: Client, user: User) -> None:
    response = api.post("/api/v1/auth/login", {"username": user.username, "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (308, "/api/v1/auth/login/")
    followed = api.post("/api/v1/auth/login", {"username": user.username, "password": PASSWORD}, follow=True)
    assert followed.status_code == 200
    assert followed.json()["access"]


@pytest.mark.django_db
class TestTokens:
    def test_a_request_with_a_token_skips_the_middlewares_of_cookie_sessions(
        self, signed_in: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> NoReturn:
            raise AssertionError("the middleware ran")

        monkeypatch.setattr(SessionMiddleware, "process_request", refuse)
        response = signed_in.patch("/api/v1/auth/profile/", {"first_name": "Ada"}, format="json")
        assert (response.status_code, response.json()["first_name"]) == (200, "Ada")

    def test_a_view_for_cookies_does_not_accept_a_token(self, signed_in: Client) -> None:
        response = signed_in.post("/api/v1/auth/token/from-session/")
        assert response.status_code == 401
