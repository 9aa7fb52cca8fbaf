"""`gridmgmt jobs`: work that comes around by itself."""

import datetime as dt
from typing import Annotated

from cyclopts import App, Parameter

from gridmgmt.cli.console import AsJson, complain, report, table, working
from gridmgmt.errors import InvalidError
from gridmgmt.operations import jobs
from gridmgmt.operations.operator import open_register
from gridmgmt.settings import load_settings

app = App(name="jobs", help="Work that comes around by itself; docs/operate.md gives the timer's lines.")


@app.command(name="list")
def list_(*, json: AsJson = False) -> None:
    """Every job: what it does, how often, when it last ran, how that ended, and whether it is due."""
    with open_register(load_settings()) as register:
        standing = jobs.survey(register, now=dt.datetime.now(dt.UTC))
    rows: list[dict[str, object]] = []
    lines = table("name", "schedule", "due", "last run", "outcome", "detail", "what")
    for one in standing:
        job, last = one.job, one.last
        outcome = None if last is None else last.outcome or "running"
        detail = None if last is None else last.detail
        rows.append(
            {
                "name": job.name,
                "schedule": job.schedule,
                "due": one.due,
                "started_at": None if last is None else last.started_at,
                "outcome": outcome,
                "detail": detail,
                "what": job.what,
            }
        )
        began = "never" if last is None else f"{last.started_at:%Y-%m-%d %H:%M %Z}"
        lines.add_row(job.name, job.schedule, "due" if one.due else "", began, outcome or "", detail or "", job.what)
    report({"jobs": rows}, lines, as_json=json)


@app.command
def run(
    *names: Annotated[str, Parameter(help="Names of jobs, due or not.")],
    due: Annotated[bool, Parameter(negative=(), help="All jobs that are due now.")] = False,
    json: AsJson = False,
) -> int:
    """Run jobs by name, or all that are due. Leaves with 1 when one failed; the others are done all the same.

    Called every hour with --due. A job that failed is due again at the next call.
    """
    if bool(names) == due:
        raise InvalidError("name the jobs, or say --due", field="names")
    failed = False
    told: list[dict[str, object]] = []
    with open_register(load_settings()) as register:
        wanted = [one.job for one in jobs.survey(register, now=dt.datetime.now(dt.UTC)) if one.due] if due else jobs.find(names)
        with working("Running jobs"):
            for done in jobs.run(register, wanted):
                told.append({"job": done.job, "outcome": done.outcome or "running", "detail": done.detail})
                if done.outcome == "failed" or (done.running and not due):
                    failed = True
                    complain(f"{done.job}: {done.detail}")
    report({"jobs": told}, [f"{one['job']}: {one['detail']}" for one in told if one["outcome"] == "ok"], as_json=json)
    return 1 if failed else 0
