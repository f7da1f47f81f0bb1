"""Sends one message: one POST to one checked address, within a time limit."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from . import addresses, signing
from .addresses import Address, Target

SECONDS = 15  # for everything: name, connection, request, response
CONNECT_SECONDS = 5  # for each address
MAX_READ = 64 * 1024  # bytes of a response
GONE = 410


@dataclass(frozen=True)
class Message:
    """What is sent where; ``salts`` are those of the secrets that sign it."""

    url: str
    message_id: str
    body: bytes
    salts: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. ``error`` is empty if the receiver accepted the message with a 2xx status."""

    status: int | None
    duration_ms: int
    error: str = ""


class _Pinned(http.client.HTTPConnection):
    """A connection to given addresses; the host's name is only used for ``Host`` and for TLS.

    It uses no proxy and follows no redirect. A timer ends it after ``SECONDS``: the timeout of a socket starts again
    with every byte.
    """

    def __init__(self, target: Target, found: Sequence[Address], deadline: float) -> None:
        super().__init__(target.host, target.port)
        self.default_port = 443 if target.is_https else 80  # the port that Host leaves out
        self.found, self.is_https, self.deadline = found, target.is_https, deadline
        self.expired = False
        self.timer = threading.Timer(self._remaining(), self._expire)
        self.timer.daemon = True

    def connect(self) -> None:
        self.timer.start()
        self.sock = self._connect_to_first()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(self._remaining())
        if self.is_https:
            # Stored before the handshake, so that the timer can end that, too.
            self.sock = _tls().wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()

    def close(self) -> None:
        self.timer.cancel()
        super().close()

    def _connect_to_first(self) -> socket.socket:
        failure: OSError = OSError("The name has no address.")
        for address in self.found:
            try:
                seconds = min(CONNECT_SECONDS, self._remaining())
                return socket.create_connection((str(address), self.port), timeout=seconds)
            except OSError as error:
                failure = error
        raise failure

    def _remaining(self) -> float:
        return max(self.deadline - time.monotonic(), 0.01)

    def _expire(self) -> None:
        self.expired = True
        sock = self.sock
        if sock is not None:
            with suppress(OSError):  # it may be closed already
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # wakes the thread that reads or writes


def send(message: Message) -> Outcome:
    """Send ``message`` once. Never raises: whatever goes wrong is the outcome."""
    started = time.monotonic()
    status, error = _attempt(message, started + SECONDS)
    return Outcome(status, round((time.monotonic() - started) * 1000), error)


def _attempt(message: Message, deadline: float) -> tuple[int | None, str]:
    """Return the status of the response, if there was one, and the error."""
    try:
        target = addresses.parse(message.url)
        found = addresses.addresses_of(target)
    except addresses.RefusedURL as error:  # the settings have changed since the registration
        return None, str(error)
    except addresses.RefusedAddress as error:
        return None, str(error)
    except (OSError, ValueError):
        return None, "The host name could not be resolved."
    connection = _Pinned(target, found, deadline)
    try:
        status = _post(connection, target, message)
    except (OSError, http.client.HTTPException, ValueError) as error:
        expired = connection.expired or isinstance(error, TimeoutError)
        return None, f"No complete answer within {SECONDS} seconds." if expired else _describe(error)
    finally:
        connection.close()
    if connection.expired:
        return None, f"No complete answer within {SECONDS} seconds."
    if 200 <= status < 300:
        return status, ""
    redirect = " Redirects are not followed." if 300 <= status < 400 else ""
    return status, f"The receiver answered {status}.{redirect}"


def _post(connection: _Pinned, target: Target, message: Message) -> int:
    timestamp = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Atrium-Webhooks/1",
        "Connection": "close",
        **signing.headers(message_id=message.message_id, timestamp=timestamp, body=message.body, salts=message.salts),
    }
    connection.request("POST", target.path, message.body, headers)
    response = connection.getresponse()
    response.read(MAX_READ)
    return response.status


def _describe(error: Exception) -> str:
    """Return the error as its owner sees it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is invalid: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return "The TLS connection failed."
    if isinstance(error, ConnectionRefusedError):
        return "The connection was refused."
    if isinstance(error, http.client.HTTPException | ConnectionError):
        return "The receiver closed the connection or answered something that is not HTTP."
    return "The connection failed."


@cache
def _tls() -> ssl.SSLContext:
    """Return the settings of TLS with the certificates of the system, which take 10 ms to load."""
    return ssl.create_default_context()
