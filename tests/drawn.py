"""The district of tests/places.py in a database. The conftest of all tests takes the fixtures by importing their names."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gridmgmt.database import Database
from gridmgmt.operations.cluster import Cluster
from gridmgmt.security.context import signer
from gridmgmt.settings import Address
from tests.cloning import Clones, clone
from tests.places import KEYS, Places, draw, register


@dataclass(frozen=True)
class Drawn:
    """A register of the test's own that holds the district."""

    address: Address
    database: Database
    places: Places


@pytest.fixture(scope="session")
def drawn_template(cluster: Cluster, template: str, worker: str, numbers: Iterator[int]) -> tuple[str, Places]:
    """Name of this worker's database with the district, for cloning, and what is in it."""
    address = clone(cluster, template, f"drawn_template_{worker}_{next(numbers)}")
    database = register(address)
    places = draw(database)
    database.close()
    return address.name, places


@pytest.fixture(scope="session")
def drawn_clones(cluster: Cluster, drawn_template: tuple[str, Places], worker: str, numbers: Iterator[int]) -> Clones:
    """The districts that no test has written to yet."""
    return Clones(cluster, drawn_template[0], f"drawn_{worker}", numbers)


@pytest.fixture
def drawn(drawn_clones: Clones, drawn_template: tuple[str, Places]) -> Iterator[Drawn]:
    """The district in a database of the test's own: commit as you like."""
    with drawn_clones.lent() as address:
        database = Database(address, signer(KEYS.context_kid, KEYS.context), pool_size=4)  # the template knows the key already
        yield Drawn(address, database, drawn_template[1])
        database.close()
