"""Sets the timeouts of ``DATABASES["default"]["TIMEOUTS"]`` (milliseconds by name) on every connection.

PgBouncer refuses them as options of a connection, and in transaction mode a ``SET`` would stay on a connection that
other processes use afterwards. There they are set for each transaction (docs/decisions/statement-timeouts.md), and
``config.db.prepared`` prepares nothing.
"""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from django_prometheus.db import errors_total, execute_total, query_duration_seconds
from django_prometheus.db.backends.postgresql import base
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

MAX_PREPARED = 100  # statements of a connection; each takes Postgres up to 0.2 MB


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to Postgres, or to a pooler in front of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeouts: dict[str, int] = self.settings_dict.get("TIMEOUTS", {})
        self.is_pooled = False
        self.prepared: set[str] = set()  # names of statements
        self.has_stale_statements = False

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        return params | {"cursor_factory": _measured(params["cursor_factory"], self.alias, self.vendor)}

    def init_connection_state(self) -> None:
        super().init_connection_state()
        self.prepared, self.has_stale_statements = set(), False
        own = f"pg_backend_pid() = {self.connection.info.backend_pid}"
        settings = [f"CASE WHEN {own} THEN set_config('{k}', '{v}', false) END" for k, v in self.timeouts.items()]
        with self.connection.cursor() as cursor:
            # A pooler invents the process id that it reports to its clients.
            cursor.execute(f"SELECT {', '.join([own, *settings])}")  # noqa: S608
            self.is_pooled = not cursor.fetchone()[0]
        # A server-side cursor outlives its transaction, and so its connection behind a pooler.
        self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = self.is_pooled
        if self.is_pooled and self.timeouts and self._set_timeouts_of_transaction not in self.execute_wrappers:
            self.execute_wrappers.append(self._set_timeouts_of_transaction)

    def prepare(self, statements: Mapping[str, str]) -> None:
        """Prepare the statements with these names, unless they are. A connection keeps them, but only MAX_PREPARED."""
        missing = statements.keys() - self.prepared
        if not missing and not self.has_stale_statements:
            return
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            if self.has_stale_statements or len(self.prepared) + len(missing) > MAX_PREPARED:
                cursor.execute("DEALLOCATE ALL")
                self.prepared.clear()
                self.has_stale_statements = False
                missing = set(statements)
            for name in missing:
                cursor.execute(f"PREPARE {name} AS {statements[name]}")
                self.prepared.add(name)

    def _set_timeouts_of_transaction(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Precede the first statement of a transaction, which may be its only one, with ``SET LOCAL``."""
        if self.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            sql = "".join(f"SET LOCAL {name} = {value}; " for name, value in self.timeouts.items()) + sql
        return execute(sql, params, many, context)


def _measured(cursor_class: type, alias: str, vendor: str) -> type:
    """Return a cursor whose ``execute`` updates the metrics of django-prometheus.

    ``cursor_class`` is that of django-prometheus, which looks up every series by its labels for each query.
    """
    executed = execute_total.labels(alias, vendor)
    duration = query_duration_seconds.labels(alias=alias, vendor=vendor)
    plain = cursor_class.__base__

    class Cursor(cursor_class):
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            executed.inc()
            started = perf_counter()
            try:
                return plain.execute(self, *args, **kwargs)  # type: ignore[union-attr]
            except Exception as error:
                errors_total.labels(alias=alias, vendor=vendor, type=type(error).__name__).inc()
                raise
            finally:
                duration.observe(perf_counter() - started)

    return Cursor
