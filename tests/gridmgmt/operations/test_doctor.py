"""What the doctor finds, one fault at a time."""

import dataclasses
import re
import time
from collections.abc import Iterator

import psycopg
import pytest

from gridmgmt import settings
from gridmgmt.operations.doctor import Check, examine
from gridmgmt.operations.jobs import JOBS
from tests.api.syncing import crowd
from tests.installed import Installed


@pytest.fixture
def superuser(installed: Installed) -> Iterator[psycopg.Connection]:
    with psycopg.connect(installed.drawn.address.conninfo("postgres"), autocommit=True) as connection:
        yield connection


def failed(installed: Installed) -> dict[str, Check]:
    return {check.name: check for check in examine(installed.settings) if not check.ok}


def test_sound_installation_passes_every_check(installed: Installed) -> None:
    checks = examine(installed.settings)
    assert [check.name for check in checks if not check.ok] == []
    assert [check.name for check in checks] == [
        "disk", "keys", "files", "database", "postgresql", "extensions", "postgis", "roles", "log-ins",
        "migrations", "leakproof", "hardening", "protection", "audit", "feed", "sealed", "clock", "jobs", "grids", "context",
    ]  # fmt: skip


def test_removed_leakproof_mark_is_found_and_the_mending_line_named(installed: Installed, superuser: psycopg.Connection) -> None:
    superuser.execute("ALTER FUNCTION public.geometry_overlaps(geometry, geometry) NOT LEAKPROOF")
    found = failed(installed)
    assert list(found) == ["leakproof"]
    assert "prepare.sql" in found["leakproof"].mend


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("CREATE TABLE reg.loose (id int); ALTER TABLE reg.loose OWNER TO reg_owner", "reg.loose"),
        (
            "CREATE TABLE reg.shut (id int); ALTER TABLE reg.shut ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            "reg.shut lacks policy own_all",
        ),
        ("DROP POLICY field_r ON reg.lease", "reg.lease for SELECT by app_field"),
    ],
)
def test_hole_in_the_protection_is_named(installed: Installed, superuser: psycopg.Connection, change: str, said: str) -> None:
    superuser.execute(change.encode())
    found = failed(installed)
    assert list(found) == ["protection"]
    assert said in found["protection"].found


def test_missing_audit_partition_of_next_month_is_found(installed: Installed, superuser: psycopg.Connection) -> None:
    row = superuser.execute("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYYMM')").fetchone()
    assert row is not None
    superuser.execute(f"DROP TABLE reg.audit_{row[0]}".encode())
    found = failed(installed)
    assert {name: (check.found, check.mend) for name, check in found.items()} == {"audit": (f"missing: audit_{row[0]}", "gridmgmt migrate")}


def test_change_that_waits_for_an_open_writer_is_found(installed: Installed, superuser: psycopg.Connection) -> None:
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as writer:
        writer.execute("SELECT pg_current_xact_id()")
        superuser.execute("UPDATE reg.unit SET room = 'x' WHERE room = '101'")
        assert failed(installed) == {}
        superuser.execute("UPDATE sync.change_log SET at = now() - interval '20 seconds'")
        assert re.fullmatch(r"changes wait 2\d s for a transaction that is still open", failed(installed)["feed"].found)


@pytest.mark.parametrize(("rows", "fails"), [(10_000, False), (50_000, True)])
def test_grid_that_is_large_for_a_handheld_is_named_and_fails_when_too_large(installed: Installed, rows: int, *, fails: bool) -> None:
    crowd(installed.drawn, installed.drawn.places.grids["south-west"], rows)
    grids = next(check for check in examine(installed.settings) if check.name == "grids")
    assert re.fullmatch(rf"with more than 10000 rows: \d{{15}}: {rows // 100}\d\d", grids.found)
    assert grids.ok is not fails


def test_older_schema_is_found(installed: Installed, superuser: psycopg.Connection) -> None:
    superuser.execute("UPDATE reg.alembic_version SET version_num = '20261123_09'")
    assert failed(installed)["migrations"].mend == "gridmgmt migrate"


def test_key_file_open_to_others_is_found_with_the_command_that_closes_it(installed: Installed) -> None:
    path = installed.keys / "sealing-1.key"
    path.chmod(0o644)
    assert failed(installed)["keys"].mend == f"chmod 600 '{path}'"


def test_log_in_that_is_shut_out_is_named_with_what_lets_it_in(installed: Installed, superuser: psycopg.Connection) -> None:
    superuser.execute(f"REVOKE CONNECT ON DATABASE {installed.drawn.address.name} FROM api_field".encode())
    found = failed(installed)
    assert list(found) == ["log-ins"]
    assert found["log-ins"].found.startswith("The database does not take api_field: ")
    assert "PGPASSFILE" in found["log-ins"].mend


def test_missing_key_of_what_is_sealed_is_found(installed: Installed) -> None:
    (installed.keys / "sealing-1.key").rename(installed.keys / "sealing-2.key")
    assert {name: check.found for name, check in failed(installed).items()} == {
        "sealed": "numbers are sealed under keys that are missing: sealing-1.key"
    }


def test_folder_that_takes_no_files_is_found(installed: Installed) -> None:
    (installed.settings.places.home / "files").write_text("in the way")
    assert "GRIDMGMT_FILES" in failed(installed)["files"].mend


def test_foreign_context_key_is_found(installed: Installed, superuser: psycopg.Connection) -> None:
    superuser.execute("SELECT sec.key_put('k1', decode(repeat('ff', 32), 'hex'), 'infinity')")
    assert list(failed(installed)) == ["context"]


def test_job_that_was_missed_twice_is_found(installed: Installed, superuser: psycopg.Connection) -> None:
    superuser.execute("UPDATE reg.account SET created_at = now() - interval '3 days'")
    nightly = [job.name for job in JOBS if job.schedule == "nightly"]
    assert failed(installed)["jobs"].found == f"missed twice or more: {', '.join(nightly)}"
    done = "INSERT INTO reg.job_run (job, ended_at, outcome) SELECT name, now() + interval '1 day', 'ok' FROM unnest(%s::text[]) name"
    superuser.execute(done, [nightly[1:]])
    assert failed(installed)["jobs"].found == "missed twice or more: audit-months"
    superuser.execute(done, [nightly[:1]])
    assert failed(installed) == {}


def test_clocks_six_seconds_apart_are_found(installed: Installed) -> None:
    checks = examine(installed.settings, now=lambda: time.time() + 6)
    assert [check.name for check in checks if not check.ok] == ["clock"]


def test_server_that_does_not_answer_is_one_failed_check(installed: Installed) -> None:
    nowhere = settings.Database(database_url="postgresql:///register?host=/nowhere")
    found = examine(dataclasses.replace(installed.settings, database=nowhere))
    assert [(check.name, check.ok) for check in found] == [("disk", True), ("keys", True), ("files", True), ("database", False)]
    assert "/nowhere" in found[-1].found
