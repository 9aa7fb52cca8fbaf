"""The demo district: built once, set-based, the same at every build of one day."""

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor, Database
from gridmgmt.demo.accounts import EXPERT, NAMED, PASSWORD, are_made, make_accounts
from gridmgmt.demo.contents import Contents, Part, fill
from gridmgmt.demo.geography import Geography, draw
from gridmgmt.demo.ground import FINISHED, FORMER, find_ids, write_departments, write_ground
from gridmgmt.demo.managers import lagging
from gridmgmt.demo.plan import plan
from gridmgmt.demo.scales import SCALES, Scale, ScaleName
from gridmgmt.demo.seen import REPORTING, VISITED
from gridmgmt.demo.stories import STAGE, StoryName
from gridmgmt.demo.writing import write_contents
from gridmgmt.errors import ConflictError, ForbiddenError
from gridmgmt.models import Area, Building, Organisation
from gridmgmt.security.accounts import known_as
from gridmgmt.security.passwords import Passwords
from gridmgmt.security.sealing import Sealer

AT_ONCE: Final = 2
"""Subdistricts written at the same time, each by a connection of its own."""
ADMIN: Final = "local-admin"

Progress = Callable[[str, int, int], None]
"""Told what is being written, how many rows are, and how many there will be, more or less; from more than one thread, one at a time."""


def _silent(_noun: str, _done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Summary:
    """What was built."""

    scale: ScaleName
    today: dt.date
    rows: Mapping[str, int]
    """Rows written, by noun; what an interrupted build had written before is not counted."""
    accounts: Sequence[str]
    """Those with the password `demo`."""
    stories: Mapping[StoryName, tuple[str, ...]]
    """Where each story is found: codes of areas, house codes, lease numbers, ids of persons."""


def build(
    database: Database,
    sealer: Sealer,
    actor: Actor,
    *,
    scale: ScaleName,
    today: dt.date,
    demo_mode: bool,
    progress: Progress = _silent,
) -> Summary:
    """Build the demo into an empty register, or finish one that was interrupted. `actor` is of class loader; `today` is the last
    day that the demo knows.

    Each subdistrict is one transaction. Raises ForbiddenError outside demo mode, ConflictError when the register holds a finished demo
    or anything else.
    """
    if not demo_mode:
        raise ForbiddenError("invented persons are for demo mode: set GRIDMGMT_DEMO_MODE=true")
    size = SCALES[scale]
    geography = draw(size)
    meter = _Meter(progress, _expected(size))
    with database.transaction(actor) as session:
        if not _begun(session, geography):
            write_ground(session, geography, meter.wrote)
    _ensure_accounts(database, size)
    parts = plan(size, geography, today)
    stories = _write_parts(database, sealer, actor, parts, meter)
    with database.transaction(actor) as session:
        write_departments(session)
    progress("done", meter.total, meter.total)
    codes = [area.code for area in geography.subdistricts]
    stories["laggards"] = lagging(codes)
    stories["split_2016"] = tuple(code for code, (_, after) in FORMER.items() if len(after) > 1 and set(after) <= set(codes))
    return Summary(scale, today, dict(meter.rows), (*NAMED, EXPERT), stories)


def is_built(database: Database, actor: Actor) -> bool:
    """Whether the register holds a finished demo."""
    with database.transaction(actor, read_only=True) as session:
        return _finished(session)


@dataclass
class _Meter:
    """Counts what is written, from several threads."""

    progress: Progress
    total: int
    rows: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    def wrote(self, noun: str, count: int) -> None:
        """Count rows and tell. Raises InterruptedError when the build is being given up, so that no thread writes on."""
        if self.stopped.is_set():
            raise InterruptedError("the build was given up")
        with self.lock:
            self.rows[noun] = self.rows.get(noun, 0) + count
            self.progress(noun, min(sum(self.rows.values()), self.total), self.total)


def _begun(session: Session, geography: Geography) -> bool:
    """Whether a build of the same scale was interrupted. Raises ConflictError when the register holds anything else."""
    if _finished(session):
        raise ConflictError("the register holds a finished demo", slug="demo-is-built")
    grids = set(find_ids(session).grids)
    approximate = session.scalars(select(Area.approximate).where(Area.level == "district", Area.deleted_at.is_(None))).all()
    if not grids and not approximate:
        return False
    if grids == {grid.code for grid in geography.grids} and list(approximate) == [True]:
        return True
    raise ConflictError(
        "the register holds other areas or grids, or a demo of another scale that was interrupted: build the demo in an empty one,"
        " under another GRIDMGMT_HOME say",
        slug="register-not-empty",
    )


def _finished(session: Session) -> bool:
    return session.scalar(select(Organisation.id).where(Organisation.id == FINISHED)) is not None


def _ensure_accounts(database: Database, scale: Scale) -> None:
    admin = known_as(database, ADMIN)
    with database.transaction(admin, read_only=True) as session:
        if are_made(session):
            return
    password_hash = Passwords().hash(PASSWORD, demo=True)
    with database.transaction(admin) as session:
        make_accounts(session, scale.workers, password_hash)


def _write_parts(
    database: Database, sealer: Sealer, actor: Actor, parts: Sequence[Part], meter: _Meter
) -> dict[StoryName, tuple[str, ...]]:
    with database.transaction(actor, read_only=True) as session:
        ids = find_ids(session)
        written = set(session.scalars(select(Building.subdistrict_id).distinct()))

    def make(part: Part) -> Mapping[StoryName, tuple[str, ...]]:
        done = ids.areas[part.code] in written
        if done and part.code != STAGE:
            return {}
        contents: Contents = fill(part)
        if not done:
            with database.transaction(actor) as session:
                write_contents(session, contents, ids, sealer, actor=actor.account_id, wrote=meter.wrote)
        return contents.stories

    stories: dict[StoryName, tuple[str, ...]] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="demo") as pool:
        futures: list[Future[Mapping[StoryName, tuple[str, ...]]]] = [pool.submit(make, part) for part in parts]
        try:
            for future in as_completed(futures):
                stories.update(future.result())
        except BaseException:
            meter.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return stories


def _expected(scale: Scale) -> int:
    """Rows in all: about half as many persons as residences, and 2.4 leases for each that runs."""
    return (
        scale.grids
        + scale.buildings
        + scale.units
        + round(scale.residences * 1.5)
        + round(scale.leases * 2.45)
        + round(scale.managers * 1.5)
        + round(scale.rental_buildings * VISITED)
        + round(scale.managers * REPORTING)
    )
