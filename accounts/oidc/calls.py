"""HTTP requests to the provider, limited in time, size and number: a slow provider must not hold the web threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as CallTimeout
from typing import Any, TypeVar

import requests
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

logger = structlog.get_logger(__name__)

Result = TypeVar("Result")

TOTAL_SECONDS = 10.0  # of one step of a sign-in, with all its requests
CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0
MAX_BYTES = 500_000  # of one answer
MAX_CALLS = 4  # in one process at the same time

# In threads of their own, because the time limits of sockets do not end an answer that trickles.
_threads = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="oidc")
_free = threading.BoundedSemaphore(MAX_CALLS)


class ProviderError(Exception):
    """The sign-in failed at the provider's side. ``reason`` is a word for the log, never text of the provider."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderUnavailable(ProviderError):
    """The provider does not answer, or not in time."""


class InvalidAnswer(ProviderError):
    """The provider's answer is not what the protocol demands, so it proves nothing."""


class CodeRefused(ProviderError):
    """The provider does not accept the code: it is wrong, used or too old."""


class Client(OAuth2Session):
    """Authlib's client with limits; it follows no redirects."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        options.update(timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False, stream=True)
        response = super().send(request, **options)
        body = bytearray()
        for chunk in response.iter_content(16_384):
            body += chunk
            if len(body) > MAX_BYTES:
                raise InvalidAnswer("answer_too_large")
        response._content = bytes(body)
        return response


def get_json(client: Client, url: str, **headers: str) -> dict[str, Any]:
    """Return the JSON object at ``url``; raises InvalidAnswer, or an error of requests."""
    response = client.get(url, headers={"Accept": "application/json", **headers}, withhold_token=True)
    if response.status_code >= 500:
        raise ProviderUnavailable("server_error")
    if response.status_code != 200:
        raise InvalidAnswer("unexpected_status")
    document = response.json()
    if not isinstance(document, dict):
        raise InvalidAnswer("not_an_object")
    return document


def limited(call: Callable[[], Result]) -> Result:
    """Run ``call`` within TOTAL_SECONDS; raises ProviderError for whatever goes wrong in it.

    Every other exception comes from what the provider sent: answers can be wrong in more ways than libraries name.
    """
    if not _free.acquire(blocking=False):
        raise ProviderUnavailable("too_many_sign_ins")
    try:
        return _threads.submit(call).result(TOTAL_SECONDS)
    except CallTimeout as error:
        failure: ProviderError = ProviderUnavailable("timeout")
        failure.__cause__ = error
    except ProviderError as error:
        failure = error
    except requests.JSONDecodeError:
        failure = InvalidAnswer("not_json")
    except requests.RequestException as error:
        failure = ProviderUnavailable(type(error).__name__)
    except OAuthError as error:
        refused = error.error == "invalid_grant"
        failure = CodeRefused("invalid_grant") if refused else InvalidAnswer("token_request_refused")
    except Exception as error:
        failure = InvalidAnswer(type(error).__name__)
    finally:
        _free.release()
    logger.warning("oidc_failed", reason=failure.reason, kind=type(failure).__name__)
    raise failure
