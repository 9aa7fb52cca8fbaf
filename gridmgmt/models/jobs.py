"""Runs of jobs."""

import datetime as dt

from sqlalchemy import BigInteger, Identity, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base


class JobRun(Base):
    """One run of a job; without an end while it runs."""

    __tablename__ = "job_run"
    __table_args__ = (
        Index("ux_job_run_running", "job", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_job_run_job_started_at", "job", "started_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    job: Mapped[str] = mapped_column(Text(collation="C"))
    started_at: Mapped[dt.datetime] = mapped_column(server_default=text("clock_timestamp()"))
    ended_at: Mapped[dt.datetime | None]
    outcome: Mapped[str | None]
    detail: Mapped[str | None]
