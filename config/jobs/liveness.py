"""The liveness file of processes without HTTP: touched while they run, read by a container's health check.

A worker touches it with each heartbeat, beat with each task it sends. Both stop if the broker is unavailable, and beat
also without Postgres.
"""

import os
from pathlib import Path
from typing import Any

from celery.signals import after_task_publish, beat_init, heartbeat_sent, worker_ready


def install() -> None:
    """Touch the file named by ``ATRIUM_LIVENESS_FILE`` from now on. Does nothing if the variable is not set."""
    if "ATRIUM_LIVENESS_FILE" in os.environ:
        worker_ready.connect(_touch, dispatch_uid="atrium.liveness.ready")
        heartbeat_sent.connect(_touch, dispatch_uid="atrium.liveness.heartbeat")
        beat_init.connect(_start_beat, dispatch_uid="atrium.liveness.beat")


def _start_beat(**_: Any) -> None:
    after_task_publish.connect(_touch, dispatch_uid="atrium.liveness.sent")


def _touch(**_: Any) -> None:
    Path(os.environ["ATRIUM_LIVENESS_FILE"]).touch()
