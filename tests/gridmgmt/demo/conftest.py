"""One demo district at the scale of tests for each worker of the run; nothing is committed in it afterwards."""

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

from gridmgmt.database import Actor, Database
from gridmgmt.demo.district import Summary, build
from gridmgmt.operations.cluster import Cluster
from gridmgmt.security import accounts
from tests.conftest import clone
from tests.places import SEALER, register

TODAY = dt.date(2026, 11, 24)


@dataclass(frozen=True)
class Demo:
    """A demo district, what the build said of it, and the superuser's eyes."""

    database: Database
    summary: Summary
    superuser: psycopg.Connection[tuple[Any, ...]]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the superuser sees."""
        return self.superuser.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: object) -> Any:
        """The single value that the superuser sees."""
        ((value,),) = self.rows(query, *values)
        return value


@pytest.fixture(scope="session")
def demo(cluster: Cluster, template: str, worker: str) -> Iterator[Demo]:
    address = clone(cluster, template, f"demo_{worker}")
    with (
        closing(register(address)) as database,
        psycopg.connect(address.conninfo("postgres"), autocommit=True, row_factory=tuple_row) as superuser,
    ):
        summary = build(database, SEALER, loader(database), scale="tests", today=TODAY, demo_mode=True)
        yield Demo(database, summary, superuser)


def loader(database: Database) -> Actor:
    """The local operator, through the loader's log-in."""
    operator = accounts.known_as(database, "local-operator")
    return Actor(operator.account_id, operator.username, operator.role, "loader", operator.epoch)
