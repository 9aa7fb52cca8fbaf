"""An office that imports: a register of the test's own, empty or with the small hand-over of tests/data/handover in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

from gridmgmt.database import Actor, Database
from gridmgmt.intake.importing import Kind, import_file
from gridmgmt.intake.refusals import Report
from gridmgmt.operations.cluster import Cluster
from gridmgmt.security import accounts
from gridmgmt.settings import Address
from tests.conftest import clone, superuser_of
from tests.places import SEALER, register

HANDOVER: Final = Path(__file__).parents[2] / "data" / "handover"
FILES: Final[Sequence[tuple[Kind, str]]] = (
    ("areas", "areas.geojson"),
    ("grids", "grids.gpkg"),
    ("buildings", "buildings.csv"),
    ("units", "units.csv"),
    ("people", "people.xlsx"),
    ("leases", "leases.csv"),
)


@dataclass(frozen=True)
class Office:
    """Who imports, and where to."""

    address: Address
    database: Database
    actor: Actor
    folder: Path

    def take(self, kind: Kind, path: Path | str, *, demo: bool = True, **options: Any) -> Report:
        """Import a file; a bare name is one of the hand-over."""
        file = HANDOVER / path if isinstance(path, str) else path
        return import_file(self.database, self.actor, SEALER, kind, file, demo=demo, **options)

    def take_rows(self, kind: Kind, header: str, *rows: str, **options: Any) -> Report:
        """Import a CSV file of these lines."""
        file = self.folder / f"{kind}.csv"
        file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return self.take(kind, file, **options)

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Look into the database as its superuser."""
        with psycopg.connect(self.address.conninfo("postgres"), autocommit=True) as superuser:
            return superuser.execute(statement.encode(), values or None).fetchall()

    def footprint(self) -> list[tuple[Any, ...]]:
        """What an import may not change when it changes nothing: versions, superseded rows, pointers for handhelds."""
        nouns = ("area", "grid", "building", "unit", "person", "residence", "lease", "landlord", "discrepancy")
        versions = [self.ask(f"SELECT '{noun}', count(*), sum(version) FROM reg.{noun}")[0] for noun in nouns]
        past = [self.ask(f"SELECT '{noun}', count(*) FROM reg.{noun}_past")[0] for noun in nouns]
        return [*versions, *past, *self.ask("SELECT 'log', count(*) FROM sync.change_log")]


@pytest.fixture
def office(own_database: Address, tmp_path: Path) -> Iterator[Office]:
    """Nothing imported yet."""
    database = register(own_database)
    yield Office(own_database, database, _loader(database), tmp_path)
    database.close()


@pytest.fixture(scope="session")
def taken_template(cluster: Cluster, template: str, worker: str) -> tuple[str, dict[Kind, Report]]:
    """Name of this worker's database with the hand-over in it, and what the imports told."""
    address = clone(cluster, template, f"taken_{worker}")
    database = register(address)
    empty = Office(address, database, _loader(database), HANDOVER)
    told: dict[Kind, Report] = {kind: empty.take(kind, name) for kind, name in FILES}
    database.close()
    return address.name, told


@pytest.fixture
def told(taken_template: tuple[str, dict[Kind, Report]]) -> dict[Kind, Report]:
    """What the first import of each file of the hand-over told."""
    return taken_template[1]


@pytest.fixture
def taken(
    cluster: Cluster, taken_template: tuple[str, dict[Kind, Report]], worker: str, numbers: Iterator[int], tmp_path: Path
) -> Iterator[Office]:
    """The hand-over imported, in a clone of the test's own."""
    address = clone(cluster, taken_template[0], f"taken_{worker}_{next(numbers)}")
    database = register(address)
    yield Office(address, database, _loader(database), tmp_path)
    database.close()
    with superuser_of(cluster, "postgres") as postgres:
        postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(address.name)))


def _loader(database: Database) -> Actor:
    known = accounts.known_as(database, "local-operator")
    return Actor(known.account_id, known.username, known.role, "loader", known.epoch)
