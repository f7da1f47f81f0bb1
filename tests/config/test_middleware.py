"""What every answer has, whoever gives it: a view, the cache, a middleware, the outage of Postgres."""

import logging
import re

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from prometheus_client import REGISTRY

from config.csp import PolicyMiddleware
from tests.factories import PASSWORD, UserFactory

TRENDS = "/api/v1/trends/"
ANSWERS = {
    "a page": ("/", {}),
    "a view of the API": ("/api/v1/auth/profile/", {}),
    "what was kept": (TRENDS, {}),
    "a redirect to the slash": ("/login", {}),
    "nothing": ("/nowhere/", {}),
    "a host that is not ours": ("/", {"HTTP_HOST": "evil.example"}),
}


@pytest.fixture
def kept(api):
    """The trends' list, kept by a first read."""
    return api.get(TRENDS)


@pytest.mark.parametrize("path, headers", ANSWERS.values(), ids=ANSWERS)
def test_every_answer_has_the_security_headers_and_its_id(api, kept, path, headers):
    answer = api.get(path, **headers)
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Request-ID"]
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_a_kept_answer_has_the_headers_of_a_made_one(api, kept):
    again = api.get(TRENDS)
    assert again.content == kept.content
    own = {"X-Request-ID", "Vary", "Allow"}  # nobody looked at a cookie; what else may be asked is the view's to say
    assert {n: v for n, v in again.items() if n not in own} == {n: v for n, v in kept.items() if n not in own}
    assert "Accept-Encoding" in again["Vary"]


def test_a_kept_answer_tells_other_sites_whether_they_may_read_it(api, kept, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
    answer = api.get(TRENDS, HTTP_ORIGIN="https://app.example.org")
    assert answer["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert "origin" in answer["Vary"]


class TestPolicies:
    def test_it_is_the_settings_one(self, api, settings):
        assert "frame-ancestors 'none'" in api.get("/")["Content-Security-Policy"]
        settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"default-src": ["'none'"], "img-src": ["example.org"]}}
        assert "img-src example.org" in api.get("/")["Content-Security-Policy"]

    def test_the_admin_has_its_own(self, client, staff):
        client.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
        policy = client.get("/admin/")["Content-Security-Policy"]
        assert "'unsafe-eval'" in policy
        assert "script-src 'self' 'unsafe-eval'" in policy

    def test_so_has_a_view_that_asks_for_one(self, api):
        assert "worker-src" in api.get("/swagger/")["Content-Security-Policy"]

    def test_one_that_a_view_has_set_itself_stands(self, rf):
        def view(request):
            return HttpResponse(headers={"Content-Security-Policy": "sandbox"})

        assert PolicyMiddleware(view)(rf.get("/"))["Content-Security-Policy"] == "sandbox"


def lines(caplog):
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in found if line["event"] == "request_finished"]


@pytest.mark.django_db
class TestLogLines:
    def test_they_say_who_asked_for_what_from_where_and_how_it_ended(self, api, user, caplog):
        with caplog.at_level(logging.INFO):
            api.as_user(user).get("/api/v1/auth/profile/")
        (line,) = lines(caplog)
        assert (line["request"], line["code"], line["user_id"]) == ("GET /api/v1/auth/profile/", 200, user.pk)
        assert line["ip"] == "127.0.0.1"
        assert 0 < line["ms"] < 60_000

    def test_what_was_kept_has_its_line_too(self, api, kept, caplog):
        with caplog.at_level(logging.INFO):
            api.get(TRENDS)
        assert [(line["request"], line["code"], line["user_id"]) for line in lines(caplog)] == [
            ("GET /api/v1/trends/", 200, None)
        ]

    def test_a_page_names_whom_its_cookie_signs_in(self, client, user, caplog):
        client.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
        with caplog.at_level(logging.INFO):
            assert client.get("/account/").status_code == 200
        assert [line["user_id"] for line in lines(caplog)] == [user.pk]

    def test_the_address_is_not_one_that_the_client_made_up(self, api, caplog):
        with caplog.at_level(logging.INFO):
            api.get("/robots.txt", HTTP_X_FORWARDED_FOR="203.0.113.9")
        assert [line["ip"] for line in lines(caplog)] == ["127.0.0.1"]


def counted(name, **labels):
    return REGISTRY.get_sample_value(f"django_http_{name}", labels) or 0


@pytest.mark.django_db
class TestFigures:
    def test_what_was_kept_counts_as_its_view_s(self, api, kept):
        labels = {"view": "trend-list", "method": "GET"}
        names = {
            "requests_total_by_view_transport_method_total": {**labels, "transport": "http"},
            "responses_total_by_status_view_method_total": {**labels, "status": "200"},
            "requests_latency_seconds_by_view_method_count": labels,
        }
        before = {name: counted(name, **of) for name, of in names.items()}
        api.get(TRENDS)
        assert {name: counted(name, **of) - before[name] for name, of in names.items()} == dict.fromkeys(names, 1)

    def test_made_up_methods_and_addresses_make_no_new_series(self, api):
        labels = {"view": "<unnamed view>", "method": "<invalid method>", "status": "404"}
        before = counted("responses_total_by_status_view_method_total", **labels)
        api.generic("MADEUP", "/nowhere/1/")
        api.generic("OTHER", "/nowhere/2/")
        assert counted("responses_total_by_status_view_method_total", **labels) == before + 2

    def test_a_view_that_fails_is_counted_with_what_it_raised(self, api, monkeypatch):
        def failing(request):
            raise ZeroDivisionError

        monkeypatch.setattr("config.health.metrics.__code__", failing.__code__)
        before = counted("exceptions_total_by_type_total", type="ZeroDivisionError")
        assert api.get("/metrics/").status_code == 500
        assert counted("exceptions_total_by_type_total", type="ZeroDivisionError") == before + 1

    def test_the_page_of_figures_has_the_names_that_dashboards_ask_for(self, api):
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


class Broken:
    """A middleware for which Postgres is away."""

    def __init__(self, get_response):
        pass

    def __call__(self, request):
        raise OperationalError("could not connect to server")


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_an_outage_that_a_middleware_meets_is_503(api, settings, accept):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.config.test_middleware.Broken"]
    answer = api.get("/login/", HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"].startswith(accept)
    assert answer["Content-Security-Policy"]


@pytest.mark.django_db
def test_a_signed_in_reader_of_a_page_costs_the_log_no_query(client, django_assert_num_queries, caplog):
    user = UserFactory()
    client.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    with caplog.at_level(logging.INFO), django_assert_num_queries(0):
        client.get("/favicon.ico")
    assert [line["user_id"] for line in lines(caplog)] == [None]


def test_an_address_without_its_slash_leads_there_with_the_request_s_method_and_body(api, user):
    answer = api.post("/api/v1/auth/login", {"username": user.username, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (308, "/api/v1/auth/login/")
    followed = api.post("/api/v1/auth/login", {"username": user.username, "password": PASSWORD}, follow=True)
    assert followed.status_code == 200
    assert followed.json()["access"]
