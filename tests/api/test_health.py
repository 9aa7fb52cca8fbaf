"""Readiness: what fails is named, and nothing secret is."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from gridmgmt.database import Database
from gridmgmt.operations.cluster import Cluster
from gridmgmt.security.context import signer
from gridmgmt.settings import Address, Settings
from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import KEYS


def failed(client: TestClient) -> list[str]:
    answer = client.get("/readyz")
    names = [check["name"] for check in answer.json()["checks"] if not check["ok"]]
    assert answer.status_code == (503 if names else 200)
    assert answer.json()["status"] == ("failed" if names else "ok")
    return names


def test_server_over_the_migrated_database_is_ready(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.json() == {
        "status": "ok",
        "demo_mode": True,
        "checks": [{"name": name, "ok": True} for name in ("database", "migrations", "leakproof", "writable")],
    }


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        ("UPDATE reg.alembic_version SET version_num = 'older'", ["migrations"]),
        ("ALTER FUNCTION public.geometry_overlaps(geometry, geometry) NOT LEAKPROOF", ["leakproof"]),
        ("DROP TABLE reg.alembic_version", ["migrations"]),
    ],
)
def test_what_fails_is_named(client: TestClient, drawn: Drawn, break_it: str, named: list[str]) -> None:
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute(break_it.encode())
    assert failed(client) == named


def test_nobody_is_refused_for_connections_that_a_restart_cut(log_in: LogIn, drawn: Drawn) -> None:
    worker, paths = log_in("worker"), ("/ogc/collections/buildings/items", "/v1/units", "/readyz")
    with ThreadPoolExecutor(4) as crowd:  # so that several connections lie idle afterwards
        assert {answer.status_code for answer in crowd.map(worker.get, paths * 8)} == {200}
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        cut = superuser.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'gridmgmt %'"
        ).fetchone()
    assert cut is not None
    assert cut[0] >= 3
    assert [worker.get(path).status_code for path in paths * 2] == [200] * 6


def test_server_without_its_database_lives_but_is_not_ready(configured: Settings, cluster: Cluster) -> None:
    nowhere: Address = cluster.address("no_such_database")
    database = Database(nowhere, signer(KEYS.context_kid, KEYS.context))
    with TestClient(create_app(configured, KEYS, database)) as client:
        assert client.get("/healthz").status_code == 200
        assert failed(client) == ["database"]
        answer = client.get("/ogc/collections")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")
        assert 3 <= int(answer.headers["retry-after"]) <= 7
        assert "no_such_database" not in answer.text
    database.close()
