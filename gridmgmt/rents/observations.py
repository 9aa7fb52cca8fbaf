"""Rent observations: what units were let for, from concluded leases and from imported assessments and surveys, measured and guarded.

Whatever cannot be right is set aside with a reason (quarantine) and never dropped: the register keeps the lease, the observation tells
why it does not count. Gross errors that only others of their kind reveal are the matter of gridmgmt/rents/methods/trim.py.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

ATTRIBUTES: Final = ("log_area", "log_area_squared", "age", "age_squared", "undated", "floor", "ground", "top", "tall", "term")
"""What a rent per square metre is explained by, besides place, class and kind of let; each in millionths, counted from a usual value:

ln(area ÷ 50 m²) and its square ÷ 4; decades of the building's age at the start, at most nine, less two, and its square ÷ 4; whether its
year is unknown; tens of floors above the third, at most ten; whether on the ground floor, on the top floor, in a building of seven floors
or more (which must have a lift); and the logarithm of the term in years.
"""
MICRO: Final = 1_000_000
"""Logarithms and attributes are kept as whole millionths: sums of integers are exact in any order."""
REASONS: Final = ("rent_not_positive", "area_missing", "term_inverted", "implausible", "related_parties", "sublet")
LEAST: Final = 0.5
MOST: Final = 20_000
"""Yuan per square metre and month outside of which nothing is let: a unit was mixed up (a year's rent of a mu, say)."""
SMALLEST: Final = 1
LARGEST: Final = 100_000
"""Square metres outside of which nothing is let as one unit."""

# greatest() would take a missing year for a new building
AGE = (
    "CASE WHEN b.built_year IS NULL THEN NULL ELSE least(greatest(extract(year FROM o.begins) - b.built_year, 0), 90)::float8 / 10 - 2 END"
)
AREA = "ln(o.area_m2::float8 / 50)"
MEASURES: Final = {
    "log_rent": "ln(o.rent_fen::float8 / 100 / o.area_m2::float8)",
    "log_area": AREA,
    "log_area_squared": f"({AREA}) ^ 2 / 4",
    "age": f"coalesce({AGE}, 0)",
    "age_squared": f"coalesce((({AGE}) ^ 2) / 4, 0)",
    "undated": "(b.built_year IS NULL)::int",
    "floor": "(least(u.floor, 103) - 3)::float8 / 10",
    "ground": "(u.floor = 1)::int",
    "top": "(u.floor = b.floors_above)::int",
    "tall": "(b.floors_above >= 7)::int",
    "term": "ln(least(greatest(coalesce(o.ends, o.begins + 365) - o.begins, 7), 36500)::float8 / 365)",
}
GUARD: Final = f"""CASE
    WHEN o.rent_fen <= 0 THEN 'rent_not_positive'
    WHEN coalesce(o.area_m2, 0) <= 0 THEN 'area_missing'
    WHEN o.ends <= o.begins THEN 'term_inverted'
    WHEN o.rent_fen / 100.0 / o.area_m2 NOT BETWEEN {LEAST} AND {MOST}
      OR o.area_m2 NOT BETWEEN {SMALLEST} AND {LARGEST} THEN 'implausible'
    WHEN o.related THEN 'related_parties'
    WHEN o.sublet THEN 'sublet' END"""
COPIED: Final = (
    "source", "reference", "unit_id", "grid_id", "subdistrict_id", "community_id", "landlord_id", "use", "class", "new_let", "related",
    "sublet", "begins", "ends", "rent_fen", "area_m2",
)  # fmt: skip
WRITTEN: Final = (*COPIED, "reason", *MEASURES)
CHANGED: Final = WRITTEN[WRITTEN.index("community_id") :]

CONCLUDED = "l.deleted_at IS NULL AND l.state NOT IN ('drafted', 'cancelled')"
LEASES: Final = f"""
  SELECT 'lease' AS source, l.number AS reference, l.unit_id, l.landlord_id, l.new_let, false AS related, l.parent_id IS NOT NULL AS sublet,
         l.valid_from AS begins, l.valid_to AS ends, l.rent_fen, l.area_basis_m2 AS area_m2
    FROM reg.lease l WHERE {CONCLUDED}"""  # noqa: S608 -- words of this file only
OTHERS: Final = """
  SELECT i.source, i.reference, i.unit_id, i.landlord_id, i.new_let, i.related, i.sublet, i.begins, i.ends, i.rent_fen, i.area_m2
    FROM reg.rent_observation i WHERE i.source <> 'lease' AND i.deleted_at IS NULL"""


def measured(rows: str) -> str:
    """The SELECT that measures `rows`, a SELECT with the columns of LEASES: the columns WRITTEN."""
    measures = ",\n".join(
        f"CASE WHEN g.reason IS NULL THEN round(({formula}) * {MICRO})::bigint END AS {name}" for name, formula in MEASURES.items()
    )
    return f"""
        SELECT o.source, o.reference, o.unit_id, u.grid_id, u.subdistrict_id, d.community_id, o.landlord_id, u.use, b.nature AS class,
               o.new_let, o.related, o.sublet, o.begins, o.ends, o.rent_fen, o.area_m2, g.reason, {measures}
          FROM ({rows}) o
          JOIN reg.unit u ON u.id = o.unit_id
          JOIN reg.building b ON b.id = u.building_id
          JOIN reg.grid d ON d.id = u.grid_id
         CROSS JOIN LATERAL (SELECT {GUARD} AS reason) g"""  # noqa: S608 -- words of this file only


def changing(rows: str) -> str:
    """The statement that corrects what is observed already and is told otherwise by `rows` now."""
    told, known = (", ".join(f"{alias}.{name}" for name in CHANGED) for alias in ("t", "k"))
    return f"""
        UPDATE reg.rent_observation k SET ({", ".join(CHANGED)}, deleted_at) = ({told}, NULL)
          FROM ({measured(rows)}) t
         WHERE k.source = t.source AND k.reference = t.reference AND (k.deleted_at IS NOT NULL OR ({told}) IS DISTINCT FROM ({known}))
        """  # noqa: S608 -- words of this file only


def adding(rows: str) -> str:
    """The statement that writes what `rows` tells and was not observed yet.

    Never one statement with `changing`: the triggers that keep the pairs of a unit's rents take what is new and what is corrected apart,
    and each takes all else for what it was before. What is new is collected first: looked for while it is written, it would be looked for
    among itself.
    """
    return f"""
        WITH added AS MATERIALIZED (
          SELECT t.* FROM ({measured(rows)}) t
           WHERE NOT EXISTS (SELECT FROM reg.rent_observation k WHERE k.source = t.source AND k.reference = t.reference)
        )
        INSERT INTO reg.rent_observation ({", ".join(WRITTEN)}, recorded_by) SELECT a.*, (SELECT sec.actor()) FROM added a
        ON CONFLICT (source, reference) DO NOTHING
        """  # noqa: S608 -- words of this file only


GONE: Final = f"""
    UPDATE reg.rent_observation o SET deleted_at = transaction_timestamp()
     WHERE o.source = 'lease' AND o.deleted_at IS NULL
       AND NOT EXISTS (SELECT FROM reg.lease l WHERE l.number = o.reference AND {CONCLUDED})"""  # noqa: S608 -- words of this file only


@dataclass(frozen=True)
class Observed:
    """What a look at the register changed in the observations."""

    written: int
    struck_out: int


def observe(session: Session) -> Observed:
    """Bring the observations up to date with leases, units and buildings; the actor is of class loader. The sums follow by triggers.

    Set-based: what did not change is not written. Raises ConflictError when rents were computed while this transaction was under way.
    """
    # All of a district is joined by hashing, whatever the planner knows of a table that is being filled.
    session.connection().exec_driver_sql("SET LOCAL enable_nestloop = off")
    written = sum(_run(session, statement) for statement in (changing(LEASES), adding(LEASES), changing(OTHERS)))
    observed = Observed(written, _run(session, GONE))
    session.connection().exec_driver_sql("SET LOCAL enable_nestloop = DEFAULT")
    return observed


def _run(session: Session, statement: str) -> int:
    result = session.connection().exec_driver_sql(statement)
    return max(result.rowcount, 0)


def quarantined(session: Session) -> dict[str, int]:
    """How many observations are set aside, by reason."""
    query = "SELECT reason, count(*) FROM reg.rent_observation WHERE reason IS NOT NULL AND deleted_at IS NULL GROUP BY 1 ORDER BY 1"
    return {reason: int(number) for reason, number in session.execute(text(query)).all()}
