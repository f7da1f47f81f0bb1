"""What a worker does with a message after the connection to the broker was lost."""

from pathlib import Path

import pytest
import redis
from celery import current_app
from kombu.transport.redis import SentinelTransport, Transport

from config.celery import Channel, SentinelChannel
from config.redis_urls import celery_broker

from ..sentinels import Sentinels


def assert_refuses_to_connect(broker: str, **options: object) -> None:
    connection = current_app.connection_for_write(broker, transport_options=options)
    channel = connection.channel()
    connection.close()
    # kombu and Celery handle this error. An AttributeError would end the worker.
    with pytest.raises(redis.exceptions.ConnectionError):
        channel._create_client().ping()


def test_a_channel_whose_connection_was_closed_raises_a_connection_error() -> None:
    assert Transport.Channel is Channel
    assert_refuses_to_connect(current_app.conf.broker_write_url)


@pytest.mark.thorough
def test_so_does_a_channel_of_a_broker_with_sentinel(tmp_path: Path) -> None:
    assert SentinelTransport.Channel is SentinelChannel
    group = Sentinels(tmp_path / "redis")
    group.start()
    try:
        url, options = celery_broker(group.url(1))
        assert_refuses_to_connect(url, **options)
    finally:
        group.stop()
