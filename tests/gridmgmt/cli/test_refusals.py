"""What the command refuses: one line, never a page, and an exit code that scripts can tell."""

import socket
from pathlib import Path

import psycopg
import pytest

from gridmgmt.operations import cluster
from tests.embedded import Embedded, Said
from tests.gridmgmt.cli.conftest import Run
from tests.installed import Installed


def refused(said: Said) -> str:
    """The one line of an error."""
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("gridmgmt: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("gridmgmt: ").strip()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["frobnicate"], 'Unknown command "frobnicate"'),
        (["db", "sideways"], 'Unknown command "sideways"'),
        (["import", "areas"], "FILE requires an argument"),
        (["import", "tenants", "x.csv"], 'Invalid value "tenants" for KIND'),
        (["export", "persons", "x.csv"], 'Invalid value "persons" for LAYER'),
        (["serve", "--port", "70000"], 'Invalid value "70000" for --port'),
        (["account", "add", "x", "--role", "emperor"], 'Invalid value "emperor" for --role'),
        (["account", "add", "x", "--role", "worker", "--password", "secret"], "--password"),
        (["demo", "--scale", "world"], 'Invalid value "world" for --scale'),
    ],
)
def test_words_that_mean_nothing_are_refused_in_one_line_that_names_the_help(run: Run, words: list[str], said: str) -> None:
    line = refused(run(*words))
    assert said in line
    assert "--help" in line


def test_misspelt_setting_is_named(run: Run) -> None:
    assert (
        refused(run("db", "status", variables={"GRIDMGMT_HOMES": "/x"})) == "GRIDMGMT_HOMES is not a setting; did you mean GRIDMGMT_HOME?"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["migrate"],
        ["account", "list"],
        ["doctor"],
        ["export", "grids", "x.csv"],
        ["import", "grids", "x.csv"],
        ["backup", "x"],
        ["keys", "rotate"],
    ],
)
def test_without_a_database_every_command_says_how_to_get_one(run: Run, tmp_path: Path, words: list[str]) -> None:
    said = run(*words, variables={"GRIDMGMT_HOME": str(tmp_path)})
    assert said.code == 1
    assert "gridmgmt db up" in said.out + said.err


def test_database_that_is_down_is_told_before_anything_else(embedded: Embedded, run: Run) -> None:
    cluster.down(embedded.home)
    try:
        assert refused(run("account", "list", variables=embedded.variables)) == "The database gridmgmt is down: run gridmgmt db up"
        assert refused(run("serve", variables=embedded.variables)).endswith("is down: run gridmgmt db up")
        assert run("doctor", variables=embedded.variables).code == 1
    finally:
        assert run("db", "up", variables=embedded.variables).code == 0


def test_reset_without_a_yes_deletes_nothing(embedded: Embedded) -> None:
    said = embedded.command("db", "reset", given="y\n")  # nobody is at a terminal
    assert refused(said) == "nothing was deleted; --yes deletes without asking"
    assert cluster.status(embedded.home).state == "up"


def test_commands_of_the_embedded_database_keep_off_an_own_server(installed: Installed, run: Run) -> None:
    assert "works on the embedded database only" in refused(run("db", "reset", "--yes", variables=installed.variables))


def test_taken_port_is_told_with_another_one(demo: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = refused(demo("serve", "--port", str(port)))
    assert line == f"port {port} is in use by another program; choose another: --port {port + 1} (make demo PORT={port + 1})"


def test_more_processes_than_the_database_has_connections_for_are_refused_with_the_setting_that_fits(demo: Run) -> None:
    line = refused(demo("serve", "--workers", "4", "--port", "8123"))
    assert line.startswith("4 processes may open 64 connections for each class of user, and the database allows 60: ")
    assert line.endswith("GRIDMGMT_POOL_SIZE=7")


def test_address_of_another_machine_is_refused(demo: Run) -> None:
    assert "192.0.2.1" in refused(demo("serve", "--host", "192.0.2.1", "--port", "8123"))


def test_key_file_that_others_may_read_stops_every_command(installed: Installed, run: Run) -> None:
    path = installed.keys / "token.key"
    path.chmod(0o640)
    assert refused(run("token", "district", variables=installed.variables)) == f"{path} is open to other users: chmod 600 '{path}'"


def test_server_does_not_start_over_an_older_schema(installed: Installed, run: Run) -> None:
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        superuser.execute("UPDATE reg.alembic_version SET version_num = '20261123_09'")
    assert "run gridmgmt migrate" in refused(run("serve", "--port", "8124", variables=installed.variables))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("areas.pdf", b"%PDF", "expected a .csv"),
        ("areas.geojson", b"{", "areas.geojson"),
        ("areas.xlsx", b"not a workbook", "areas.xlsx"),
    ],
)
def test_bad_file_is_refused_in_one_line(demo: Run, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert said in refused(demo("import", "areas", str(tmp_path / name)))


def test_missing_file_and_missing_folder_of_a_report_are_refused(demo: Run, tmp_path: Path) -> None:
    assert "No such file" in refused(demo("import", "areas", str(tmp_path / "none.csv")))
    assert "ends in .json or .xlsx" in refused(demo("import", "areas", "x.csv", "--report", str(tmp_path / "r.csv")))
    assert "There is no folder" in refused(demo("import", "areas", "x.csv", "--report", str(tmp_path / "none" / "r.json")))


def test_demo_needs_demo_mode(embedded: Embedded, run: Run) -> None:
    assert "GRIDMGMT_DEMO_MODE=true" in refused(run("demo", variables=embedded.variables | {"GRIDMGMT_DEMO_MODE": "false"}))


def test_accounts_that_are_not_there_or_are_the_command_lines_own(demo: Run) -> None:
    assert "there is no account 'nobody'" in refused(demo("token", "nobody"))
    assert "there is no account 'nobody'" in refused(demo("account", "disable", "nobody"))
    assert "nobody logs in to it" in refused(demo("account", "disable", "local-operator"))
    assert "another account has this name" in refused(demo("account", "add", "worker", "--role", "worker", "--no-password"))


def test_password_is_never_taken_from_where_nobody_can_type_it(embedded: Embedded) -> None:
    assert "--password-stdin" in refused(embedded.command("account", "password", "worker"))


def test_backup_into_a_missing_folder_and_restore_of_a_missing_file_are_refused(demo: Run, tmp_path: Path) -> None:
    assert "There is no folder" in refused(demo("backup", str(tmp_path / "none" / "b.dump")))
    assert "There is no file" in refused(demo("restore", str(tmp_path / "none.dump")))
