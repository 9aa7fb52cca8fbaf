"""Fixtures with the district of tests/places.py in a database. A conftest takes them by importing their names."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from psycopg import sql

from gridmgmt.database import Database
from gridmgmt.operations.cluster import Cluster
from gridmgmt.settings import Address
from tests.conftest import clone, superuser_of
from tests.places import Places, draw, register


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


@pytest.fixture
def drawn(cluster: Cluster, drawn_template: tuple[str, Places], worker: str, numbers: Iterator[int]) -> Iterator[Drawn]:
    """The district in a clone of the test's own: commit as you like."""
    name, places = drawn_template
    address = clone(cluster, name, f"drawn_{worker}_{next(numbers)}")
    database = register(address)
    yield Drawn(address, database, places)
    database.close()
    with superuser_of(cluster, "postgres") as postgres:
        postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(address.name)))
