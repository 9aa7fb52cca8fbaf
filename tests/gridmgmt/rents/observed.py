"""Observations of the drawn district, written as the register writes them."""

import datetime as dt
from decimal import Decimal
from typing import Any

import psycopg
from sqlalchemy import text

from gridmgmt.database import Actor
from gridmgmt.rents.observations import Observed, measuring, observe
from gridmgmt.security import accounts
from tests.drawn import Drawn


def operator(drawn: Drawn) -> Actor:
    """Who works at the command line."""
    known = accounts.known_as(drawn.database, "local-operator")
    return Actor(known.account_id, known.username, known.role, "loader", known.epoch)


def look(drawn: Drawn) -> Observed:
    """Bring the observations up to date."""
    with drawn.database.transaction(operator(drawn)) as session:
        return observe(session)


def change(drawn: Drawn, statement: str, **values: object) -> None:
    """Correct the register."""
    with drawn.database.transaction(operator(drawn)) as session:
        session.execute(text(statement), values)


def survey(
    drawn: Drawn,
    reference: str,
    *,
    unit: str = "tower-101",
    rent_fen: int = 200_000,
    area: Decimal | None = Decimal(50),
    begins: dt.date = dt.date(2024, 1, 1),
    ends: dt.date | None = dt.date(2025, 1, 1),
    new_let: bool = True,
    related: bool = False,
    sublet: bool = False,
) -> None:
    """What somebody said in a survey."""
    rows = """
        SELECT 'survey' AS source, %(reference)s AS reference, CAST(%(unit)s AS uuid) AS unit_id, CAST(NULL AS uuid) AS landlord_id,
               %(new_let)s AS new_let, %(related)s AS related, %(sublet)s AS sublet, CAST(%(begins)s AS date) AS begins,
               CAST(%(ends)s AS date) AS ends, CAST(%(rent)s AS bigint) AS rent_fen, CAST(%(area)s AS numeric) AS area_m2"""
    values = {
        "reference": reference, "unit": drawn.places.units[unit], "new_let": new_let, "related": related, "sublet": sublet,
        "begins": begins, "ends": ends, "rent": rent_fen, "area": area,
    }  # fmt: skip
    with drawn.database.transaction(operator(drawn)) as session:
        session.connection().exec_driver_sql(measuring(rows), values)


def ask(drawn: Drawn, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Look into the database as its superuser."""
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        return superuser.execute(statement.encode(), values or None).fetchall()


def kept(drawn: Drawn, reference: str, *columns: str) -> Any:
    """What is kept of an observation."""
    ((row),) = ask(drawn, f"SELECT {', '.join(columns)} FROM reg.rent_observation WHERE reference = %s", reference)
    return row if len(columns) > 1 else row[0]
