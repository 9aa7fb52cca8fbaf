"""Backup, and the drill of its restore."""

import json
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from gridmgmt.operations.backup import backup, beside, read_manifest
from gridmgmt.operations.doctor import examine
from gridmgmt.operations.operator import OperatorError, open_register
from gridmgmt.operations.restore import restore
from gridmgmt.operations.rotation import rotate
from gridmgmt.security.keys import KeysError, load_keys
from gridmgmt.security.tokens import Tokens
from tests.conftest import locked
from tests.handhelds import enrolled
from tests.installed import Installed
from tests.places import NUMBERS, PEOPLE


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "register.dump"


def count(installed: Installed, statement: str) -> int:
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        row = superuser.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def test_backup_overwrites_nothing(installed: Installed, target: Path) -> None:
    target.write_text("somebody's")
    with pytest.raises(OperatorError, match="not overwritten"):
        backup(installed.register, target)
    assert target.read_text() == "somebody's"


def test_backup_needs_its_folder(installed: Installed, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="There is no folder"):
        backup(installed.register, tmp_path / "missing" / "x.dump")


def test_backup_where_nobody_can_write_is_refused_before_the_trail_notes_it(installed: Installed) -> None:
    with pytest.raises(OperatorError, match=r"/proc/x\.dump cannot be written"):
        backup(installed.register, Path("/proc/x.dump"))
    assert count(installed, "SELECT count(*) FROM reg.audit WHERE action = 'backup'") == 0


def test_backup_without_manifest_or_with_another_content_is_refused(installed: Installed, target: Path) -> None:
    backup(installed.register, target)
    with target.open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2\3")
    with pytest.raises(OperatorError, match="damaged"):
        read_manifest(target)
    beside(target).write_text("{}")
    with pytest.raises(OperatorError, match="damaged or of another release"):
        read_manifest(target)
    beside(target).unlink()
    with pytest.raises(OperatorError, match="a backup is both files"):
        read_manifest(target)


def test_backup_of_a_newer_release_is_refused(installed: Installed, target: Path) -> None:
    backup(installed.register, target)
    told = json.loads(beside(target).read_text())
    beside(target).write_text(json.dumps(told | {"revision": "20990101_01"}))
    with pytest.raises(OperatorError, match="belongs to a newer one"):
        restore(installed.settings, target, replace=True)


def test_district_is_not_replaced_unless_told_to(installed: Installed, target: Path) -> None:
    backup(installed.register, target)
    with pytest.raises(OperatorError, match="--yes"):
        restore(installed.settings, target, replace=False)


def test_restore_by_who_is_no_superuser_changes_nothing(installed: Installed, target: Path) -> None:
    backup(installed.register, target)
    with pytest.raises(OperatorError, match="not a superuser"):
        restore(installed.settings, target, replace=True, superuser="reg_deploy")
    assert count(installed, "SELECT count(*) FROM reg.person") == len(PEOPLE)


def test_backup_without_its_sealing_key_is_refused_before_anything_is_touched(installed: Installed, target: Path) -> None:
    rotate(installed.register)
    with open_register(installed.settings) as register:
        backup(register, target)
    (installed.keys / "sealing-2.key").unlink()
    with pytest.raises(OperatorError, match=r"needs other keys than those in .* \(sealing-2\.key missing or not the same\)"):
        restore(installed.settings, target, replace=True)
    (installed.keys / "blind-index.key").unlink()
    with pytest.raises(KeysError, match=r"blind-index\.key is missing"):
        restore(installed.settings, target, replace=True)


def test_backup_is_not_restored_under_the_keys_of_another_installation(installed: Installed, target: Path) -> None:
    backup(installed.register, target)
    for name in ("sealing-1.key", "blind-index.key"):
        (installed.keys / name).write_text("ab" * 32 + "\n")
    with pytest.raises(OperatorError, match=r"\(blind-index\.key, sealing-1\.key missing or not the same\)"):
        restore(installed.settings, target, replace=True)
    assert count(installed, "SELECT count(*) FROM reg.person") == len(PEOPLE)


def test_backup_with_a_count_that_differs_replaces_nothing(installed: Installed, target: Path, run_folder: Path) -> None:
    _, manifest = backup(installed.register, target)
    told = json.loads(beside(target).read_text())
    told["rows"]["reg.audit"] += 1
    beside(target).write_text(json.dumps(told))
    with locked(run_folder / "lock"), pytest.raises(OperatorError, match=f"reg.audit has {manifest.rows['reg.audit']} rows"):
        restore(installed.settings, target, replace=True)
    assert count(installed, "SELECT count(*) FROM reg.person") == len(PEOPLE)


def test_backup_holds_every_row_and_no_number_in_plain_text(installed: Installed, target: Path) -> None:
    file, manifest = backup(installed.register, target)
    assert file == target
    assert (manifest.rows["reg.person"], manifest.rows["reg.identity"], manifest.rows["sec.quota"]) == (len(PEOPLE), len(NUMBERS), 3)
    assert "sec.ctx_key" not in manifest.rows
    assert manifest.rows["reg.audit"] == count(installed, "SELECT count(*) FROM reg.audit")
    assert manifest.keys == {name: installed.register.keys.fingerprints[name] for name in ("blind-index.key", "sealing-1.key")}
    assert manifest.notice == "演示数据"
    assert (target.stat().st_mode & 0o777, sorted(path.name for path in target.parent.glob("register*"))) == (
        0o600,
        ["register.dump", "register.dump.json"],
    )
    content = target.read_bytes()
    assert not any(number.encode() in content for number in NUMBERS.values())


def test_restored_register_has_every_row_of_the_trail_opens_every_seal_and_passes_the_doctor(
    installed: Installed, target: Path, run_folder: Path
) -> None:
    tokens = Tokens(installed.register.keys.token, 900)
    token = tokens.issue(installed.drawn.places.accounts["district"])
    _, manifest = backup(installed.register, target)
    with psycopg.connect(installed.drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute("UPDATE reg.person SET name = 'lost'")
        audit_rows = count(installed, "SELECT count(*) FROM reg.audit")
    with locked(run_folder / "lock"):
        done = restore(installed.settings, target, replace=True)
    assert done.audit_rows == manifest.rows["reg.audit"] == audit_rows
    assert count(installed, "SELECT count(*) FROM reg.audit") == audit_rows + 1  # the restore itself
    assert count(installed, "SELECT count(*) FROM reg.person WHERE name = 'lost'") == 0
    assert [check.name for check in examine(installed.settings) if not check.ok] == []
    assert load_keys(installed.settings).context_kid != installed.register.keys.context_kid
    with open_register(installed.settings) as register:
        assert rotate(register).resealed == len(NUMBERS) + len(PEOPLE)
        stale = tokens.read(token)
        with pytest.raises(Exception, match="the account is disabled or has changed"), register.database.transaction(stale) as session:
            session.execute(text("SELECT 1"))


def test_restored_register_has_another_feed_and_takes_no_number_of_a_transaction_from_elsewhere(
    installed: Installed, target: Path, run_folder: Path
) -> None:
    device = enrolled(installed.drawn)
    mutation = "INSERT INTO sync.mutation (device_id, client_seq, mutation_id, xid, req_hash, kind, status) VALUES"
    with psycopg.connect(installed.drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        # as in another cluster, whose transactions are far ahead
        superuser.execute(f"{mutation} ('{device.id}', 7, '{device.id}', '9000000000', sha256(''), 'unit', 'noop')".encode())
        superuser.execute("UPDATE sync.change_log SET xid = (xid::text::bigint + 9000000000)::text::xid8")
        superuser.execute("UPDATE sync.feed_meta SET pruned_below = '8000000000'")
        before = superuser.execute("SELECT generation FROM sync.feed_meta").fetchone()
    backup(installed.register, target)
    with locked(run_folder / "lock"):
        restore(installed.settings, target, replace=True)
    with psycopg.connect(installed.drawn.address.conninfo("postgres")) as superuser:
        after = superuser.execute("SELECT generation FROM sync.feed_meta WHERE pruned_below = '0'").fetchone()
        assert after is not None
        assert after != before
        assert superuser.execute("SELECT client_seq, xid::text FROM sync.mutation").fetchall() == [(7, "0")]
        assert superuser.execute("SELECT sec.feed_lag(), count(*) FROM sync.change_log").fetchall() == [(0.0, 0)]


def test_interrupted_restore_leaves_the_register_and_the_next_one_succeeds(installed: Installed, target: Path, run_folder: Path) -> None:
    backup(installed.register, target)
    with psycopg.connect(installed.drawn.address.conninfo("postgres"), dbname="postgres", autocommit=True) as superuser:
        name = installed.drawn.address.name
        superuser.execute(f"CREATE DATABASE {name}_restoring".encode())  # what a killed restore leaves
        superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
    with locked(run_folder / "lock"):
        restore(installed.settings, target, replace=True)
    assert count(installed, f"SELECT count(*) FROM pg_database WHERE datname LIKE '{installed.drawn.address.name}\\_%'") == 0
