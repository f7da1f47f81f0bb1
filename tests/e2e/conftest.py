"""A complete product for one test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..places import free_port
from .product import Product


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    product = Product(
        tmp_path / "home",
        free_port(),
        EVENTS_PORT=str(free_port()),
        WEB_PORT=str(free_port()),
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
