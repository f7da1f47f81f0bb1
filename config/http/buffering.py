"""Run Django's WSGI application behind a buffer: a client that sends or reads slowly holds no thread.

The web process serves ``application`` as ASGI. The event loop receives the whole request body before a thread runs
Django, and sends the response after Django has finished it. The reasons are in docs/decisions/front-server.md.
"""

import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from config.client_ip import client_ip, network
from config.logs import sane_request_id

from .content_type import problem_with

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

logger = structlog.get_logger(__name__)
django: Callable[..., Any] = get_wsgi_application()
_ = get_resolver().url_patterns  # otherwise the first request waits until all views are imported

MEMORY = 1_000_000  # bytes of a body or response kept in memory; a larger one goes to a temporary file
CHUNK = 65_536  # bytes
LARGE_PER_CLIENT = 8  # bodies above MEMORY that one client sends at the same time
# The largest body: the largest file, and its multipart frame.
MAX_BODY = 2_000_000 + max(settings.NOTES_IMPORT_MAX_MB * 2**20, settings.TRENDS_MAX_UPLOAD, settings.CONTACT_MAX_BYTES)
MAX_DIGITS = 18  # of a Content-Length that fits into 64 bits
WAITING = 2000  # requests that are received and wait for a thread
FOLDER = str(settings.ATRIUM_HOME / "tmp")


class Refused(Exception):
    """The request is answered without Django."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status, self.code, self.detail = status, code, detail


class Disconnected(Exception):
    """The client closed the connection."""


class FileWrapper:
    """An open file as a response, sent without a copy (``wsgi.file_wrapper`` of PEP 3333)."""

    def __init__(self, file: Any, size: int = CHUNK) -> None:
        self.close = file.close
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.file.read(CHUNK), b"")


@dataclass
class Response:
    """A complete response. ``body`` is bytes, or a file that ``body.close()`` closes."""

    status: int = 500
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | FileWrapper = b""

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status, self.headers = int(status[:3]), headers


class Spool:
    """Limits what bodies above MEMORY take: files per client, and bytes of all clients together."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.size = 0

    def add(self, client: str, size: int, *, new: bool) -> None:
        if new and self.files[client] >= LARGE_PER_CLIENT:
            raise Refused(429, "throttled", "You are sending too many large files. Wait until one is complete.")
        if self.size + size > settings.WEB_SPOOL_MB * 1_000_000:
            raise Refused(503, "service_unavailable", "The server is receiving too many large files.")
        self.files[client] += new
        self.size += size

    def remove(self, client: str, size: int) -> None:
        self.size -= size
        self.files[client] -= 1
        self.files += Counter()  # drops zeros


def _temporary_file() -> Any:
    os.makedirs(FOLDER, mode=0o700, exist_ok=True)
    return tempfile.SpooledTemporaryFile(MEMORY, dir=FOLDER)


class Body:
    """A request body, received completely before it is read."""

    def __init__(self, spool: Spool, client: str) -> None:
        self.spool, self.client = spool, client
        self.file: Any = tempfile.SpooledTemporaryFile(MEMORY, dir=FOLDER)  # noqa: SIM115  closed by `close`
        self.size = self.spooled = 0

    async def receive(self, receive: Receive) -> None:
        """Receive the body; raises Refused and Disconnected."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(settings.WEB_BODY_SECONDS) as limit:
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Disconnected
                    self._write(message.get("body", b""))
                    if not message.get("more_body"):
                        break
                    limit.reschedule(started + settings.WEB_BODY_SECONDS * (1 + self.size // MEMORY))
        except TimeoutError:
            raise Refused(408, "timeout", "The request body did not arrive in time.") from None
        self.file.seek(0)

    def _write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > MAX_BODY:
            raise Refused(413, "payload_too_large", f"The request body is larger than {MAX_BODY:,} bytes.")
        if self.size > MEMORY:
            new = not self.spooled
            added = self.size if new else len(chunk)
            self.spool.add(self.client, added, new=new)
            self.spooled += added
        try:
            if self.spooled:
                os.makedirs(FOLDER, mode=0o700, exist_ok=True)
            self.file.write(chunk)
        except OSError as error:  # the disk is full
            logger.warning("body_not_stored", reason=str(error))
            raise Refused(503, "service_unavailable", "The server has no space for the request body.") from error

    def close(self) -> None:
        self.file.close()
        if self.spooled:
            self.spool.remove(self.client, self.spooled)


class Turns:
    """Decides which requests run: at most half of the threads for one client, so that others find one."""

    def __init__(self) -> None:
        self.limit = max(1, settings.WEB_THREADS // 2)
        self.gates: dict[str, asyncio.Semaphore] = {}
        self.requests: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait until a request of ``client`` may run; raises Refused if too many requests wait."""
        if self.requests.total() >= WAITING:
            raise Refused(503, "service_unavailable", "The server is busy. Please try again.")
        gate = self.gates.setdefault(client, asyncio.Semaphore(self.limit))
        self.requests[client] += 1
        try:
            async with gate:
                yield
        finally:
            self.requests[client] -= 1
            if not self.requests[client]:
                del self.requests[client], self.gates[client]


pool = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="web")
spool, turns = Spool(), Turns()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request."""
    meta = _environ(scope)
    request: Any = SimpleNamespace(META=meta)
    body = Body(spool, network(client_ip(request)))
    try:
        if problem := problem_with(meta.get("CONTENT_TYPE", "")):
            raise Refused(400, "parse_error", problem)
        if len(meta.get("CONTENT_LENGTH", "")) > MAX_DIGITS:  # Django's own checks would fail
            raise Refused(413, "payload_too_large", f"The request body is larger than {MAX_BODY:,} bytes.")
        if _has_body(meta) and not _is_too_large(meta):  # Django answers those by their length alone
            await body.receive(receive)
        meta["wsgi.input"] = body.file
        async with turns.turn(_client_key(meta) or body.client):
            response = await _in_thread(_call_django, meta)
    except Refused as refusal:
        logger.info("request_refused", code=refusal.status, reason=refusal.code, ip=body.client)
        response = _error(refusal, meta)
    except Disconnected:
        return
    finally:
        body.close()
    try:
        await _send(response, send, head=scope["method"] == "HEAD")
    finally:
        if isinstance(response.body, FileWrapper):
            await _in_thread(response.body.close)


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)


async def _send(response: Response, send: Send, *, head: bool) -> None:
    """Send the response; raises TimeoutError, which closes the connection, if the client does not accept it in time."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = response.body
    if head or (isinstance(body, bytes) and len(body) <= CHUNK):
        return await send({"type": "http.response.body", "body": b"" if head else body})
    for chunk in _chunks(body) if isinstance(body, bytes) else body:
        async with asyncio.timeout(settings.WEB_SEND_SECONDS):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _chunks(content: bytes) -> Iterator[bytes]:
    return (content[start : start + CHUNK] for start in range(0, len(content), CHUNK))


def _environ(scope: Scope) -> dict[str, Any]:
    """Return the WSGI environment of an ASGI request."""
    client, server = scope.get("client") or ("", 0), scope.get("server") or ("", 0)
    meta: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:  # "X_Forwarded_For" would replace "X-Forwarded-For"
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        key = name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
        separator = "; " if name == "COOKIE" else ","
        meta[key] = f"{meta[key]}{separator}{value}" if key in meta else value
    return meta


def _has_body(meta: dict[str, Any]) -> bool:
    return meta.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in meta


def _is_too_large(meta: dict[str, Any]) -> bool:
    length = meta.get("CONTENT_LENGTH", "")
    return length.isdecimal() and int(length) > MAX_BODY


def _client_key(meta: dict[str, Any]) -> str:
    """Return what identifies a signed-in client: its token or its session cookie."""
    cookies = meta.get("HTTP_COOKIE", "")
    session = re.search(rf"\b{settings.SESSION_COOKIE_NAME}=([^;]+)", cookies)
    return meta.get("HTTP_AUTHORIZATION") or (session[1] if session else "")


def _call_django(meta: dict[str, Any]) -> Response:
    """Run Django and return the complete response. An error in a streamed response is an error, not a short file."""
    response = Response()
    result = django(meta, response.start)
    if isinstance(result, FileWrapper):
        response.body = result
        return response
    try:
        if not getattr(result, "streaming", False):
            response.body = b"".join(result)
            return response
        collected = _temporary_file()
        try:
            collected.writelines(result)
        except BaseException:
            collected.close()
            raise
        collected.seek(0)
        response.body = FileWrapper(collected)
        return response
    except Exception:
        logger.exception("response_failed", request=f"{meta['REQUEST_METHOD']} {meta['PATH_INFO']}")
        return _error(Refused(500, "error", "A server error occurred."), meta)
    finally:
        result.close()


def _error(refusal: Refused, meta: dict[str, Any]) -> Response:
    """Return an error in the shape of the API."""
    kind = "server_error" if refusal.status >= 500 else "client_error"
    error = {"code": refusal.code, "detail": refusal.detail, "attr": None}
    headers = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
        ("X-Request-ID", sane_request_id(meta.get("HTTP_X_REQUEST_ID", ""))),
    ]
    if refusal.status in (429, 503):
        headers.append(("Retry-After", "5"))
    return Response(refusal.status, headers, json.dumps({"type": kind, "errors": [error]}).encode())
