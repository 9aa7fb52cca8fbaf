"""What a handheld must know before it syncs: the grids that its holder works in, those that were lost, and a number that tells changes."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.models import Grid, GridAssignment

LATE: Final = dt.timedelta(hours=72)
"""For so long after a grid was lost is taken what was recorded in it before; PostgreSQL holds the same (sec.lost_grids)."""


@dataclass(frozen=True)
class Scope:
    """A base grid that the holder works in. `until` is the day on which that ends, exclusive."""

    scope_id: int
    code: str
    name: str
    until: dt.date | None
    stand_in: bool


@dataclass(frozen=True)
class Lost:
    """A grid that the holder worked in, and until when what was recorded before is taken."""

    scope_id: int
    lost_at: dt.datetime
    accepted_until: dt.datetime


def scopes(session: Session, actor: Actor) -> Sequence[Scope]:
    """The grids of today, in the order of their codes, in a session of a worker's own."""
    today = func.reg.today()
    rows = session.execute(
        select(Grid.id, Grid.code, Grid.name, GridAssignment.valid_to, GridAssignment.stand_in)
        .join(GridAssignment, GridAssignment.grid_id == Grid.id)
        .where(
            GridAssignment.account_id == actor.account_id,
            GridAssignment.valid_from <= today,
            GridAssignment.valid_to.is_(None) | (GridAssignment.valid_to > today),
            Grid.deleted_at.is_(None),
        )
        .order_by(Grid.code)
    )
    return [Scope(*row) for row in rows]


def lost(session: Session) -> Sequence[Lost]:
    """The grids lost within the last three days and not got back."""
    rows = session.execute(select(func.sec.lost_grids().table_valued("grid_id", "lost_at")))
    return [Lost(grid, at, at + LATE) for grid, at in sorted(rows)]


def epoch(session: Session) -> str:
    """Of which history the rows are, the word that a snapshot begins with: a device that has another's must know before it pushes."""
    return session.execute(select(func.sec.feed_state().table_valued("epoch"))).scalar_one()


def assignment_version(session: Session) -> int:
    """Another number whenever the grids of the actor change; its size says nothing."""
    return session.execute(select(func.sec.assignment_version())).scalar_one()
