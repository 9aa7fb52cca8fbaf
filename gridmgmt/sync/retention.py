"""What is let go, and when. Each sweep is one small transaction, because a long one would hold the handhelds' feed back.

Called with a session of class loader, a sweep does at most `MOST` rows and says how many it did. Whoever calls goes on, in a transaction
of its own each time, while that is all of them: `sweep` does it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor, Database

MOST: Final = 1_000
"""Rows of one transaction."""

Sweep = Callable[[Session], int]


def compact_feed(session: Session) -> int:
    """Drop pointers of the change log that a newer one of the same entity in the same grid makes needless. Nightly."""
    return _call(session, "compact_feed")


def prune_feed(session: Session) -> int:
    """Drop pointers that only say "gone" after 180 days; handhelds that did not ask since then begin with a snapshot. Nightly."""
    return _call(session, "prune_feed")


def shorten_results(session: Session) -> int:
    """Drop what became of a mutation in full after 90 days; number, hash, status and version stay. Nightly."""
    return _call(session, "shorten_results")


def erase_people(session: Session) -> int:
    """Erase name, sex, year of birth, masks, phone and number of persons who were struck out 30 days ago. Nightly.

    Personal Information Protection Law (个人信息保护法), article 47. Every former form of the row is erased too; that somebody was
    there, where and when, stays, under the name 已删除, because a name may not be empty. So goes what is sent of them later, 30 days after
    it came. Photos of nobody else are given up: the sweep of files deletes them.
    """
    return _call(session, "erase_people")


def sweep_enrolments(session: Session) -> int:
    """Drop codes for handhelds that expired a month ago. Nightly."""
    return _call(session, "sweep_enrolments")


def sweep_conflicts(session: Session) -> int:
    """Drop conflicts that were decided three years ago. Nightly."""
    return _call(session, "sweep_conflicts")


def sweep_letters(session: Session) -> int:
    """Drop dead letters that were closed three years ago. Nightly."""
    return _call(session, "sweep_letters")


RETENTION: Final[Mapping[str, Sweep]] = {
    "compact-feed": compact_feed,
    "prune-feed": prune_feed,
    "shorten-results": shorten_results,
    "erase-people": erase_people,
    "sweep-enrolments": sweep_enrolments,
    "sweep-conflicts": sweep_conflicts,
    "sweep-letters": sweep_letters,
}
"""Every sweep by its name."""
WHAT: Final[Mapping[str, str]] = {
    "compact-feed": "pointers of the change log that a newer one makes needless",
    "prune-feed": "pointers that only say that a row is gone, after 180 days",
    "shorten-results": "what became of mutations in full, after 90 days",
    "erase-people": "what told who persons were, 30 days after they were struck out",
    "sweep-enrolments": "codes for handhelds that expired a month ago",
    "sweep-conflicts": "conflicts that were decided three years ago",
    "sweep-letters": "dead letters that were closed three years ago",
}
"""What each lets go of."""


def sweep(database: Database, actor: Actor, one: Sweep) -> int:
    """Do all that a sweep finds, transaction after transaction; how many rows it were. The actor is of class loader."""
    done = 0
    while True:
        with database.transaction(actor) as session:
            found = one(session)
        done += found
        if found < MOST:
            return done


def _call(session: Session, function: str) -> int:
    done: int = session.execute(select(getattr(func.sec, function)(MOST))).scalar_one()
    return done
