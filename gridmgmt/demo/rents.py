"""The demo's releases of rents: the two quarters that ended last, computed, reviewed by one person, approved by another, and published."""

import datetime as dt
from collections.abc import Callable
from typing import Final

from gridmgmt.database import Actor, Database
from gridmgmt.demo.accounts import EXPERT
from gridmgmt.rents.quarterly import compose_once
from gridmgmt.rents.releases import Step, list_releases, quarter_text, take_step
from gridmgmt.security.accounts import known_as
from gridmgmt.security.audit import record
from gridmgmt.settings import Rents

QUARTERS: Final = 2
BEFORE: Final = {"computed": 0, "reviewed": 1, "approved": 2}
"""Steps that a release in this state has taken already."""

Tell = Callable[[int, int, str], None]
"""Told how many uses are done, of how many in all, and what is being computed."""


def publish_rents(
    database: Database, actor: Actor, today: dt.date, rents: Rents, *, tell: Tell = lambda _done, _of, _what: None
) -> list[str]:
    """Publish what was not published yet of the two quarters that ended before `today`; the quarters. `actor` is of class loader.

    Each quarter is computed in one transaction, so that an interrupted build is finished by the next. Raises NotFoundError when the
    demo's accounts are not there.
    """
    quarters = last_quarters(today)
    with database.transaction(actor, read_only=True) as session:
        published = {one["quarter"] for one in list_releases(session) if one["state"] == "published"}
    wanted = [quarter for quarter in quarters if quarter not in published]
    for number, quarter in enumerate(wanted):
        with database.transaction(actor) as session:
            release = compose_once(
                session,
                quarter,
                rents=rents,
                tell=lambda use, done, of, at=number, name=quarter: tell(at * of + done, len(wanted) * of, f"{name} {use}"),
            ).release
            record(session, "compute", "rent_release", release["id"], purpose="demo")
        expert, district = known_as(database, EXPERT), known_as(database, "district")
        steps: list[tuple[Step, Actor]] = [("reviewed", expert), ("approved", district), ("published", district)]
        for step, person in steps[BEFORE[release["state"]] :]:
            with database.transaction(person) as session:
                take_step(session, release["id"], step)
                record(session, step, "rent_release", release["id"], purpose="demo")
    return wanted


def has_rents(database: Database, actor: Actor) -> bool:
    """Whether rents of two quarters, or of any later ones, are published."""
    with database.transaction(actor, read_only=True) as session:
        return sum(one["state"] == "published" for one in list_releases(session)) >= QUARTERS


def last_quarters(today: dt.date) -> list[str]:
    """The quarters that ended last before a day, the earlier one first."""
    month = today.year * 12 + (today.month - 1) // 3 * 3
    return [quarter_text(dt.date(first // 12, first % 12 + 1, 1)) for first in range(month - 3 * QUARTERS, month, 3)]
