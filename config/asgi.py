"""The ASGI entry point: open event streams. Everything else is served by ``config.wsgi``."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.utils.log import configure_logging

configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)

from .realtime.server import application  # noqa: E402

__all__ = ["application"]
