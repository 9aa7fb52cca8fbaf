"""Leases of a file, a second, against COPY of the very same rows into the very same table by a superuser.

The superuser's rows pass the same constraints, keys and triggers; only row-level security, the reading and the judging are ours.
"""

import csv
import datetime as dt
import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from bench.stage import Figure, Stage
from gridmgmt.intake.importing import import_file
from gridmgmt.security.sealing import Sealer

GOAL = 0.5
ROWS = 100_000
LESSEES = 20_000
EACH = 8
"""Leases of a unit, one a year from 2008 on: before all that the demo knows."""
HEADER = (
    "合同编号",
    "单元编码",
    "出租人",
    "承租人证件号码",
    "租金",
    "租金单位",
    "押金",
    "起始日期",
    "终止日期",
    "签订日期",
    "备案日期",
    "是否新租",
)


def measure(stage: Stage) -> Iterator[Figure]:
    """Rows a second of both."""
    sealer = Sealer.of(stage.register.keys)
    path = stage.settings.places.home.parent / "leases.csv"
    with stage.superuser() as superuser:
        _write(path, superuser, sealer)
        start = time.perf_counter()
        report = import_file(stage.register.database, stage.register.operator, sealer, "leases", path, demo=True)
        ours = time.perf_counter() - start
        assert (report.accepted, len(report.refused)) == (ROWS, 0)
        peer = _copy_again(superuser)
    yield Figure("lease_import", ROWS / ours, ROWS / peer, "rows/s", "peer", (">=", GOAL))


def _write(path: Path, superuser: psycopg.Connection[tuple[Any, ...]], sealer: Sealer) -> None:
    """A file as a district office hands it over: seven in ten lessees by number, three kinds of rent."""
    generator = random.Random(7)
    units = superuser.execute("SELECT code FROM reg.unit ORDER BY code LIMIT %s", [-(-ROWS // EACH)]).fetchall()
    sealed = superuser.execute("SELECT id, id_enc FROM reg.identity ORDER BY id LIMIT %s", [LESSEES]).fetchall()
    numbers = [sealer.open("identity|id_enc", _uuid(one), bytes(value)) for one, value in sealed]
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        for row in range(ROWS):
            start = dt.date(2008 + row % EACH, 3, 1)
            rent, unit = generator.choice(((1_200, "元/月"), (25.5, "元/平方米·月"), (18_000, "元/年")))
            lessee = generator.choice(numbers) if generator.random() < 0.7 else ""
            code = units[row // EACH][0]
            end, signed, filed = start.replace(year=start.year + 1), start - dt.timedelta(days=9), start + dt.timedelta(days=9)
            lessor = f"房东{row // EACH % 500}演"
            out.writerow((f"BENCH{row}", code, lessor, lessee, rent, unit, 2_400, start, end, signed, filed, "是" if row % 2 else "否"))


def _copy_again(superuser: psycopg.Connection[tuple[Any, ...]]) -> float:
    """Seconds to copy the imported rows back in after they were taken out."""
    names = superuser.execute(
        "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'reg.lease'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
    ).fetchall()[0][0]
    rows = "SELECT {} FROM reg.lease WHERE number LIKE 'BENCH%' ORDER BY id"
    with superuser.cursor() as cursor, cursor.copy(f"COPY ({rows.format(names)}) TO STDOUT".encode()) as out:
        kept = [bytes(block) for block in out]
    superuser.execute("DELETE FROM sync.change_log c USING reg.lease l WHERE l.id = c.entity_id AND l.number LIKE 'BENCH%'")
    superuser.execute("DELETE FROM reg.lease WHERE number LIKE 'BENCH%'")
    superuser.execute("VACUUM (ANALYZE) reg.lease, sync.change_log")
    start = time.perf_counter()
    with superuser.cursor() as cursor, cursor.copy(f"COPY reg.lease ({names}) FROM STDIN".encode()) as back:
        for block in kept:
            back.write(block)
    return time.perf_counter() - start


def _uuid(value: object) -> uuid.UUID:
    assert isinstance(value, uuid.UUID)
    return value
