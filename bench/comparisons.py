"""Comparing a number at a door: one that the register knows against one that it does not. Neither answer may be told from its time."""

import datetime as dt
import random
from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np

from bench.stage import DISTRICT_DAY, Figure, Stage, alternate
from gridmgmt.demo.people import birth_days, identity_numbers
from gridmgmt.registers.reveals import compare
from gridmgmt.security.sealing import Sealer

ROUNDS: Final = 1_100
UNUSED: Final = 9_000_000
"""Serials of the demo's numbers from here on are nobody's."""
MORE: Final = 1.1
"""Times the unknown number's time that a known one may take."""
KNOWN: Final = b"""
SELECT i.id, i.id_enc, u.code
  FROM reg.identity i JOIN reg.person_secret s ON s.identity_id = i.id
  JOIN reg.residence r ON r.person_id = s.person_id AND r.main JOIN reg.unit u ON u.id = r.unit_id
 ORDER BY i.id LIMIT %s
"""


def measure(stage: Stage) -> Iterator[Figure]:
    """Milliseconds at the median, each question in a transaction of its own with its row in the trail."""
    sealer, actor = Sealer.of(stage.register.keys), stage.actor("district")
    today = dt.datetime.now(DISTRICT_DAY).date()
    with stage.superuser() as superuser:
        superuser.execute("UPDATE sec.quota SET per_hour = 1000000, per_day = 1000000 WHERE name = 'compare'")
        rows = superuser.execute(KNOWN, [ROUNDS]).fetchall()
    random.Random(7).shuffle(rows)

    def ask(number: str, unit: str, *, registered: bool) -> None:
        why = {"purpose": "spot_check", "reason": "door check"}
        with stage.register.database.transaction(actor) as session:
            told = compare(session, actor, sealer, identity_number=number, unit=unit, today=today, demo=True, **why)
        assert told.registered is registered

    hits = [partial(ask, sealer.open("identity|id_enc", one, bytes(sealed)), unit, registered=True) for one, sealed, unit in rows]
    misses = [partial(ask, number, unit, registered=False) for number, (_, _, unit) in zip(unused(len(rows)), rows, strict=True)]
    known, unknown = alternate(hits, misses)
    yield Figure("compare.known", known, unknown, "ms", "peer", ("<=", MORE))


def unused(count: int) -> list[str]:
    """Good numbers that nobody has."""
    serial = np.arange(UNUSED, UNUSED + count)
    born = np.full(count, np.datetime64("1980-05-03").astype(np.int64))
    return identity_numbers(serial, birth_days(serial, born), np.zeros(count, dtype=np.bool_))
