"""One line a happening, on standard output: the process, the request that caused it, and never a secret.

``LOG_FORMAT=console`` is for people, ``json`` for machines. ``X-Request-ID`` is taken from the request when it is sane,
else made; it is answered, stands in every line, and travels into the tasks that the request causes.
"""

import logging
import logging.config
import os
import re
import uuid
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any

import kombu.exceptions
import redis.exceptions
import structlog
from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django_structlog.middlewares import RequestMiddleware as StructlogMiddleware
from structlog.contextvars import bind_contextvars

from .clients import client_ip

SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
SECRETS = re.compile(
    r"password|secret|token|refresh|^access$|authorization|cookie|^code$|signing|dsn|api_?key|credential", re.IGNORECASE
)
# Values that give access wherever they stand: JWTs, the codes of mailed links, signed files, passwords in URLs.
ACCESS = re.compile(
    r"(eyJ[\w-]{8,}\.[\w-]+)\.[\w-]*|(/(?:v|r|e|files)/)[^\s/\"']+|(\w+://[^\s:/@]*:)[^\s@/]+@|(\bticket=)[^\s&\"']+"
)

# What Celery and kombu raise, or wrap, while Redis or RabbitMQ is away or refuses to write.
BROKER_OUTAGES = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ResponseError,
    kombu.exceptions.OperationalError,
    kombu.exceptions.ConnectionError,
    ConnectionError,
    TimeoutError,
)

PROBES = ("/healthz/", "/readyz/", "/metrics/")


def sane_request_id(given: str) -> str:
    """``given``, or a new id where it is none that may stand in a header and a log line."""
    return given if SANE_ID.fullmatch(given) else uuid.uuid4().hex


class RequestMiddleware(StructlogMiddleware):
    """Gives each request a sane ``X-Request-ID`` and each response the same; logs the request once it is answered.

    Every line of a request names its id and address. It is logged by its method and path, as a query string may hold
    what should not be kept, and with the milliseconds that it took.
    """

    def __call__(self, request: HttpRequest) -> Any:
        response: Any
        request_id = sane_request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        # A page asks for half a dozen static files, and probes ask every few seconds: lines about them would bury all
        # others. Readiness says in a line of its own what is missing.
        if request.path.startswith(settings.STATIC_URL) or request.path in PROBES:
            response = self.get_response(request)
        else:
            started = perf_counter()
            bind_contextvars(request_id=request_id, ip=client_ip(request))
            response = self.get_response(request)
            bind_contextvars(ms=round((perf_counter() - started) * 1000, 1))
            self.handle_response(request, response)
        response["X-Request-ID"] = request_id
        return response

    def _process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """An outage is answered with 503, and said in a line of its own; it is no fault whose place is to be found."""
        if not is_outage(exception):
            super()._process_exception(request, exception)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {request.path}"

    @staticmethod
    def bind_user_id(request: HttpRequest) -> None:
        """Name who asks where that is known by now: a line in the log is no reason to ask the database."""
        user = getattr(request, "user", None)
        if isinstance(user, SimpleLazyObject):
            user = getattr(request, "_cached_user", None)  # where Django keeps whom a view has asked for
        bind_contextvars(user_id=getattr(user, "pk", None))


def hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank what is named like a secret, and what looks like one in any text."""
    shown = event.pop("links", None)  # the mail files' own links, shown on purpose where there is no mail server
    for key, value in event.items():
        if SECRETS.search(key) and not isinstance(value, int):  # the ``code`` of a request_finished is its status
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = _mask(value)
    if shown is not None:
        event["links"] = shown
    return event


def _mask(text: str) -> str:
    return ACCESS.sub(lambda m: f"{m[1] or m[2] or m[3] or m[4]}***{'@' if m[3] else ''}", text)


def name_process(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["process"] = os.environ.get("ATRIUM_PROCESS", "manage")
    return event


class PlainOutages(logging.Filter):
    """Has Celery say in one line that its broker or Postgres is away: where it came upon that is no news to anybody."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(("celery", "kombu", "django_celery_beat")):
            return True
        vars(record).pop("data", None)  # of a failed task: its traceback once more
        said = record.getMessage()
        if record.exc_info and is_outage(record.exc_info[1]):
            error = record.exc_info[1]
            said = said.partition("\n")[0]
            if str(error) not in said and type(error).__name__ not in said:
                said = f"{said} {type(error).__name__}: {error}"
            record.exc_info = record.exc_text = None
        if not record.exc_info:
            record.msg, record.args = " ".join(said.split()), ()
        return True


def is_outage(error: BaseException | None) -> bool:
    """Whether ``error``, or what a library has made it of, is that Postgres, Redis or RabbitMQ is away."""
    while error is not None:
        if isinstance(error, BROKER_OUTAGES) or _is_lost_connection(error):
            return True
        # Celery wraps without naming the cause; elsewhere what was raised meanwhile is a fault of its own.
        wrapped = error.__context__ if type(error).__module__.startswith("celery") else None
        error = error.__cause__ or wrapped
    return False


def _is_lost_connection(error: BaseException) -> bool:
    """Whether psycopg2 says that Postgres is away: it has no code of an answer then, or that of a server going down."""
    if (
        type(error).__module__.partition(".")[0] != "psycopg2"
    ):  # which the events process, that logs too, has no use for
        return False
    code = getattr(error, "pgcode", None)
    return code.startswith(("57P", "08")) if code else type(error).__name__ in ("OperationalError", "InterfaceError")


class _Console:
    """``12:00:00 web  INFO  request_finished code=200``: the process first, so that one stream of all can be read."""

    def __init__(self) -> None:
        self.inner = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        time, process, level = (event.pop(key, "") for key in ("timestamp", "process", "level"))
        event.pop("logger", None)
        return f"{time} {process:<8} {level.upper():<7} {self.inner(logger, name, event)}"


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: ``options["format"]`` is ``console`` or ``json``."""
    as_json = options["format"] == "json"
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        name_process,
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        last += [structlog.processors.format_exc_info, hide_secrets, structlog.processors.JSONRenderer()]
    else:
        last += [structlog.processors.format_exc_info, hide_secrets, _Console()]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "atrium": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": last,
                    "foreign_pre_chain": [*shared[:3], structlog.stdlib.ExtraAdder(), *shared[4:]],
                }
            },
            "filters": {"plain_outages": {"()": PlainOutages}},
            "handlers": {
                "stdout": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "atrium",
                    "filters": ["plain_outages"],
                }
            },
            "root": {"handlers": ["stdout"], "level": "INFO"},
            "loggers": {
                # The request's own line says the same, with its id.
                "django.request": {"level": "CRITICAL", "propagate": True},
                "django.server": {"level": "WARNING", "propagate": True},
                # Whoever scans the internet names hosts that are not ours: the 400 says all there is to say.
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.worker.request": {"level": "WARNING"},  # ticks that expired while no worker was there
                "celery.beat": {"level": "WARNING"},
                "django_structlog.celery.receivers": {"level": "WARNING"},
                "axes": {"level": "WARNING"},
                "botocore": {"level": "WARNING"},
                "css_inline": {"level": "WARNING"},
            },
        }
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
