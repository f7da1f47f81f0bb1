"""Recognises errors that mean that Postgres, Redis or RabbitMQ cannot be reached."""

import errno

import kombu.exceptions
import redis.exceptions

# Raised or wrapped by Celery and kombu while Redis or RabbitMQ is unavailable or refuses to write.
BROKER_OUTAGES = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ResponseError,
    kombu.exceptions.OperationalError,
    kombu.exceptions.ConnectionError,
    ConnectionError,
    TimeoutError,
)
# A host that was cut off. Python has no classes for these errors.
_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}
# Texts of the plain OSError that py-amqp raises when RabbitMQ closes a connection.
_CLOSED_BY_RABBITMQ = {"Server unexpectedly closed connection", "Socket closed"}


def is_outage(error: BaseException | None) -> bool:
    """Return whether ``error`` or its cause means that Postgres, Redis or RabbitMQ is unavailable."""
    while error is not None:
        if isinstance(error, BROKER_OUTAGES) or _is_network_error(error) or _is_lost_connection(error):
            return True
        # Celery wraps errors without ``raise … from``. Elsewhere the context is a separate fault.
        wrapped = error.__context__ if type(error).__module__.startswith("celery") else None
        error = error.__cause__ or wrapped
    return False


def is_deadlock(error: BaseException) -> bool:
    """Return whether Postgres has aborted the transaction so that another one can go on; a retry can succeed."""
    return getattr(error.__cause__, "pgcode", None) in ("40P01", "40001")


def _is_network_error(error: BaseException) -> bool:
    return isinstance(error, OSError) and (error.errno in _UNREACHABLE or str(error) in _CLOSED_BY_RABBITMQ)


def _is_lost_connection(error: BaseException) -> bool:
    """Return whether psycopg2 lost its connection: no error code at all, or one of a server that shuts down."""
    # Compared by name: the events process logs too, and does not import psycopg2.
    if type(error).__module__.partition(".")[0] != "psycopg2":
        return False
    code = getattr(error, "pgcode", None)
    return code.startswith(("57P", "08")) if code else type(error).__name__ in ("OperationalError", "InterfaceError")
