from collections.abc import Iterator

import psycopg
import pytest

from gridmgmt.operations.cluster import Cluster
from tests.cloning import Clones


@pytest.fixture
def clones(cluster: Cluster, template: str, worker: str, numbers: Iterator[int]) -> Clones:
    return Clones(cluster, template, f"lent_{worker}", numbers)


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("SELECT sec.key_put('k9', decode(repeat('00', 32), 'hex'), 'infinity')", True),
        ("DELETE FROM sec.quota", False),
        ("CREATE TABLE reg.beside ()", True),
        ("ALTER TABLE reg.area DISABLE TRIGGER ALL", False),
        ("TRUNCATE sec.quota", True),
    ],
)
def test_clone_that_was_written_to_is_lent_to_nobody_else_even_when_all_was_undone(clones: Clones, statement: str, *, kept: bool) -> None:
    with clones.lent() as first, psycopg.connect(first.conninfo("postgres")) as superuser:
        superuser.execute(statement.encode())
        if not kept:
            superuser.rollback()
    assert clones.unwritten == []


@pytest.mark.parametrize("statement", ["REVOKE CONNECT ON DATABASE {} FROM api_field", "ALTER DATABASE {} SET jit = off"])
def test_clone_of_which_the_cluster_was_told_something_is_lent_to_nobody_else(clones: Clones, statement: str) -> None:
    with clones.lent() as address, psycopg.connect(address.conninfo("postgres")) as superuser:
        superuser.execute(statement.format(address.name).encode())
    assert clones.unwritten == []


def test_clone_that_was_only_read_is_lent_again(clones: Clones) -> None:
    for _ in range(2):
        with clones.lent() as address, psycopg.connect(address.conninfo("postgres")) as superuser:
            assert superuser.execute("SELECT count(*) FROM reg.area").fetchone() == (0,)
        assert clones.unwritten == [address.name]


def test_clone_in_which_somebody_still_is_is_lent_to_nobody_else(clones: Clones) -> None:
    with clones.lent() as address:
        left = psycopg.connect(address.conninfo("postgres"))
    assert clones.unwritten == []
    left.close()
