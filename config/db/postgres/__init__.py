"""The database backend: Django's, with metrics and with timeouts that also work behind PgBouncer."""
