"""Observations of the drawn district, written as the register writes them."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
from sqlalchemy import text

from gridmgmt.database import Actor
from gridmgmt.rents.observations import Observed, adding, changing, observe
from gridmgmt.security import accounts
from tests.drawn import Drawn
from tests.places import WEST


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
    tell(drawn, rows, values)


def tell(drawn: Drawn, rows: str, values: dict[str, Any] | None = None) -> None:
    """What rows say, a SELECT of sources, references and terms as an intake has it."""
    with drawn.database.transaction(operator(drawn)) as session:
        for statement in (changing(rows), adding(rows)):
            session.connection().exec_driver_sql(statement, values)


def let(drawn: Drawn, per_month: int = 3, *, seed: int = 1, first: int = 0, months: int = 24) -> None:
    """Surveys of the drawn units in each month from `first` on, counted from January 2022, at rents that climb by a third of a percent."""
    rng = np.random.default_rng(seed)
    entered = """
        INSERT INTO reg.landlord (subdistrict_id, kind, name, recorded_by)
        SELECT %s, 'person', 'landlord ' || n, %s FROM generate_series(1, 6) n ON CONFLICT DO NOTHING RETURNING id"""
    ask(drawn, entered, drawn.places.areas[WEST], operator(drawn).account_id)
    units = sorted(map(str, drawn.places.units.values()))
    people = [str(row[0]) for row in ask(drawn, "SELECT id FROM reg.landlord WHERE starts_with(name, %s) ORDER BY name", "landlord ")]
    rows: list[str] = []
    for month in range(first, first + months):
        for at in range(per_month):
            rent = int(200_000 * np.exp(month / 300 + rng.normal(0, 0.1)))
            unit, landlord = units[int(rng.integers(len(units)))], people[int(rng.integers(len(people)))]
            day = dt.date(2022 + month // 12, month % 12 + 1, 5)
            rows.append(f"('{seed}-{month}-{at}', '{unit}'::uuid, '{landlord}'::uuid, {rent}::bigint, date '{day}')")
    statement = f"""
        SELECT 'survey' AS source, v.name AS reference, v.unit AS unit_id, v.landlord AS landlord_id, TRUE AS new_let, FALSE AS related,
               FALSE AS sublet, v.day AS begins, v.day + 365 AS ends, v.rent AS rent_fen, CAST(50 AS numeric) AS area_m2
          FROM (VALUES {", ".join(rows)}) v (name, unit, landlord, rent, day)"""
    tell(drawn, statement)


def ask(drawn: Drawn, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Look into the database as its superuser."""
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        return superuser.execute(statement.encode(), values or None).fetchall()


def kept(drawn: Drawn, reference: str, *columns: str) -> Any:
    """What is kept of an observation."""
    ((row),) = ask(drawn, f"SELECT {', '.join(columns)} FROM reg.rent_observation WHERE reference = %s", reference)
    return row if len(columns) > 1 else row[0]
