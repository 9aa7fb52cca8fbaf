"""Preparing and migrating a database on a server of one's own."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from gridmgmt import settings
from gridmgmt.operations import migrate
from gridmgmt.operations.cluster import Cluster
from gridmgmt.operations.operator import OperatorError, open_register
from gridmgmt.security.keys import KeysError
from gridmgmt.settings import Address, Settings
from tests.conftest import superuser_of
from tests.installed import Installed


@pytest.fixture
def bare(cluster: Cluster, worker: str, numbers: Iterator[int], tmp_path: Path) -> Iterator[Settings]:
    """Settings that name an empty database which nobody prepared."""
    name = f"bare_{worker}_{next(numbers)}"
    with superuser_of(cluster, "postgres") as postgres:
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        yield of(cluster.address(name), tmp_path)
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def of(address: Address, folder: Path) -> Settings:
    return Settings(
        places=settings.Places(home=folder / "home"),
        database=settings.Database(database_url=address.base.render_as_string()),
        server=settings.Server(),
        access=settings.Access(),
    )


def test_unprepared_database_is_refused_with_the_line_that_prepares_it(bare: Settings) -> None:
    with pytest.raises(
        OperatorError, match=r"lacks the extensions postgis, btree_gist, .*: psql -v ON_ERROR_STOP=1 -d bare_.*prepare\.sql"
    ):
        migrate.migrate(bare)
    assert not bare.places.key_folder.exists()


def test_server_out_of_reach_is_told_in_one_line(bare: Settings, tmp_path: Path) -> None:
    nowhere = of(Address(migrate.cluster.address(bare).base.update_query_dict({"host": "/nowhere"})), tmp_path)
    with pytest.raises(OperatorError, match=r"reg_deploy cannot log in \(.*/nowhere.*prepare\.sql"):
        migrate.migrate(nowhere)


def test_work_on_an_empty_database_is_refused(own_database: Address, tmp_path: Path) -> None:
    configured = of(own_database, tmp_path)
    with psycopg.connect(own_database.conninfo("postgres")) as superuser:
        superuser.execute("DROP TABLE reg.alembic_version")
    with pytest.raises(OperatorError, match="run gridmgmt migrate"), open_register(configured):
        pass


def test_lost_keys_of_a_migrated_database_are_not_replaced(installed: Installed) -> None:
    (installed.keys / "sealing-1.key").unlink()
    with pytest.raises(KeysError, match=r"sealing-1\.key is missing"):
        migrate.migrate(installed.settings)


def test_database_of_a_newer_release_is_refused(installed: Installed) -> None:
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        superuser.execute("UPDATE reg.alembic_version SET version_num = '20990101_01'")
    with pytest.raises(OperatorError, match="belongs to a newer one"):
        migrate.migrate(installed.settings)


def test_missing_leakproof_mark_stops_the_migration_of_an_own_server(installed: Installed) -> None:
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        superuser.execute("ALTER FUNCTION public.geometry_overlaps(geometry, geometry) NOT LEAKPROOF")
    with pytest.raises(OperatorError, match="lacks the LEAKPROOF mark"):
        migrate.migrate(installed.settings)


def test_second_migration_changes_nothing(installed: Installed) -> None:
    done = migrate.migrate(installed.settings)
    assert (done.before, done.after, done.partitions) == (migrate.head(), migrate.head(), 0)


def test_migration_makes_partitions_of_the_trail_that_are_missing(installed: Installed) -> None:
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        row = superuser.execute("SELECT 'audit_' || to_char(now() AT TIME ZONE 'UTC' + interval '3 months', 'YYYYMM')").fetchone()
        assert row is not None
        superuser.execute(f"DROP TABLE reg.{row[0]}".encode())
    assert migrate.migrate(installed.settings).partitions == 1


def test_second_migrator_waits_for_the_first_and_says_so(installed: Installed) -> None:
    said: list[str] = []
    with psycopg.connect(installed.drawn.address.conninfo("reg_deploy"), autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [migrate.LOCK])
        second = Thread(target=migrate.migrate, args=(installed.settings, said.append))
        second.start()
        second.join(timeout=3)
        assert second.is_alive()
        first.execute("SELECT pg_advisory_unlock(%s)", [migrate.LOCK])
        second.join(timeout=30)
    assert not second.is_alive()
    assert said == ["Waiting for another migration of this database"]
