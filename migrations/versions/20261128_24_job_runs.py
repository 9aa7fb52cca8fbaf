"""Runs of the jobs that come around by themselves: what ran when, and how it ended.

Why: a job that silently stopped coming is found by nobody, and two that run at once would do the work twice.
"""

from alembic import op

from migrations.protection import DISTRICT, LOADER, force, readable, writable

revision = "20261128_24"
down_revision = "20261128_23"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE reg.job_run (
  id bigint GENERATED ALWAYS AS IDENTITY,
  job text COLLATE "C" NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  outcome text,
  detail text,
  CONSTRAINT pk_job_run PRIMARY KEY (id),
  CONSTRAINT ck_job_run_job CHECK (job ~ '^[a-z][a-z-]{0,31}$'),
  CONSTRAINT ck_job_run_outcome CHECK (outcome IN ('ok', 'failed')),
  CONSTRAINT ck_job_run_ended CHECK ((ended_at IS NULL) = (outcome IS NULL) AND ended_at >= started_at),
  CONSTRAINT ck_job_run_detail CHECK (char_length(detail) BETWEEN 1 AND 500)
);
-- job_run.detail: One line on what was done or what went wrong, without personal data: monitoring reads it.
-- A job never runs twice at once. An advisory lock would end with its connection, and the register's log-ins may take none.
CREATE UNIQUE INDEX ux_job_run_running ON reg.job_run (job) WHERE ended_at IS NULL;
-- Serves the last run and the last success of each job.
CREATE INDEX ix_job_run_job_started_at ON reg.job_run (job, started_at);
"""

RUNS = {"loader": LOADER}


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(
        force("reg.job_run")
        + readable("reg.job_run", {"district": DISTRICT, **RUNS})
        + writable("reg.job_run", RUNS, insert=("job",), update=("ended_at", "outcome", "detail"))
        # Monitoring asks without an account.
        + readable("reg.job_run", {"auth": "true"}, columns="(job, started_at, outcome)")
    )


def downgrade() -> None:
    op.execute("DROP TABLE reg.job_run")
