"""Jobs that come around by themselves: each is declared once here, with its schedule and the work.

`gridmgmt jobs run --due`, called every hour by the system's own timer, does whatever is due (docs/decisions/jobs-by-the-system-timer.md).
"""

import datetime as dt
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DBAPIError

from gridmgmt.errors import DistrictError, InvalidError, NotFoundError, explain
from gridmgmt.operations import job_runs
from gridmgmt.operations.counting import count_residents
from gridmgmt.operations.job_runs import Last, Outcome
from gridmgmt.operations.migrate import make_partitions
from gridmgmt.operations.operator import OperatorError, Register
from gridmgmt.operations.schedules import Schedule, is_due
from gridmgmt.rents import quarterly
from gridmgmt.security import audit
from gridmgmt.sync.files import expire_files
from gridmgmt.sync.retention import RETENTION, WHAT, Sweep, sweep
from gridmgmt.sync.stored import Stored


@dataclass(frozen=True)
class Job:
    """What comes around by itself. `work` says in one line without personal data what it did, and raises when it cannot.

    It may be called again after any failure, and where there is nothing to do it does nothing.
    """

    name: str
    schedule: Schedule
    what: str
    work: Callable[[Register], str]


@dataclass(frozen=True)
class Done:
    """How a job ended just now; `running` was left alone, because another process has it in hand."""

    job: str
    outcome: Outcome | None
    detail: str

    @property
    def running(self) -> bool:
        """Whether another process has it in hand."""
        return self.outcome is None


@dataclass(frozen=True)
class Standing:
    """A job, its last run if there was one, and whether it is due."""

    job: Job
    last: Last | None
    due: bool


def make_months(register: Register) -> str:
    """The trail's partitions a year ahead."""
    made = make_partitions(register.database.address)
    return f"partitions made: {made}" if made else "the trail has its months a year ahead"


def count_month(register: Register) -> str:
    """The monthly count of residents that everybody may see."""
    counted = count_residents(register)
    return f"residents of {counted:,} areas are counted" if counted else "the residents were counted this month already"


def compute_quarter(register: Register) -> str:
    """Guidance rents and index of the quarter that ended last, as a draft that people review."""
    with register.database.transaction(register.operator) as session:
        quarter = quarterly.last_quarter(session)
        try:
            done = quarterly.compose_once(session, quarter, rents=register.settings.rents)
        except NotFoundError as error:  # an office that has entered no lease yet has no rents to compute
            return f"{quarter}: {error.detail}"
        if not done.made:
            return f"{quarterly.name_of(done.release)} says the same"
        audit.record(session, "compute", "rent_release", done.release["id"], detail={"person": register.person})
    return f"{quarterly.name_of(done.release)} is computed, to be reviewed"


def sweep_files(register: Register) -> str:
    """Unfinished uploads whose time is over, and what closed ones left in the store."""
    done = expire_files(register.database, register.operator, Stored(register.settings.places.file_store))
    return f"{done.given_up:,} unfinished files given up, {done.swept:,} swept after"


def letting_go(one: Sweep) -> Callable[[Register], str]:
    """The work of one sweep, transaction after transaction."""
    return lambda register: f"rows let go: {sweep(register.database, register.operator, one):,}"


JOBS: Final[Sequence[Job]] = (
    Job("audit-months", "nightly", "Makes the partitions of the audit trail a year ahead.", make_months),
    *(Job(name, "nightly", f"Lets go of {WHAT[name]}.", letting_go(one)) for name, one in RETENTION.items()),
    # after what is let go, because photos of the erased are
    Job("files", "nightly", "Gives up unfinished uploads whose time is over, and sweeps after them.", sweep_files),
    Job("residents", "monthly", "Counts the residents of each area for the public layer.", count_month),
    Job("rents", "quarterly", "Computes the rents of the quarter that ended, as a draft to be reviewed.", compute_quarter),
)
"""Every job there is. One more is one more line."""


def survey(register: Register, *, now: dt.datetime) -> list[Standing]:
    """Every job with its last run, and whether it is due."""
    with register.database.transaction(register.operator, read_only=True) as session:
        runs = job_runs.last_runs(session)
    return [Standing(job, last := runs.get(job.name), is_due(job.schedule, now, None if last is None else last.success)) for job in JOBS]


def find(names: Sequence[str]) -> list[Job]:
    """The jobs with these names. Raises InvalidError, which lists those that there are."""
    known = {job.name: job for job in JOBS}
    for name in names:
        if name not in known:
            raise InvalidError(f"there is no job {name}: one of {', '.join(known)}", field="name")
    return [known[name] for name in names]


def run(register: Register, jobs: Sequence[Job]) -> Generator[Done]:
    """Do the jobs one after the other; one that fails does not stop those after it."""
    for job in jobs:
        yield _run(register, job)


def _run(register: Register, job: Job) -> Done:
    with register.database.transaction(register.operator) as session:
        number = job_runs.start(session, job.name)
    if number is None:
        return Done(job.name, None, "another process has it in hand")
    done = Done(job.name, "failed", "stopped")
    try:
        done = _work(register, job)
    finally:  # also when somebody stops it
        with register.database.transaction(register.operator) as session:
            job_runs.finish(session, number, "ok" if done.outcome == "ok" else "failed", done.detail)
    return done


def _work(register: Register, job: Job) -> Done:
    try:
        return Done(job.name, "ok", job.work(register))
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with one job, the others are done; the run says it
        return Done(job.name, "failed", _reason(error))


def _reason(error: Exception) -> str:
    """What went wrong, in words that were written here: those of others may quote a row."""
    told = explain(error) if isinstance(error, DBAPIError) else error
    return str(told) if isinstance(told, (DistrictError, OperatorError)) else f"{type(error).__name__}, which is a fault of the program"
