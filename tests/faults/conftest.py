from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .house import House


@pytest.fixture
def build_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """``build_house(CONTACT_WINDOW="2")``: servers of its own with a migrated database, and no process yet."""
    built: list[House] = []

    def build(**settings: str) -> House:
        folder = tmp_path / f"house-{len(built)}"
        folder.mkdir()
        house = House(folder, **settings)
        built.append(house)
        house.manage("migrate", "--verbosity", "0")
        return house

    yield build
    for house in built:
        house.close()


@pytest.fixture
def house(build_house: Callable[..., House]) -> House:
    return build_house()
