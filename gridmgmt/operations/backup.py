"""A backup of the register: one file of pg_dump's, and beside it a manifest that says what is in it.

Identity numbers and phones are in it as they are in the database, sealed. The keys are not: they belong into a backup of their own, or
whoever finds one file has both.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg
from psycopg import Connection, IsolationLevel, sql
from pydantic import TypeAdapter, ValidationError

from gridmgmt.operations import cluster
from gridmgmt.operations.operator import DEMO, OperatorError, Register, refusal, revision_seen
from gridmgmt.operations.server import find_server, installed_servers
from gridmgmt.security import audit
from gridmgmt.security.keys import BLIND_INDEX
from gridmgmt.settings import Address, Settings

FORMAT: Final = 1
SCHEMAS: Final = ("reg", "sec", "sync")
LEFT_OUT: Final = "sec.ctx_key"
"""Contexts signed before a backup mean nothing after its restore."""
ROLE: Final = "reg_dump_reader"

COUNTED = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname || '.' || c.relname <> %s ORDER BY 1, 2
"""


SEALED_UNDER = "SELECT kv FROM reg.identity UNION SELECT kv FROM reg.person_secret"
"""Versions of the sealing keys that are in use."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. `rows` counts every table in the snapshot that was dumped, partitions together."""

    format: int
    made_at: str
    made_by: str
    revision: str
    postgresql: int
    keys: Mapping[str, str]
    """Fingerprints of the keys without which it cannot be read, by file name; empty where the key was lost already."""
    sha256: str
    bytes: int
    rows: Mapping[str, int]
    notice: str
    """演示数据 when the register is the demo district, else empty."""


def backup(register: Register, target: Path) -> tuple[Path, Manifest]:
    """Write a backup to the file `target`, or under a name of its own into the folder `target`; the file and what it holds.

    The trail notes it first, so that the note is in the backup. Raises OperatorError, and overwrites nothing.
    """
    moment = datetime.now(UTC)
    file = target / f"gridmgmt-{moment:%Y%m%dT%H%M%SZ}.dump" if target.is_dir() else target
    if not file.parent.is_dir():
        raise OperatorError(f"There is no folder {file.parent}")
    for there in (file, beside(file)):
        if there.exists():
            raise OperatorError(f"{there} is there already, and backups are not overwritten")
    unfinished = file.with_name(file.name + ".part")
    try:
        unfinished.touch(mode=0o600)
    except OSError as error:
        raise OperatorError(f"{file} cannot be written: {error.strerror}") from None
    with register.database.transaction(register.operator) as session:
        audit.record(session, "backup", "register", detail={"file": file.name, "person": register.person})
    place = register.database.address
    try:
        with psycopg.connect(place.conninfo(ROLE), connect_timeout=10) as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute("SET row_security = on")
            counts = count_rows(connection)
            needed = {BLIND_INDEX, *(f"sealing-{version}.key" for (version,) in connection.execute(SEALED_UNDER))}
            at = revision_seen(connection)
            snapshot = connection.execute("SELECT pg_export_snapshot()").fetchone()
            assert snapshot is not None
            assert at is not None
            _dump(register.settings, place, unfinished, snapshot[0])
            major = connection.info.server_version // 10_000
    except psycopg.OperationalError as error:
        raise OperatorError(refusal(place, ROLE, error)) from None
    manifest = Manifest(
        format=FORMAT,
        made_at=moment.isoformat(timespec="seconds"),
        made_by=register.person,
        revision=at,
        postgresql=major,
        keys={name: register.keys.fingerprints.get(name, "") for name in sorted(needed)},
        sha256=digest(unfinished),
        bytes=unfinished.stat().st_size,
        rows=counts,
        notice=DEMO if register.settings.access.demo_mode else "",
    )
    try:
        beside(file).write_text(json.dumps(asdict(manifest), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(file)  # last: a backup without a manifest is none
    except OSError as error:
        beside(file).unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)
        raise OperatorError(f"{file} cannot be written: {error.strerror}") from None
    return file, manifest


def read_manifest(file: Path) -> Manifest:
    """What the backup `file` says that it holds. Raises OperatorError when it is damaged or not one of ours."""
    if not file.is_file():
        raise OperatorError(f"There is no file {file}")
    try:
        manifest = TypeAdapter(Manifest).validate_json(beside(file).read_bytes())
    except FileNotFoundError:
        raise OperatorError(f"{beside(file)} is missing: a backup is both files") from None
    except ValidationError:
        raise OperatorError(f"{beside(file)} is damaged or of another release") from None
    if manifest.format != FORMAT:
        raise OperatorError(f"{file} is a backup of format {manifest.format}, and this release reads {FORMAT}")
    if digest(file) != manifest.sha256:
        raise OperatorError(f"{file} is damaged: its contents are not those that its manifest tells")
    return manifest


def count_rows(connection: Connection) -> dict[str, int]:
    """Rows of every table of the register that a backup holds."""
    names = connection.execute(COUNTED, [list(SCHEMAS), LEFT_OUT]).fetchall()
    counted: dict[str, int] = {}
    for schema, table in names:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))).fetchone()
        assert row is not None
        counted[f"{schema}.{table}"] = row[0]
    return counted


def beside(file: Path) -> Path:
    """The manifest's place."""
    return file.with_name(file.name + ".json")


def digest(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def program(settings: Settings, name: str) -> Path:
    """The installed pg_dump or pg_restore: the embedded cluster's own, else the newest. Raises ClusterError when there is none."""
    if settings.database.database_url is None:
        return cluster.locate(settings.places.home).server.bin / name
    return max(installed_servers() or [find_server()], key=lambda server: server.major).bin / name


def _dump(settings: Settings, place: Address, file: Path, snapshot: str) -> None:
    words: list[str | Path] = [program(settings, "pg_dump"), "--format=custom", "--enable-row-security", f"--snapshot={snapshot}"]
    words += [f"--schema={schema}" for schema in SCHEMAS]
    words += [f"--exclude-table-data={LEFT_OUT}", f"--file={file}", f"--dbname={place.conninfo(ROLE)}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        file.unlink(missing_ok=True)
        raise OperatorError(f"pg_dump failed: {first_complaint(done.stderr)}")


def first_complaint(said: str) -> str:
    """The line of a PostgreSQL program's output that tells what is wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line.split("error: ", 1)[1] for line in lines if "error: " in line), lines[0] if lines else "no reason given")
