"""Runs of jobs: one at a time, each kept, and what is due."""

import datetime as dt
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import text

from gridmgmt.errors import InvalidError
from gridmgmt.operations import job_runs, jobs
from gridmgmt.operations.jobs import JOBS, Done, Job
from gridmgmt.operations.operator import OperatorError, Register
from tests.installed import Installed

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def superuser(installed: Installed) -> Iterator[psycopg.Connection]:
    with psycopg.connect(installed.drawn.address.conninfo("postgres"), autocommit=True) as connection:
        yield connection


def job(name: str, work: Callable[[Register], str] = lambda _: "done") -> Job:
    return Job(name, "nightly", "A test's.", work)


def kept(superuser: psycopg.Connection) -> list[tuple[object, ...]]:
    return superuser.execute("SELECT job, outcome, detail, ended_at >= started_at FROM reg.job_run ORDER BY id").fetchall()


def test_unknown_job_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InvalidError, match=r"no job tidy: one of audit-months, .*, files, residents, rents"):
        jobs.find(["residents", "tidy"])


def test_failed_job_is_told_in_our_own_words_and_the_next_is_done(installed: Installed, superuser: psycopg.Connection) -> None:
    def refuse(_: Register) -> str:
        raise OperatorError("the disk\nis full")

    def break_down(_: Register) -> str:
        raise KeyError("zhang.wei")

    def quote(register: Register) -> str:
        with register.database.transaction(register.operator) as session:
            session.execute(text("SELECT 'zhang.wei'::int"))
        return ""

    done = list(jobs.run(installed.register, [job("full", refuse), job("broken", break_down), job("quoting", quote), job("sound")]))
    assert [(one.job, one.outcome) for one in done] == [("full", "failed"), ("broken", "failed"), ("quoting", "failed"), ("sound", "ok")]
    assert kept(superuser) == [
        ("full", "failed", "the disk is full", True),
        ("broken", "failed", "KeyError, which is a fault of the program", True),
        ("quoting", "failed", "a value is not of the right kind or range", True),
        ("sound", "ok", "done", True),
    ]


def test_job_that_is_stopped_leaves_a_run_that_ended(installed: Installed, superuser: psycopg.Connection) -> None:
    def stop(_: Register) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(jobs.run(installed.register, [job("long", stop)]))
    assert kept(superuser) == [("long", "failed", "stopped", True)]


def test_job_never_runs_twice_at_once(installed: Installed, superuser: psycopg.Connection) -> None:
    inner: list[Done] = []

    def again(register: Register) -> str:
        inner.extend(jobs.run(register, [job("one", lambda _: "twice"), job("other")]))
        return "once"

    (outer,) = jobs.run(installed.register, [job("one", again)])
    assert (outer.detail, [(done.job, done.running) for done in inner]) == ("once", [("one", True), ("other", False)])
    assert [row[:3] for row in kept(superuser)] == [("one", "ok", "once"), ("other", "ok", "done")]


def test_run_of_a_process_that_died_is_given_up_after_a_day(installed: Installed, superuser: psycopg.Connection) -> None:
    superuser.execute("INSERT INTO reg.job_run (job, started_at) VALUES ('one', now() - interval '23 hours 59 minutes')")
    assert [done.running for done in jobs.run(installed.register, [job("one")])] == [True]
    superuser.execute("UPDATE reg.job_run SET started_at = now() - interval '24 hours 1 minute'")
    assert [done.outcome for done in jobs.run(installed.register, [job("one")])] == ["ok"]
    assert [row[1] for row in kept(superuser)] == ["failed", "ok"]


def test_every_job_is_due_at_first_and_none_after_all_ran(installed: Installed) -> None:
    register = installed.register
    assert [(one.job.name, one.last, one.due) for one in jobs.survey(register, now=NOW)] == [(job.name, None, True) for job in JOBS]
    done = {one.job: one for one in jobs.run(register, JOBS)}
    assert {name: one.outcome for name, one in done.items()} == dict.fromkeys(done, "ok"), done
    assert done["audit-months"].detail == "the trail has its months a year ahead"
    assert done["residents"].detail == "the residents were counted this month already"
    later = jobs.survey(register, now=dt.datetime.now(dt.UTC))
    assert [(one.last and one.last.outcome, one.due) for one in later] == [("ok", False)] * len(JOBS)


def test_failure_does_not_count_and_an_older_success_is_still_told(installed: Installed, superuser: psycopg.Connection) -> None:
    superuser.execute(
        "INSERT INTO reg.job_run (job, started_at, ended_at, outcome) VALUES ('residents', now() - '40 days'::interval, now(), 'ok')"
    )
    superuser.execute(
        "INSERT INTO reg.job_run (job, ended_at, outcome, detail) VALUES ('residents', now() + interval '1 day', 'failed', 'X')"
    )
    with installed.register.database.transaction(installed.register.operator) as session:
        last = job_runs.last_runs(session)["residents"]
    assert (last.outcome, last.detail, last.success is not None and last.success < last.started_at) == ("failed", "X", True)
    assert [one.due for one in jobs.survey(installed.register, now=NOW) if one.job.name == "residents"] == [True]


def test_partitions_of_the_trail_are_made_ahead(installed: Installed, superuser: psycopg.Connection) -> None:
    row = superuser.execute("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYYMM')").fetchone()
    assert row is not None
    superuser.execute(f"DROP TABLE reg.audit_{row[0]}".encode())
    (done,) = jobs.run(installed.register, jobs.find(["audit-months"]))
    assert done.detail == "partitions made: 1"
