"""The wiring of Atrium, and the plumbing that every app stands on."""

from .celery import app as celery_app

__all__ = ["celery_app"]
