"""The runs of jobs as the register keeps them. A job never runs twice at once: PostgreSQL lets in one run without an end."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from psycopg import ProgrammingError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from gridmgmt.database import AUTH, Database
from gridmgmt.errors import DistrictError
from gridmgmt.models import JobRun
from gridmgmt.reads import Query

Outcome = Literal["ok", "failed"]

GIVEN_UP: Final = dt.timedelta(days=1)
"""After so long a run without an end is taken for dead: its process was killed, or the machine went down."""
SUCCEEDED: Final = Query(
    b"SELECT job, extract(epoch FROM statement_timestamp() - max(started_at))::float8 FROM reg.job_run WHERE outcome = 'ok' GROUP BY 1"
)
LONGEST: Final = 500
"""Characters of a detail."""


@dataclass(frozen=True)
class Last:
    """The last run of a job, and when the last one that succeeded began. Without an outcome it runs, or died."""

    started_at: dt.datetime
    ended_at: dt.datetime | None
    outcome: str | None
    detail: str | None
    success: dt.datetime | None


def start(session: Session, job: str) -> int | None:
    """Begin a run and give its number, or None when another one is going on; class loader. Commit before the work begins."""
    dead = (JobRun.job == job, JobRun.ended_at.is_(None), JobRun.started_at < func.clock_timestamp() - GIVEN_UP)
    session.execute(
        update(JobRun).where(*dead).values(ended_at=func.clock_timestamp(), outcome="failed", detail="given up: it did not end in a day")
    )
    return session.execute(
        insert(JobRun)
        .values(job=job)
        .on_conflict_do_nothing(index_elements=[JobRun.job], index_where=JobRun.ended_at.is_(None))
        .returning(JobRun.id)
    ).scalar_one_or_none()


def finish(session: Session, run: int, outcome: Outcome, detail: str) -> None:
    """End a run; `detail` is one line without personal data. One that was given up meanwhile stays so."""
    said = " ".join(detail.split())[:LONGEST] or None
    values = {"ended_at": func.clock_timestamp(), "outcome": outcome, "detail": said}
    session.execute(update(JobRun).where(JobRun.id == run, JobRun.ended_at.is_(None)).values(values))


def last_runs(session: Session) -> Mapping[str, Last]:
    """The last run of each job that ever ran."""
    succeeded = _successes(session)
    newest = select(JobRun).ext(distinct_on(JobRun.job)).order_by(JobRun.job, JobRun.started_at.desc(), JobRun.id.desc())
    return {run.job: Last(run.started_at, run.ended_at, run.outcome, run.detail, succeeded.get(run.job)) for run in session.scalars(newest)}


async def seconds_since_success(database: Database) -> Mapping[str, float]:
    """How long ago the last run of each job that succeeded began; nothing where the database does not answer: /readyz tells that."""
    try:
        [rows] = await database.read(AUTH, SUCCEEDED)
    except (DistrictError, ProgrammingError):
        return {}
    return {job.decode(): float(seconds) for job, seconds in rows if job is not None and seconds is not None}


def _successes(session: Session) -> Mapping[str, dt.datetime]:
    found = select(JobRun.job, func.max(JobRun.started_at)).where(JobRun.outcome == "ok").group_by(JobRun.job)
    return {run[0]: run[1] for run in session.execute(found)}
