"""Serves the WSGI app that ``BENCH_APP`` names (``module:name``), as the web process of the product serves Django."""

import os
import pkgutil

wsgi = pkgutil.resolve_name(os.environ["BENCH_APP"])

from config.http import buffering  # noqa: E402  the app sets up Django

buffering.django = wsgi
application = buffering.application
