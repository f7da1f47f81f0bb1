"""Sets the timeouts of ``DATABASES["default"]["TIMEOUTS"]`` (milliseconds by name) on every connection.

PgBouncer refuses them as options of a connection, and in transaction mode a ``SET`` would stay on a connection that
other processes use afterwards. There they are set for each transaction (docs/decisions/statement-timeouts.md).
"""

from collections.abc import Callable
from typing import Any

from django_prometheus.db.backends.postgresql import base
from psycopg2.extensions import TRANSACTION_STATUS_IDLE


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to Postgres, or to a pooler in front of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeouts: dict[str, int] = self.settings_dict.get("TIMEOUTS", {})
        self.is_pooled = False
        self.execute_wrappers.append(self._set_timeouts_of_transaction)

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if not self.timeouts:
            return
        own = f"pg_backend_pid() = {self.connection.info.backend_pid}"
        settings = [f"CASE WHEN {own} THEN set_config('{k}', '{v}', false) END" for k, v in self.timeouts.items()]
        with self.connection.cursor() as cursor:
            # A pooler invents the process id that it reports to its clients.
            cursor.execute(f"SELECT {own}, {', '.join(settings)}")  # noqa: S608
            self.is_pooled = not cursor.fetchone()[0]
        # A server-side cursor outlives its transaction, and so its connection behind a pooler.
        self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = self.is_pooled

    def _set_timeouts_of_transaction(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Precede the first statement of a transaction, which may be its only one, with ``SET LOCAL``."""
        if self.is_pooled and self.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            sql = "".join(f"SET LOCAL {name} = {value}; " for name, value in self.timeouts.items()) + sql
        return execute(sql, params, many, context)
