"""What a feed tells waits for every transaction of the cluster, and other workers' tests keep theirs open for seconds."""

import time
from typing import Any

import psycopg

from gridmgmt.settings import Address


def as_superuser(address: Address, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement, commit, and wait until handhelds may see what it did; its rows."""
    with psycopg.connect(address.conninfo("postgres"), autocommit=True) as superuser:
        done = superuser.execute(statement.encode())
        rows = done.fetchall() if done.description else []
    settle(address)
    return rows


def settle(address: Address, seconds: float = 90) -> None:
    """Wait until all that was committed by now lies below the horizon."""
    end = time.monotonic() + seconds
    with psycopg.connect(address.conninfo("postgres"), autocommit=True) as superuser:
        row = superuser.execute("SELECT pg_current_xact_id()::text").fetchone()
        assert row is not None
        while time.monotonic() < end:
            passed = superuser.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::text::xid8", row).fetchone()
            if passed == (True,):
                return
            time.sleep(0.02)
    raise AssertionError(f"a transaction was open for {seconds} seconds")
