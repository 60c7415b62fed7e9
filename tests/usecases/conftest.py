"""A world for each test: the real use cases and store in memory, and no promise broken when the test is over."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import pytest

from tests.promises.world import POLICY, World, check_promises


class Having(Protocol):
    """Makes a world whose policy differs from the default."""

    def __call__(self, **chosen: Any) -> World: ...


@pytest.fixture
def having() -> Iterator[Having]:
    """Makes worlds whose policies differ from the default in some fields."""
    made: list[World] = []

    def make(**chosen: Any) -> World:
        made.append(World(replace(POLICY, **chosen)))
        return made[-1]

    yield make
    for world in made:
        check_promises(world)


@pytest.fixture
def world(having: Having) -> World:
    """The world of a stack with the default policy."""
    return having()
