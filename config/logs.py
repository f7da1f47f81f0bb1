"""Logging to standard output: one line per event, with the process and the request id, without secrets.

``LOG_FORMAT=console`` is for people, ``json`` for machines. A valid ``X-Request-ID`` of the request is used, otherwise
a new one is made. It is in the response, in every log line, and in the messages of tasks that the request sends.
"""

import json
import logging
import logging.config
import os
import re
import time
import uuid
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog

from .outages import is_outage

SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
SECRETS = re.compile(
    r"password|secret|token|refresh|^access$|authorization|cookie|^code$|signing|dsn|api_?key|credential", re.IGNORECASE
)
# Values that give access: JWTs, codes of e-mailed links, signed file links, passwords in URLs, stream tickets.
ACCESS = re.compile(
    r"(eyJ[\w-]{8,}\.[\w-]+)\.[\w-]*|(/(?:v|r|i|e|files)/)[^\s/\"']+|(\w+://[^\s:/@]*:)[^\s@/]+@|(\b(?:ticket|code|state)=)[^\s&\"']+"
)
TOKEN_PREFIX = "atr_"  # noqa: S105  of personal access tokens
# A token, also if it is percent-encoded, once or more often.
TOKEN = re.compile("".join(f"(?:{each}|%(?:25)*(?i:{ord(each):x}))" for each in TOKEN_PREFIX) + r"[\w%.~-]*")
# In every match of ACCESS and TOKEN, and found ten times faster.
HINT = re.compile(r"eyJ|/(?:v|r|i|e|files)/|://|ticket=|code=|state=|atr_|%(?:25|61|74|72|5[fF])")


def sane_request_id(given: str) -> str:
    """Return ``given`` if it is safe in a header and a log line, otherwise a new id."""
    return given if SANE_ID.fullmatch(given) else uuid.uuid4().hex


def mask_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask values with the name of a secret, and secrets inside any text."""
    shown = event.pop("links", None)  # logged on purpose if e-mails are written to files
    event.update(masked(event))
    if shown is not None:
        event["links"] = shown
    return event


def mask_report(event: Any, _: Any) -> Any:
    """Mask secrets in an error report, such as in its query string and its traceback's variables (a hook of Sentry)."""
    return masked(event)


def masked(value: Any) -> Any:
    """Return a copy of ``value``, a text or a structure of any depth, in which secrets are replaced by ``***``."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: "***" if _is_secret(key, each) else masked(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(each) for each in value]
    return value


def mask(text: str) -> str:
    """Return ``text`` with the secrets in it replaced by ``***``."""
    if not HINT.search(text):
        return text
    text = ACCESS.sub(lambda m: f"{m[1] or m[2] or m[3] or m[4]}***{'@' if m[3] else ''}", text)
    return TOKEN.sub(f"{TOKEN_PREFIX}***", text)


def _is_secret(name: object, value: object) -> bool:
    """Return whether ``name`` is that of a secret. Numbers are none: the ``code`` of request_finished is the status."""
    return isinstance(name, str) and bool(SECRETS.search(name)) and not isinstance(value, int)


def add_process(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["process"] = os.environ.get("ATRIUM_PROCESS", "manage")
    return event


class RequestLine(dict[str, Any]):
    """What is logged of a finished request: ``code``, ``ip``, ``ms``, ``request``, ``request_id`` and ``user_id``."""


class Formatter(structlog.stdlib.ProcessorFormatter):
    """Formats events with structlog's processors, and the line of a request, which has no exception, directly.

    Both look the same. The processors take 0.29 ms of CPU for a line, a third of a cached response; this takes 0.05.
    """

    def __init__(self, *args: Any, as_json: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        if not isinstance(record.msg, RequestLine):
            return super().format(record)
        line = {name: mask(value) if isinstance(value, str) else value for name, value in record.msg.items()}
        process, level = os.environ.get("ATRIUM_PROCESS", "manage"), record.levelname
        if not self.as_json:
            clock = time.strftime("%H:%M:%S", time.localtime(record.created))
            values = " ".join(f"{k}={v!r}" if k == "request" else f"{k}={v}" for k, v in line.items() if k != "event")
            return f"{clock} {process:<8} {level:<7} {line['event']} {values}"
        instant = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        origin = {"level": level.lower(), "logger": record.name, "timestamp": instant, "process": process}
        return json.dumps({**line, **origin})


class OutageFilter(logging.Filter):
    """Reduces Celery's log entry about an unavailable broker or Postgres to one line without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(("celery", "kombu", "django_celery_beat")):
            return True
        vars(record).pop("data", None)  # the traceback of a failed task, a second time
        text = record.getMessage()
        if record.exc_info and is_outage(record.exc_info[1]):
            error = record.exc_info[1]
            text = text.partition("\n")[0]
            if str(error) not in text and type(error).__name__ not in text:
                text = f"{text} {type(error).__name__}: {error}"
            record.exc_info = record.exc_text = None
        if not record.exc_info:
            record.msg, record.args = " ".join(text.split()), ()
        return True


class _Console:
    """Renders ``12:00:00 web  INFO  request_finished code=200``."""

    def __init__(self) -> None:
        self.inner = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        time, process, level = (event.pop(key, "") for key in ("timestamp", "process", "level"))
        event.pop("logger", None)
        return f"{time} {process:<8} {level.upper():<7} {self.inner(logger, name, event)}"


def configure(options: dict[str, Any]) -> None:
    """Configure logging (Django's LOGGING_CONFIG); ``options["format"]`` is ``console`` or ``json``."""
    as_json = options["format"] == "json"
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        add_process,
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        last += [structlog.processors.format_exc_info, mask_secrets, structlog.processors.JSONRenderer()]
    else:
        last += [structlog.processors.format_exc_info, mask_secrets, _Console()]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "atrium": {
                    "()": Formatter,
                    "as_json": as_json,
                    "processors": last,
                    "foreign_pre_chain": [*shared[:3], structlog.stdlib.ExtraAdder(), *shared[4:]],
                }
            },
            "filters": {"outages": {"()": OutageFilter}},
            "handlers": {
                "stdout": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "atrium",
                    "filters": ["outages"],
                }
            },
            "root": {"handlers": ["stdout"], "level": "INFO"},
            "loggers": {
                # request_finished reports the same, with the request id.
                "django.request": {"level": "CRITICAL", "propagate": True},
                "django.server": {"level": "WARNING", "propagate": True},
                # Scanners send unknown host names; they get a 400.
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.worker.request": {"level": "WARNING"},  # messages that expired while no worker ran
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
