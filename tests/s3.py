"""An S3 server for tests: moto, over real HTTP."""

import os
import subprocess
import sys
import urllib.request
from typing import Any

import boto3
from botocore.config import Config

from .places import free_port
from .sentinels import HERE, Place
from .waiting import wait_until

BUCKET = "atrium-files"


class S3:
    """A moto server that can be stopped and started again. It stores everything in memory."""

    def __init__(self, place: Place = HERE) -> None:
        self.place, self.port = place, free_port()
        self.url = f"http://{place.ip}:{self.port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start with an empty bucket, unless it runs already."""
        if self.process:
            return
        self.process = subprocess.Popen(
            [*self.place.inside, sys.executable, "-m", "moto.server", "-H", self.place.ip, "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        wait_until(self.answers, timeout=60, what="the moto server")
        self.client().create_bucket(Bucket=BUCKET)

    def answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.url}/moto-api/", timeout=2).status == 200
        except OSError:
            return False

    def client(self) -> Any:
        return boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1",
            aws_access_key_id="key", aws_secret_access_key="secret",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )  # fmt: skip

    def stored(self) -> list[str]:
        return [each["Key"] for each in self.client().list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def empty(self) -> None:
        for key in self.stored():
            self.client().delete_object(Bucket=BUCKET, Key=key)

    def storage(self) -> dict[str, Any]:
        """The value of ``STORAGES["default"]`` that ``AWS_*`` variables would produce."""
        client_config = Config(
            connect_timeout=3, read_timeout=10, retries={"max_attempts": 2}, signature_version="s3v4",
            s3={"addressing_style": "path"},
        )  # fmt: skip
        return {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": BUCKET, "endpoint_url": self.url, "region_name": "us-east-1", "access_key": "key",
                "secret_key": "secret", "querystring_expire": 300, "client_config": client_config,
            },
        }  # fmt: skip

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(15)
            self.process = None
