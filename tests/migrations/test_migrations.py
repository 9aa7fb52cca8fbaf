"""The migrations go up, down and up again and leave the same database; the models agree with it; migrators wait for each other."""

import ast
import io
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from gridmgmt.settings import Address

ROOT = Path(__file__).parents[2]
VERSIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))
LOCK = 0x67726964

# what was granted and revoked again is as if it had never been: both are spelt out
CATALOGUE = {
    "relations": """
        SELECT c.oid::regclass::text, c.relkind, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner),
               coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))::text[], c.reloptions
          FROM pg_class c WHERE c.relnamespace = ANY (%(ours)s)""",
    "columns": """
        SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
               a.attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid), coalesce(a.attacl, '{}')::text[]
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE c.relnamespace = ANY (%(ours)s) AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = ANY (%(ours)s)""",
    "indexes": """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indexrelid
         WHERE c.relnamespace = ANY (%(ours)s)""",
    "policies": """
        SELECT polrelid::regclass::text, polname, polcmd, polroles::regrole[]::text[], pg_get_expr(polqual, polrelid),
          pg_get_expr(polwithcheck, polrelid)
          FROM pg_policy JOIN pg_class c ON c.oid = polrelid WHERE c.relnamespace = ANY (%(ours)s)""",
    "functions": """
        SELECT oid::regprocedure::text, CASE prokind WHEN 'a' THEN (SELECT a::text FROM pg_aggregate a WHERE aggfnoid = pg_proc.oid)
            ELSE pg_get_functiondef(oid) END, pg_get_userbyid(proowner), coalesce(proacl, acldefault('f',
          proowner))::text[]
          FROM pg_proc WHERE pronamespace = ANY (%(ours)s)""",
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid), tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
         WHERE NOT tgisinternal AND c.relnamespace = ANY (%(ours)s)""",
    "schemas": "SELECT nspname, coalesce(nspacl, acldefault('n', nspowner))::text[], pg_get_userbyid(nspowner)"
    " FROM pg_namespace WHERE oid = ANY (%(ours)s)",
    "comments": """
        SELECT d.objoid::regclass::text, d.objsubid, d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid
         WHERE d.classoid = 'pg_class'::regclass AND c.relnamespace = ANY (%(ours)s)""",
}
OURS = "SELECT array_agg(oid) FROM pg_namespace WHERE nspname IN ('reg', 'sec', 'sync')"


def catalogue(address: Address) -> dict[str, list[str]]:
    """Everything that the migrations make, as sorted text."""
    with psycopg.connect(address.conninfo("postgres")) as connection:
        ours = connection.execute(OURS).fetchone()
        assert ours is not None
        found: dict[str, list[str]] = {}
        for name, query in CATALOGUE.items():
            rows = connection.execute(query.encode(), {"ours": ours[0]}).fetchall()
            # the order in which rights were granted is not a difference
            found[name] = sorted(str([sorted(value) if isinstance(value, list) else value for value in row]) for row in rows)
        return found


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """What is in one of the catalogues only."""
    return [f"{name}: {row}" for name in before for row in sorted(set(before[name]) ^ set(after[name]))]


def migrate(address: Address, what: str, revision: str) -> None:
    """Run an Alembic command as `reg_deploy` over a connection of its own."""
    engine = create_engine(address.url("reg_deploy"), poolclass=NullPool)
    with engine.connect() as connection:
        config = Config(ROOT / "alembic.ini")
        config.attributes["connection"] = connection
        command.check(config) if what == "check" else getattr(command, what)(config, revision)


MIGRATOR = """
import sys
from alembic import command
from alembic.config import Config
config = Config("alembic.ini")
config.set_main_option("sqlalchemy.url", sys.argv[1].replace("%", "%%"))
command.upgrade(config, "head")
"""
"""Alembic keeps its context in the process, so a second migrator is a second process."""


def revision(address: Address) -> str | None:
    with psycopg.connect(address.conninfo("postgres")) as connection:
        row = connection.execute("SELECT version_num FROM reg.alembic_version").fetchone()
        return None if row is None else str(row[0])


@pytest.fixture(scope="module")
def script() -> ScriptDirectory:
    return ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))


def test_there_is_one_head_and_no_branch(script: ScriptDirectory) -> None:
    assert len(script.get_heads()) == 1
    assert all(len(one.nextrev) <= 1 for one in script.walk_revisions())
    assert len(list(script.walk_revisions())) == len(VERSIONS)


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_migration_has_a_dated_name_a_reason_and_no_models(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d{8}_\d{2}_[a-z0-9_]+", path.stem)
    assert "Why: " in (ast.get_docstring(tree) or "")
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    assert not any((module or "").split(".")[0] in {"gridmgmt", "geo", "api"} for module in imported)


def test_each_step_down_and_up_again_leaves_the_same_database(own_database: Address, script: ScriptDirectory) -> None:
    for one in script.walk_revisions():
        before = catalogue(own_database)
        migrate(own_database, "downgrade", "-1")
        below = catalogue(own_database)
        migrate(own_database, "upgrade", "+1")
        assert differences(before, catalogue(own_database)) == [], f"{one.revision} up again"
        migrate(own_database, "downgrade", "-1")
        assert differences(below, catalogue(own_database)) == [], f"{one.revision} down again"
    with psycopg.connect(own_database.conninfo("postgres")) as connection:
        left = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('reg', 'sec', 'sync'))"
            " UNION SELECT proname FROM pg_proc WHERE pronamespace IN (SELECT oid"
            " FROM pg_namespace WHERE nspname IN ('reg', 'sec', 'sync'))"
        ).fetchall()
    assert {name for (name,) in left} == {"alembic_version", "alembic_version_pkc"}


def test_all_the_way_down_and_up_again_leaves_the_same_database(own_database: Address) -> None:
    before = catalogue(own_database)
    assert all(before[name] for name in before.keys() - {"comments"})
    migrate(own_database, "downgrade", "base")
    assert revision(own_database) is None
    migrate(own_database, "upgrade", "head")
    assert differences(before, catalogue(own_database)) == []


def test_models_and_database_are_equal(own_database: Address) -> None:
    migrate(own_database, "check", "")


def test_migrator_waits_for_another_one(own_database: Address, script: ScriptDirectory) -> None:
    migrate(own_database, "downgrade", "-1")
    with psycopg.connect(own_database.conninfo("reg_deploy"), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        migrator = threading.Thread(target=migrate, args=(own_database, "upgrade", "head"))
        migrator.start()
        time.sleep(0.7)
        assert migrator.is_alive()
        assert revision(own_database) != script.get_current_head()
        other.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        migrator.join(30)
    assert revision(own_database) == script.get_current_head()


def test_two_migrators_at_once_both_arrive(own_database: Address, script: ScriptDirectory) -> None:
    migrate(own_database, "downgrade", "base")
    url = own_database.url("reg_deploy").render_as_string()
    migrators = [subprocess.Popen([sys.executable, "-c", MIGRATOR, url], cwd=ROOT) for _ in range(2)]
    assert [migrator.wait(60) for migrator in migrators] == [0, 0]
    assert revision(own_database) == script.get_current_head()


def test_migration_gives_way_to_a_long_query_and_changes_nothing(own_database: Address, script: ScriptDirectory) -> None:
    before = catalogue(own_database)
    with psycopg.connect(own_database.conninfo("postgres")) as reader:
        reader.execute("SELECT count(*) FROM reg.manager")
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate(own_database, "downgrade", "base")
    assert differences(before, catalogue(own_database)) == []
    assert revision(own_database) == script.get_current_head()
    with psycopg.connect(own_database.conninfo("reg_deploy"), autocommit=True) as next_one:
        assert next_one.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,)


def test_migrator_is_the_owner_only_while_it_migrates(own_database: Address) -> None:
    engine = create_engine(own_database.url("reg_deploy"), poolclass=NullPool)
    with engine.connect() as connection:
        config = Config(ROOT / "alembic.ini")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        assert connection.exec_driver_sql("SELECT current_user, current_setting('is_superuser')").one() == ("reg_deploy", "off")


@pytest.fixture(scope="module")
def printed() -> str:
    buffer = io.StringIO()
    config = Config(ROOT / "alembic.ini", output_buffer=buffer)
    command.upgrade(config, "head", sql=True)
    return buffer.getvalue()


def test_sql_is_printed_without_a_database(printed: str, script: ScriptDirectory) -> None:
    assert printed.count("CREATE POLICY") > 100
    assert f"SET version_num='{script.get_current_head()}'" in printed


def test_printed_sql_passes_squawk(printed: str, tmp_path: Path) -> None:
    file = tmp_path / "upgrade.sql"
    file.write_text(printed, encoding="utf-8")
    squawk = Path(sys.executable).parent / "squawk"
    done = subprocess.run([squawk, "--config", ROOT / ".squawk.toml", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_exemptions_from_squawk_have_their_reasons() -> None:
    exempt = [line for line in (ROOT / ".squawk.toml").read_text(encoding="utf-8").splitlines() if line.startswith('  "')]
    assert exempt
    # a line without a reason stands under one that has it
    assert "#" in exempt[0]


def test_rows_survive_a_step_that_leaves_their_table_alone(own_database: Address) -> None:
    with psycopg.connect(own_database.conninfo("postgres")) as connection:
        connection.execute("INSERT INTO reg.organisation (name, valid_from, recorded_by) VALUES ('Office', '2000-01-01', 0)")
    migrate(own_database, "downgrade", "20261123_09")
    migrate(own_database, "upgrade", "head")
    with psycopg.connect(own_database.conninfo("postgres")) as connection:
        row: Any = connection.execute("SELECT name FROM reg.organisation").fetchall()
    assert row == [("Office",)]
