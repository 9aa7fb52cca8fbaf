"""Yearly rotation of the sealing key: a new version seals from now on, and everything sealed before is sealed anew.

An interrupted rotation is finished by the next one, which then makes no further key. The old keys stay in their folder: backups of
before need them.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from gridmgmt.operations.operator import Register
from gridmgmt.security import audit
from gridmgmt.security.keys import add_sealing_version, load_keys
from gridmgmt.security.sealing import Field, Sealer, SealError

BATCH: Final = 5_000
FIELDS: Final[Mapping[str, Field]] = {
    "identity": "identity|id_enc",
    "person_secret": "person_secret|phone_enc",
    "dead_letter": "dead_letter|body_enc",
    "conflict": "conflict|phone_enc",
}

Progress = Callable[[int, int], object]
"""Told how many are done, of how many."""


@dataclass(frozen=True)
class Rotated:
    """What a rotation did: the version that seals now, whether it was left over from an interrupted one, how many values it sealed."""

    version: int
    resumed: bool
    resealed: int
    damaged: tuple[str, ...]
    """Rows whose value opens under no key that is here: `identity|id`, `person_secret|id`, `dead_letter|mutation id` or `conflict|id`.
    They stay."""
    left: int
    """Values still under an older version, the damaged ones among them."""


def rotate(register: Register, progress: Progress = lambda _done, _all: None, *, batch: int = BATCH) -> Rotated:
    """Seal everything under a new version; or finish what an interrupted rotation left under an older one.

    A batch of each table is a transaction of its own. Running servers notice the new file at their next use.
    """
    newest = register.keys.sealing_version
    left = _left(register, newest)
    version = newest if left else add_sealing_version(register.settings)
    total = left or _left(register, version)
    sealer = Sealer.of(load_keys(register.settings))
    resealed, damaged = 0, dict[str, None]()
    progress(0, total)
    while True:
        with register.database.transaction(register.operator) as session:
            done, unopened = _reseal_some(session, sealer, batch + len(damaged))
        resealed += done
        progress(resealed, total)
        before = len(damaged)
        damaged.update(dict.fromkeys(unopened))
        if not done and len(damaged) == before:
            break
    remaining = _left(register, version)
    with register.database.transaction(register.operator) as session:
        detail = {"version": version, "damaged": len(damaged), "left": remaining, "person": register.person}
        audit.record(session, "rotate", "keys", rows=resealed, detail=detail)
    return Rotated(version, bool(left), resealed, tuple(damaged), remaining)


def _reseal_some(session: Session, sealer: Sealer, most: int) -> tuple[int, list[str]]:
    """Reseal at most so many of each table; how many, and the rows that do not open, which come again each time."""
    rows = session.execute(
        text("SELECT tab, id, sealed FROM sec.sealed_before(CAST(:kv AS smallint), :n)"), {"kv": sealer.version, "n": most}
    ).all()
    opened: dict[str, tuple[list[uuid.UUID], list[bytes | None]]] = {table: ([], []) for table in FIELDS}
    unopened: list[str] = []
    for table, row, sealed in rows:
        try:
            anew = None if sealed is None else sealer.seal(FIELDS[table], row, sealer.open(FIELDS[table], row, bytes(sealed)))
        except SealError:
            unopened.append(f"{table}|{row}")
            continue
        opened[table][0].append(row)
        opened[table][1].append(anew)
    done = 0
    for table, (ids, values) in opened.items():
        if ids:
            done += session.execute(
                text("SELECT sec.reseal(:tab, CAST(:ids AS uuid[]), CAST(:sealed AS bytea[]), CAST(:kv AS smallint))"),
                {"tab": table, "ids": ids, "sealed": values, "kv": sealer.version},
            ).scalar_one()
    return done, unopened


def _left(register: Register, version: int) -> int:
    """Values under a version older than `version`, an empty phone too."""
    with register.database.transaction(register.operator, read_only=True) as session:
        return session.execute(
            text("SELECT count(*) FROM sec.sealed_before(CAST(:kv AS smallint), 2147483647)"), {"kv": version}
        ).scalar_one()
