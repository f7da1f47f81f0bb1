"""The buffer between the ASGI server and Django: bodies first, responses complete, each client its share."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config import urls as config_urls
from config.http import buffering


@csrf_exempt
def echo(request: HttpRequest, name: str) -> HttpResponse:
    names = ("HTTP_X_FORWARDED_FOR", "HTTP_COOKIE", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR")
    return HttpResponse(json.dumps({"length": len(request.body), **{name: request.META.get(name) for name in names}}))


def broken(request: HttpRequest) -> StreamingHttpResponse:
    def content() -> Iterator[bytes]:
        yield b"first part"
        raise ValueError("broken")

    return StreamingHttpResponse(content())


def large(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(b"x" * 100_000 for _ in range(30))


urlpatterns = [*config_urls.urlpatterns, path("echo/<str:name>/", echo), path("broken/", broken), path("large/", large)]


@pytest.fixture(autouse=True)
def urls(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = __name__
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 50_000_000


def request(target: str, *chunks: bytes, headers: dict[str, str] | None = None, method: str = "POST") -> Any:
    """Send a request whose body arrives in ``chunks``; return (status, headers, body)."""
    name, _, query = target.partition("?")
    sent = {"host": "testserver", "content-length": str(sum(map(len, chunks))), **(headers or {})}
    scope = {
        "type": "http", "method": method, "raw_path": name.encode(), "query_string": query.encode(), "scheme": "http",
        "http_version": "1.1", "client": ("192.0.2.7", 1), "server": ("127.0.0.1", 80),
        "headers": [(key.encode(), value.encode()) for key, value in sent.items()],
    }  # fmt: skip
    waiting, answers = list(chunks) or [b""], []

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.sleep(3600)
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting) or body == b"half"}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    asyncio.run(buffering.application(scope, receive, send))
    fields = {key.decode(): value.decode() for key, value in answers[0]["headers"]}
    return answers[0]["status"], fields, b"".join(message["body"] for message in answers[1:])


def test_a_body_in_parts_reaches_django_as_one() -> None:
    status, _, body = request("/echo/x/", b"a" * 700_000, b"b" * 700_000, b"c")
    assert (status, json.loads(body)["length"]) == (200, 1_400_001)
    assert (buffering.spool.size, dict(buffering.spool.files)) == (0, {})


@pytest.mark.parametrize(
    "value",
    [
        "application/json; charset*=nothing''x", "text/plain; a*0=b; a*=c", "application/json; charset=base64",
        "text/plain; charset=undefined", "multipart/form-data; boundary=b; charset=utf-16",
        "text/plain; charset=unicode_escape",
    ],
)  # fmt: skip
def test_a_content_type_that_django_cannot_use_is_400(value: str) -> None:
    status, _, body = request("/echo/x/?a=%41", b"{}", headers={"content-type": value})
    assert (status, json.loads(body)["errors"][0]["code"]) == (400, "parse_error")


@pytest.mark.parametrize("charset", ["ISO-8859-1", "utf8mb4", '"UTF-8"'])
def test_a_content_type_with_a_charset_like_ascii_is_accepted(charset: str) -> None:
    headers = {"content-type": f"application/json; charset={charset}"}
    assert request("/echo/x/?a=%41", b"{}", headers=headers)[0] == 200


@pytest.mark.parametrize("digits", [19, 30, 5000])
def test_a_length_of_more_than_64_bits_is_413(digits: int) -> None:
    status, _, body = request("/echo/x/", b"{}", headers={"content-length": "9" * digits})
    assert (status, json.loads(body)["errors"][0]["code"]) == (413, "payload_too_large")


def test_the_path_is_decoded_and_the_query_is_not() -> None:
    _, _, body = request("/echo/%C3%A9%20x/?q=%C3%A9")
    assert json.loads(body)["PATH_INFO"] == "/echo/é x/"
    assert json.loads(body)["QUERY_STRING"] == "q=%C3%A9"


def test_header_names_with_an_underscore_are_ignored() -> None:
    _, _, body = request("/echo/x/", headers={"x_forwarded_for": "203.0.113.9"})
    assert json.loads(body)["HTTP_X_FORWARDED_FOR"] is None


def test_an_incomplete_body_is_answered_with_408(settings: Any) -> None:
    settings.WEB_BODY_SECONDS = 0.2
    status, headers, body = request("/echo/x/", b"half", headers={"content-length": "400"})
    assert (status, headers["connection"], json.loads(body)["errors"][0]["code"]) == (408, "close", "timeout")


def test_a_streamed_response_that_fails_is_an_error_and_not_cut_short() -> None:
    status, _, body = request("/broken/", method="GET")
    assert (status, json.loads(body)["errors"][0]["code"]) == (500, "error")


def test_a_large_response_is_complete() -> None:
    status, _, body = request("/large/", method="GET")
    assert (status, len(body)) == (200, 3_000_000)


def test_head_has_no_body() -> None:
    status, _, body = request("/large/", method="HEAD")
    assert (status, body) == (200, b"")


def test_one_client_may_not_fill_the_disk(settings: Any) -> None:
    settings.WEB_SPOOL_MB = 1
    status, headers, _ = request("/echo/x/", b"a" * 900_000, b"b" * 900_000)
    assert (status, headers["retry-after"]) == (503, "5")


def test_one_client_uses_at_most_half_of_the_threads() -> None:
    async def scenario() -> list[str]:
        turns, order = buffering.Turns(), []

        async def ask(client: str) -> None:
            async with turns.turn(client):
                order.append(client)
                await asyncio.sleep(0.05)

        flood = [asyncio.create_task(ask("flood")) for _ in range(turns.limit + 1)]
        await asyncio.sleep(0)
        await ask("other")
        await asyncio.gather(*flood)
        assert not turns.requests
        return order

    order = asyncio.run(scenario())
    assert order[-2:] == ["other", "flood"]
