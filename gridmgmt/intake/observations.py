"""Rent observations of a file: what a tax assessment found or somebody said in a survey, for a unit, beside what leases tell by themselves.

A cell that cannot be read is refused. What is read and cannot be right is kept and set aside with its reason, as of a lease: the guard is
the same statement, in gridmgmt/rents/observations.py.
"""

from decimal import Decimal
from typing import Final

from gridmgmt.intake import checks
from gridmgmt.intake.columns import Column
from gridmgmt.intake.leases import enter_landlords
from gridmgmt.intake.loading import MOST_WARNINGS, Load
from gridmgmt.registers.terms import OBSERVATION_SOURCES, RENT_UNITS
from gridmgmt.rents.observations import adding, changing

STAGED: Final = ("reference", "source", "unit", "rent", "rent_unit", "area", "begins", "ends", "new_let", "lessor", "related", "sublet")

STAGE: Final = """
CREATE TEMP TABLE staged (line int, reference text, source text, unit_code text, rent numeric, rent_unit text, area numeric, begins date,
  ends date, new_let boolean, lessor text, related boolean, sublet boolean) ON COMMIT DROP"""

NO_UNIT: Final = """
DELETE FROM pg_temp.staged s WHERE NOT EXISTS (SELECT FROM reg.unit u WHERE u.code = s.unit_code AND u.deleted_at IS NULL)
RETURNING s.line, 'unit', 'unknown unit'"""

# What the file leaves empty stays as it is known; an observation without an area is of the whole unit.
PLACED: Final = """
CREATE TEMP TABLE placed ON COMMIT DROP AS
SELECT s.line, s.source, s.reference, u.id AS unit_id, u.subdistrict_id, s.rent, s.rent_unit, s.begins, s.new_let, s.lessor,
       k.landlord_id AS old_landlord, coalesce(s.area, k.area_m2, u.area_m2) AS area, coalesce(s.ends, k.ends) AS ends,
       coalesce(s.related, k.related, false) AS related, coalesce(s.sublet, k.sublet, false) AS sublet, k.id AS known,
       CASE WHEN k.deleted_at IS NOT NULL THEN 'the observation was struck out'
         WHEN k.unit_id <> u.id THEN 'the observation is known, and of another unit' END AS trouble
  FROM pg_temp.staged s
  JOIN reg.unit u ON u.code = s.unit_code
  LEFT JOIN reg.rent_observation k ON k.source = s.source AND k.reference = s.reference"""

TROUBLED: Final = "DELETE FROM pg_temp.placed WHERE trouble IS NOT NULL RETURNING line, 'reference', trouble"

SAID: Final = """
SELECT p.source, p.reference, p.unit_id, coalesce(d.id, p.old_landlord) AS landlord_id, p.new_let, p.related, p.sublet, p.begins, p.ends,
       round(CASE p.rent_unit WHEN 'month' THEN p.rent * 100 WHEN 'm2_month' THEN p.rent * 100 * p.area ELSE p.rent * 100 / 12 END)::bigint
         AS rent_fen, p.area::numeric(10, 2) AS area_m2
  FROM pg_temp.placed p
  LEFT JOIN reg.landlord d ON d.subdistrict_id = p.subdistrict_id AND d.name = p.lessor AND d.deleted_at IS NULL"""

ASIDE: Final = "FROM pg_temp.placed p JOIN reg.rent_observation o ON o.source = p.source AND o.reference = p.reference"


def columns() -> tuple[Column, ...]:
    """The columns of a file of observations. The end is the first day after the term."""
    number = checks.pattern("reference", r"[0-9A-Za-z/_-]{1,40}", "1 to 40 letters, digits, - _ or /")
    rent = checks.between("rent", Decimal(-1_000_000_000), Decimal(1_000_000_000), places=2)
    area = checks.between("area", Decimal(-1_000_000), Decimal(1_000_000), places=2)
    return (
        Column("reference", ("观测编号", "编号", "reference"), number),
        Column("source", ("来源", "source"), checks.term("source", OBSERVATION_SOURCES)),
        Column("unit", ("单元编码", "房间编码", "套房编码", "unit", "unit code"), checks.code("unit code", 25)),
        Column("rent", ("租金", "月租金", "rent"), rent),
        Column("rent_unit", ("租金单位", "计租方式", "rent unit"), checks.term("rent unit", RENT_UNITS)),
        Column("area", ("建筑面积", "面积", "area", "area m2"), area, required=False, blank=True),
        Column("begins", ("起始日期", "租赁起始日期", "开始日期", "start"), checks.date("start")),
        Column("ends", ("终止日期", "租赁终止日期", "结束日期", "end"), checks.date("end"), required=False, blank=True),
        Column("new_let", ("是否新租", "new let"), checks.yes_or_no("new let")),
        Column("lessor", ("出租人", "出租方", "lessor"), checks.words("lessor", 200), required=False, blank=True),
        Column("related", ("关联方", "是否关联方", "related parties"), checks.yes_or_no("related parties"), required=False, blank=True),
        Column("sublet", ("转租", "是否转租", "sublet"), checks.yes_or_no("sublet"), required=False, blank=True),
    )


def load_observations(load: Load) -> None:
    """Write the observations, measured and guarded; those set aside are told."""
    load.run(STAGE)
    names = ("line", *("unit_code" if name == "unit" else name for name in STAGED))
    for rows in load.read():
        load.copy("staged", names, list(zip(rows.lines, *(rows.values[name] for name in STAGED), strict=True)))
    load.progress("check", 0, load.rows)
    load.run("ANALYZE pg_temp.staged (reference, unit_code)")
    load.drop(NO_UNIT)
    load.drop_repeats("staged", "source, reference", "reference", "the reference")
    load.run(PLACED)
    load.drop(TROUBLED)
    landlords = enter_landlords(load)
    ((placed,),) = load.fetch("SELECT count(*) FROM pg_temp.placed")
    corrected, created = load.run(changing(SAID)), load.run(adding(SAID))
    load.accepted = corrected + created
    load.unchanged = placed - load.accepted
    load.counts |= {"created": created, "corrected": corrected, "landlords": landlords}
    _tell_what_was_set_aside(load)
    load.progress("write", load.rows, load.rows)


def _tell_what_was_set_aside(load: Load) -> None:
    aside = f"{ASIDE} WHERE o.reason IS NOT NULL"
    for line, reason in load.fetch(f"SELECT p.line, o.reason {aside} ORDER BY p.line LIMIT :most", most=MOST_WARNINGS):
        load.warn(f"line {line}: kept and set aside: {reason.replace('_', ' ')}")
    ((every,),) = load.fetch(f"SELECT count(*) {aside}")
    load.silenced += max(0, every - MOST_WARNINGS)
    load.counts["set aside"] = every
