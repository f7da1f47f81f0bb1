"""A whole product for a test, ended with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..places import free_port
from .product import Product


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    port = next(port for port in iter(free_port, None) if port < 60000)
    product = Product(
        tmp_path / "home",
        port,
        EVENTS_PORT=str(free_port()),
        CONTACT_WINDOW="10",
        TRENDS_INTERVAL="3",
        TRENDS_SETTLE="1",
    )
    yield product
    try:
        product.stop()
    finally:
        for process in product.processes():
            process.kill()
