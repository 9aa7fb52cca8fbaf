"""Areas of a file: districts, subdistricts and communities with their boundaries, parents before children in whatever order they come."""

import datetime as dt
from typing import Any, Final

import shapely

from geo.geometry import AREAS, MAX_AREA_VERTICES, GeometryError, as_multipolygon, check
from gridmgmt.intake import checks
from gridmgmt.intake.columns import Column
from gridmgmt.intake.loading import Load
from gridmgmt.intake.reading import Shape
from gridmgmt.intake.refusals import FileRefusedError
from gridmgmt.registers.terms import LEVELS

SINCE: Final = dt.date(1949, 10, 1)
"""From when an area is taken to be valid where the file does not say."""
LEVEL_OF: Final = {6: "district", 9: "subdistrict", 12: "community"}
DIGITS: Final = {level: digits for digits, level in LEVEL_OF.items()}
PARENT: Final = {9: 6, 12: 9}

STAGE: Final = """
CREATE TEMP TABLE staged (line int, code text, name text, level text, parent text, valid_from date, approximate boolean, geom bytea)
  ON COMMIT DROP"""

CLOSED: Final = """
DELETE FROM pg_temp.staged s
 WHERE EXISTS (SELECT FROM reg.area a WHERE a.code = s.code AND a.deleted_at IS NULL AND a.valid_to > coalesce(s.valid_from,
   (SELECT o.valid_from FROM reg.area o WHERE o.code = s.code AND o.deleted_at IS NULL AND o.valid_to IS NULL), :since))
RETURNING s.line, 'valid_from', 'the code named another area until a later day'"""

NO_PARENT: Final = """
DELETE FROM pg_temp.staged s
 WHERE s.parent IS NOT NULL AND NOT EXISTS (SELECT FROM pg_temp.staged p WHERE p.code = s.parent)
   AND NOT EXISTS (SELECT FROM reg.area a WHERE a.code = s.parent AND a.deleted_at IS NULL AND a.valid_to IS NULL)
RETURNING s.line, 'parent', 'unknown parent, or one that was refused'"""

PLACED: Final = """
CREATE TEMP TABLE placed ON COMMIT DROP AS
SELECT s.*, a.id AS known FROM pg_temp.staged s
  LEFT JOIN reg.area a ON a.code = s.code AND a.deleted_at IS NULL AND a.valid_to IS NULL"""

UNCHANGED: Final = """
DELETE FROM pg_temp.placed p USING reg.area a LEFT JOIN reg.area up ON up.id = a.parent_id
 WHERE a.id = p.known AND (a.name, a.valid_from, a.approximate)
     = (p.name, coalesce(p.valid_from, a.valid_from), coalesce(p.approximate, a.approximate))
   AND up.code IS NOT DISTINCT FROM p.parent AND ST_AsBinary(a.geom) = p.geom"""

CORRECT: Final = """
UPDATE reg.area a SET name = p.name, valid_from = coalesce(p.valid_from, a.valid_from),
    approximate = coalesce(p.approximate, a.approximate), geom = ST_GeomFromWKB(p.geom, 4490), parent_id = up.id
  FROM pg_temp.placed p
  LEFT JOIN reg.area up ON up.code = p.parent AND up.deleted_at IS NULL AND up.valid_to IS NULL
 WHERE a.id = p.known AND p.level = :level"""

CREATE: Final = """
INSERT INTO reg.area (code, name, level, parent_id, valid_from, approximate, geom)
SELECT p.code, p.name, p.level, up.id, coalesce(p.valid_from, :since), coalesce(p.approximate, false), ST_GeomFromWKB(p.geom, 4490)
  FROM pg_temp.placed p
  LEFT JOIN reg.area up ON up.code = p.parent AND up.deleted_at IS NULL AND up.valid_to IS NULL
 WHERE p.known IS NULL AND p.level = :level ORDER BY p.line"""


def columns() -> tuple[Column, ...]:
    """The columns of a file of areas. Level and parent follow from the code where they are not said."""
    return (
        Column("code", ("编码", "行政区划代码", "区划代码", "代码", "code"), area_code),
        Column("name", ("名称", "name"), checks.words("name", 100)),
        Column("level", ("级别", "层级", "level"), checks.term("level", LEVELS), required=False, blank=True),
        Column("parent", ("上级编码", "上级代码", "parent"), area_code, required=False, blank=True),
        Column("valid_from", ("生效日期", "启用日期", "valid from"), checks.date("valid from"), required=False, blank=True),
        Column("approximate", ("是否近似", "approximate"), checks.yes_or_no("approximate"), required=False, blank=True),
    )


def area_code(text: str) -> str | checks.Fault:
    """A code of 6, 9 or 12 digits (GB/T 2260 and below)."""
    told = "".join(checks.plain(text).split())
    if len(told) in LEVEL_OF and told.isascii() and told.isdigit():
        return told
    return checks.Fault("the code is not 6 digits of a district, 9 of a subdistrict or 12 of a community")


def load_areas(load: Load) -> None:
    """Write the areas. Raises FileRefusedError for a file without geometries."""
    require_shapes(load)
    load.run(STAGE)
    names = ("line", "code", "name", "level", "parent", "valid_from", "approximate", "geom")
    for rows in load.read():
        staged: list[tuple[Any, ...]] = []
        for i, line in enumerate(rows.lines):
            code: str = rows.values["code"][i]
            level = rows.values["level"][i] or LEVEL_OF[len(code)]
            parent = rows.values["parent"][i] or (code[: PARENT[len(code)]] if len(code) in PARENT else None)
            if DIGITS[level] != len(code):
                load.refuse(line, "level", f"the code of a {level} has {DIGITS[level]} digits")
            elif parent is not None and len(parent) != PARENT.get(len(code)):
                load.refuse(line, "parent", f"an area of this code has {'no parent' if level == 'district' else 'another kind of parent'}")
            elif (boundary := boundary_of(load, line, rows.shapes[i])) is not None:
                said = (rows.values["name"][i], level, parent, rows.values["valid_from"][i], rows.values["approximate"][i])
                staged.append((line, code, *said, boundary))
        load.copy("staged", names, staged)
    load.progress("check", 0, load.rows)
    load.drop_repeats("staged", "code", "code", "the code")
    load.drop(CLOSED, since=SINCE)
    while load.drop(NO_PARENT):
        pass
    load.run(PLACED)
    load.unchanged = load.run(UNCHANGED)
    for level in LEVELS:
        load.count("created", load.run(CREATE, level=level, since=SINCE))
        load.count("corrected", load.run(CORRECT, level=level))
    load.accepted = load.counts["created"] + load.counts["corrected"]


def require_shapes(load: Load) -> None:
    """Raise FileRefusedError for a file that can hold no boundaries."""
    if not load.table.has_shapes:
        raise FileRefusedError("areas and grids need their boundaries: hand over GeoJSON or GeoPackage, not a table")


def boundary_of(load: Load, line: int, shape: Shape) -> bytes | None:
    """The boundary as a multipolygon in WKB, once it is known to be valid; refuses the row otherwise."""
    if shape is None or isinstance(shape, GeometryError):
        load.refuse(line, "geometry", "the geometry is missing" if shape is None else str(shape))
        return None
    try:
        return shapely.to_wkb(as_multipolygon(check(shape, kinds=AREAS, max_vertices=MAX_AREA_VERTICES)))
    except GeometryError as fault:
        load.refuse(line, "geometry", str(fault))
        return None
