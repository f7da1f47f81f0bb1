"""The sign of life of processes that answer no HTTP: a file touched while they work, for a container's health check.

A worker touches it with each heartbeat, beat with each task it sends; without their broker both fall silent, and beat
without Postgres too.
"""

import os
from pathlib import Path
from typing import Any

from celery.signals import after_task_publish, beat_init, heartbeat_sent, worker_ready


def install() -> None:
    """Begin to touch the file named by ``ATRIUM_PULSE``, which the image sets; elsewhere this does nothing."""
    if "ATRIUM_PULSE" in os.environ:
        worker_ready.connect(_touch, dispatch_uid="atrium.pulse.ready")
        heartbeat_sent.connect(_touch, dispatch_uid="atrium.pulse.heartbeat")
        beat_init.connect(_begin_beat, dispatch_uid="atrium.pulse.beat")


def _begin_beat(**_: Any) -> None:
    after_task_publish.connect(_touch, dispatch_uid="atrium.pulse.sent")


def _touch(**_: Any) -> None:
    Path(os.environ["ATRIUM_PULSE"]).touch()
