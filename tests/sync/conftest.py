"""A server that may be killed, behind a bad network, for the tests of the whole road."""

from collections.abc import Iterator

import pytest

from tests.drawn import Drawn
from tests.sync.ground import Ground, prepared
from tests.sync.world import World


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """Starting it takes seconds, so it is started once; each test gives it a database."""
    with prepared() as made:
        yield made


@pytest.fixture
def world(ground: Ground, drawn: Drawn) -> Iterator[World]:
    """Three handhelds of two workers in a district of the test's own."""
    made = World(ground, drawn)
    yield made
    made.close()
