"""Units of a file: rooms and flats, each in the building that its house code names."""

from decimal import Decimal
from typing import Final

from gridmgmt.intake import checks
from gridmgmt.intake.columns import Column
from gridmgmt.intake.loading import Load
from gridmgmt.registers.terms import USES

STAGED: Final = ("code", "building", "floor", "room", "area", "use", "occupants")

STAGE: Final = """
CREATE TEMP TABLE staged (line int, code text, house_code text, floor int, room text, area_m2 numeric, use text, max_occupants int)
  ON COMMIT DROP"""

NO_BUILDING: Final = """
DELETE FROM pg_temp.staged s WHERE NOT EXISTS (SELECT FROM reg.building b WHERE b.house_code = s.house_code AND b.deleted_at IS NULL)
RETURNING s.line, 'building', 'unknown building'"""

BUILDING_GONE: Final = """
DELETE FROM pg_temp.staged s USING reg.building b
 WHERE b.house_code = s.house_code AND b.retired_on IS NOT NULL
   AND NOT EXISTS (SELECT FROM reg.unit u WHERE u.code = s.code AND u.retired_on <= b.retired_on)
RETURNING s.line, 'building', 'the building was retired on ' || b.retired_on"""

PLACED: Final = """
CREATE TEMP TABLE placed ON COMMIT DROP AS
SELECT s.*, b.id AS building_id, b.grid_id, b.subdistrict_id, u.id AS known, u.building_id AS known_building,
       u.deleted_at IS NOT NULL AS struck
  FROM pg_temp.staged s
  JOIN reg.building b ON b.house_code = s.house_code
  LEFT JOIN reg.unit u ON u.code = s.code"""

ELSEWHERE: Final = """
DELETE FROM pg_temp.placed WHERE struck OR known_building <> building_id
RETURNING line, 'code', CASE WHEN struck THEN 'unit code belonged to a unit that was struck off'
  ELSE 'unit code is of another building' END"""

UNCHANGED: Final = """
DELETE FROM pg_temp.placed p USING reg.unit u
 WHERE u.id = p.known AND (u.floor, u.room, u.area_m2, u.use) = (p.floor, p.room, p.area_m2, p.use)
   AND u.max_occupants IS NOT DISTINCT FROM coalesce(p.max_occupants, u.max_occupants)"""

CORRECT: Final = """
UPDATE reg.unit u SET floor = p.floor, room = p.room, area_m2 = p.area_m2, use = p.use,
    max_occupants = coalesce(p.max_occupants, u.max_occupants)
  FROM pg_temp.placed p WHERE u.id = p.known"""

CREATE: Final = """
INSERT INTO reg.unit (recorded_by, building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use, max_occupants)
SELECT (SELECT sec.actor()), building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use, max_occupants
  FROM pg_temp.placed WHERE known IS NULL AND line > :after AND line <= :upto ORDER BY line"""


def columns() -> tuple[Column, ...]:
    """The columns of a file of units."""
    area = checks.between("area", Decimal("0.01"), Decimal(1_000_000), places=2)
    return (
        Column("code", ("单元编码", "房间编码", "套房编码", "unit code", "unit"), checks.code("unit code", 25)),
        Column("building", ("房屋编码", "楼栋编码", "building", "house code"), checks.code("house code", 19)),
        Column("floor", ("楼层", "所在楼层", "floor"), checks.floor("floor")),
        Column("room", ("房号", "房间号", "room"), checks.words("room", 40)),
        Column("area", ("建筑面积", "面积", "area", "area m2"), area),
        Column("use", ("用途", "房屋用途", "use"), checks.term("use", USES)),
        Column("occupants", ("最大居住人数", "max occupants"), checks.whole("max occupants", 0, 10_000), required=False, blank=True),
    )


def load_units(load: Load) -> None:
    """Write the units."""
    load.run(STAGE)
    names = ("line", "code", "house_code", "floor", "room", "area_m2", "use", "max_occupants")
    for rows in load.read():
        load.copy("staged", names, list(zip(rows.lines, *(rows.values[name] for name in STAGED), strict=True)))
    load.progress("check", 0, load.rows)
    load.run("ANALYZE pg_temp.staged (code, house_code)")
    load.drop(NO_BUILDING)
    load.drop(BUILDING_GONE)
    load.drop_repeats("staged", "code", "code", "the unit code")
    load.run(PLACED)
    load.run("ANALYZE pg_temp.placed (line, known)")
    load.drop(ELSEWHERE)
    load.unchanged = load.run(UNCHANGED)
    corrected = load.run(CORRECT)
    created = load.write(CREATE)
    load.accepted = created + corrected
    load.counts |= {"created": created, "corrected": corrected}
