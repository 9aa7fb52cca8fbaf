"""What each command does, on the demo district of `gridmgmt demo --scale tests`."""

import csv
import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest
from sqlalchemy import text

from gridmgmt.operations.jobs import JOBS
from gridmgmt.operations.operator import open_register
from gridmgmt.settings import load_settings
from tests.embedded import COMMAND, Embedded
from tests.gridmgmt.cli.conftest import Run
from tests.installed import Installed


def test_help_lists_every_command_and_each_explains_itself(run: Run) -> None:
    said = run("--help")
    assert said.code == 0
    names = "db migrate demo serve import export layers rents jobs account device keys token backup restore doctor"
    for name in names.split():
        assert f" {name} " in said.out
        assert run(name, "--help").code == 0
    assert "--dry-run" in run("import", "--help").out
    assert run("--version").out.strip() == "0.1.0"


def test_status_tells_where_the_database_is(embedded: Embedded) -> None:
    said = embedded.command("db", "status", "--json")
    told = json.loads(said.out)
    assert (said.code, said.err, told["state"], told["owner"] != "root") == (0, "", "up", True)
    assert Path(told["data"]).name == "postgresql"


def test_second_migration_and_second_demo_change_nothing(demo: Run) -> None:
    migrated = json.loads(demo("migrate", "--json").out)
    assert (migrated["before"] == migrated["after"], migrated["partitions"]) == (True, 0)
    assert json.loads(demo("demo", "--scale", "tests", "--json").out) == {"built": False, "notice": "演示数据"}


def test_residents_are_counted_with_the_demo_and_then_once_a_month(demo: Run, tmp_path: Path) -> None:
    said = demo("layers", "refresh", "--json")
    assert (said.code, json.loads(said.out)) == (0, {"counted": 0})
    assert demo("export", "residents", str(tmp_path / "residents.csv")).code == 0
    rows = list(csv.DictReader((tmp_path / "residents.csv").read_text(encoding="utf-8-sig").splitlines()))
    told = [int(row["residents"]) for row in rows if row["level"] == "community" and row["residents"]]
    assert 300 < sum(told) < 700  # of some five hundred
    assert {number % 10 for number in told} == {0}


def test_jobs_run_by_name_or_when_due_and_are_listed(demo: Run) -> None:
    assert (demo("jobs", "run").code, demo("jobs", "run", "tidy").code) == (1, 1)
    by_name = demo("jobs", "run", "audit-months", "residents", "--json")
    assert (by_name.code, [one["outcome"] for one in json.loads(by_name.out)["jobs"]]) == (0, ["ok", "ok"])
    due = demo("jobs", "run", "--due", "--json")
    assert (due.code, due.err) == (0, "")
    assert {one["job"] for one in json.loads(due.out)["jobs"]} <= {job.name for job in JOBS} - {"audit-months", "residents"}
    listed = json.loads(demo("jobs", "list", "--json").out)["jobs"]
    assert [(one["name"], one["due"], one["outcome"]) for one in listed] == [(job.name, False, "ok") for job in JOBS]
    assert "residents" in demo("jobs", "list").out


def test_export_says_what_it_wrote_and_that_it_is_invented(demo: Run, tmp_path: Path) -> None:
    path = tmp_path / "grids.csv"
    said = demo("export", "grids", str(path), "--json")
    assert (said.code, said.err, json.loads(said.out)) == (0, "", {"layer": "grids", "file": str(path), "rows": 12})
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert {row["notice"] for row in rows} == {"演示数据"}


def test_import_leaves_with_three_when_rows_were_refused_and_with_zero_when_none_was(
    run: Run, installed: Installed, tmp_path: Path
) -> None:
    header = "房屋编码,楼栋名称,地址,经度,纬度,坐标系,层数,建成年份,房屋性质,是否出租\n"
    good = "4403990010010000009,新楼,西街道南社区9号,114.04086,22.65381,CGCS2000,6,2010,农民自建,是\n"
    bad = "4403990010010000010,远楼,别处,120.0,30.0,CGCS2000,6,2010,农民自建,是\n"
    file, report = tmp_path / "buildings.csv", tmp_path / "report.json"
    file.write_text(header + good + bad)
    rehearsed = run("import", "buildings", str(file), "--dry-run", "--json", variables=installed.variables)
    assert (rehearsed.code, json.loads(rehearsed.out)["accepted"], json.loads(rehearsed.out)["dry_run"]) == (3, 1, True)
    first = run("import", "buildings", str(file), "--report", str(report), variables=installed.variables)
    assert first.code == 3
    told = json.loads(report.read_text())
    assert (told["rows"], told["accepted"], told["unchanged"], [one["line"] for one in told["refused"]]) == (2, 1, 0, [3])
    assert "line 3" in first.out
    file.write_text(header + good)
    again = run("import", "buildings", str(file), "--json", variables=installed.variables)
    assert (again.code, json.loads(again.out)["unchanged"]) == (0, 1)


def test_import_writes_its_report_as_a_workbook(run: Run, installed: Installed, tmp_path: Path) -> None:
    file, report = tmp_path / "units.csv", tmp_path / "report.xlsx"
    file.write_text("单元编码,房屋编码,楼层,房号,建筑面积,用途\n1,2,3,4,5,6\n")
    assert run("import", "units", str(file), "--report", str(report), variables=installed.variables).code == 3
    assert report.read_bytes().startswith(b"PK")


def test_a_file_that_is_refused_whole_has_its_report_too(run: Run, installed: Installed, tmp_path: Path) -> None:
    file, report = tmp_path / "units.csv", tmp_path / "report.json"
    file.write_text("单元编码,房屋编码\n1,2\n")
    said = run("import", "units", str(file), "--report", str(report), variables=installed.variables)
    told = json.loads(report.read_text())
    assert (said.code, told["rows"], told["accepted"], told["unchanged"], len(told["refused"])) == (1, 0, 0, 0, 1)
    assert (told["refused"][0]["line"], told["refused"][0]["reason"] in said.err) == (1, True)


def test_a_reader_who_has_seen_enough_gets_no_traceback(installed: Installed) -> None:
    words, variables = [COMMAND, "account", "list", "--json"], os.environ | installed.variables
    with subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.close()
        assert (listing.stderr.read(), listing.wait()) == (b"", 141)


def test_account_is_made_granted_and_shut_out(run: Run, installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = installed.variables
    assert run("account", "add", "chen", "--role", "worker", "--name", "陈", "--no-password", variables=variables).code == 0
    assert run("account", "assign", "chen", "440399001001001", "--from", "2024-01-01", variables=variables).code == 0
    assert run("account", "add", "south", "--role", "community", "--no-password", variables=variables).code == 0
    assert run("account", "grant", "south", "440399001001", "--json", variables=variables).code == 0
    wrong = run("account", "grant", "south", "440399001", variables=variables)
    assert (wrong.code, wrong.err) == (1, "gridmgmt: a community account is not given a subdistrict\n")
    key = json.loads(run("account", "key", "chen", "--days", "30", "--json", variables=variables).out)
    assert (key["username"], key["days"], len(key["key"]), key["write"]) == ("chen", 30, 43, False)
    assert json.loads(run("account", "key", "chen", "--write", "--json", variables=variables).out)["write"] is True
    listed = {one["username"]: one for one in json.loads(run("account", "list", "--json", variables=variables).out)["accounts"]}
    assert (listed["chen"]["display_name"], listed["chen"]["disabled_at"]) == ("陈", None)
    assert run("account", "disable", "chen", variables=variables).code == 0
    gone = run("token", "chen", variables=variables)
    assert (gone.code, gone.err) == (1, "gridmgmt: there is no account 'chen', or it is disabled\n")


def test_new_password_comes_by_standard_input(embedded: Embedded) -> None:
    assert embedded.command("account", "password", "worker", "--password-stdin", given="another long password\n").code == 0


def test_work_is_done_by_the_local_accounts_and_the_trail_names_who_typed(demo: Run) -> None:
    assert demo("token", "district").code == 0
    with open_register(load_settings()) as register, register.database.transaction(register.admin) as session:
        admin = register.admin.account_id
        assert session.execute(text("SELECT sec.actor()")).scalar_one() == admin
        assert register.operator.device == f"cli.{register.person}"


def test_doctor_finds_a_sound_installation_sound(embedded: Embedded) -> None:
    said = embedded.command("doctor", "--json")
    told = json.loads(said.out)
    assert (said.code, told["ok"], [one["name"] for one in told["checks"] if not one["ok"]]) == (0, True, [])


def test_nothing_moves_where_nobody_watches(embedded: Embedded, tmp_path: Path) -> None:
    said = embedded.command("backup", str(tmp_path / "b.dump"))
    assert (said.code, said.err) == (0, "")
    assert "\x1b" not in said.out
    assert "The keys are not in it" in said.out


def test_keys_are_rotated_and_a_backup_of_before_still_comes_back(embedded: Embedded, tmp_path: Path) -> None:
    file = tmp_path / "before.dump"
    made = json.loads(embedded.command("backup", str(file), "--json").out)
    rotated = embedded.command("keys", "rotate", "--json")
    told = json.loads(rotated.out)
    assert (rotated.code, told["left"], told["damaged"], told["resealed"]) == (
        0,
        0,
        [],
        made["rows"]["reg.identity"] + made["rows"]["reg.person_secret"],
    )
    restored = embedded.command("restore", str(file), "--yes", "--json")
    assert restored.code == 0, restored.err
    assert json.loads(restored.out)["audit_rows"] == made["rows"]["reg.audit"]


def test_server_says_where_to_look_and_answers_a_token_of_the_command(embedded: Embedded) -> None:
    with embedded.served() as address:
        token = embedded.command("token", "worker").out.strip()
        asked = urllib.request.Request(f"{address}/v1/accounts/me", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=10) as response:
            assert json.load(response)["username"] == "worker"
