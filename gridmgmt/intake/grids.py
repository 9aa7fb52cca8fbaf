"""Grids of a file, all or nothing: base grids tile their community without overlap or gap, or none of the file is written."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import shapely
from shapely.geometry.base import BaseGeometry

from geo.coverage import Fault, Gap, Invalid, Outside, Overlap, find_faults, find_overlaps
from geo.geometry import AREAS, MAX_AREA_VERTICES, GeometryError, as_multipolygon, check
from gridmgmt.intake import checks
from gridmgmt.intake.areas import require_shapes
from gridmgmt.intake.columns import Column
from gridmgmt.intake.loading import Load

STAGE: Final = """
CREATE TEMP TABLE staged (line int, code text, scheme text, name text, community_id int, subdistrict_id int, valid_from date, geom bytea)
  ON COMMIT DROP"""

COMMUNITIES: Final = """
SELECT code, id, parent_id, ST_AsBinary(geom) FROM reg.area
 WHERE level = 'community' AND deleted_at IS NULL AND valid_from <= reg.today() AND (valid_to IS NULL OR valid_to > reg.today())"""

GRIDS: Final = """
SELECT g.code, g.scheme, g.deleted_at IS NOT NULL OR g.valid_to <= reg.today(), ST_AsBinary(g.geom), a.code
  FROM reg.grid g JOIN reg.area a ON a.id = g.community_id"""

PLACED: Final = """
CREATE TEMP TABLE placed ON COMMIT DROP AS
SELECT s.*, g.id AS known FROM pg_temp.staged s LEFT JOIN reg.grid g ON g.scheme = s.scheme AND g.code = s.code"""

UNCHANGED: Final = """
DELETE FROM pg_temp.placed p USING reg.grid g
 WHERE g.id = p.known AND (g.name, g.valid_from, g.community_id) = (p.name, p.valid_from, p.community_id)
   AND ST_AsBinary(g.geom) = p.geom"""

CORRECT: Final = """
UPDATE reg.grid g SET name = p.name, valid_from = p.valid_from, community_id = p.community_id, subdistrict_id = p.subdistrict_id,
    geom = ST_GeomFromWKB(p.geom, 4490)
  FROM pg_temp.placed p WHERE g.id = p.known"""

CREATE: Final = """
INSERT INTO reg.grid (code, scheme, kind, name, community_id, subdistrict_id, valid_from, geom)
SELECT code, scheme, CASE scheme WHEN 'base' THEN 'base' WHEN 'dedicated' THEN 'dedicated' ELSE 'line_department' END, name, community_id,
    subdistrict_id, valid_from, ST_GeomFromWKB(geom, 4490)
  FROM pg_temp.placed WHERE known IS NULL ORDER BY line"""

REPLACE: Final = """
SELECT sec.replace_buildings(coalesce(array_agg(known), '{}')) FROM pg_temp.placed WHERE known IS NOT NULL AND scheme = 'base'"""


@dataclass(frozen=True)
class _Grid:
    """A grid of the file."""

    line: int
    code: str
    scheme: str
    name: str
    community: str
    valid_from: dt.date
    shape: BaseGeometry


def columns() -> tuple[Column, ...]:
    """The columns of a file of grids. Without a community, a code of 15 digits begins with that of its community."""
    scheme = checks.pattern("scheme", r"[a-z][a-z0-9_]{0,31}", "a word of small letters, digits and _ that begins with a letter")
    code = checks.pattern("grid code", r"[0-9A-Za-z-]{1,32}", "1 to 32 letters, digits and hyphens")
    return (
        Column("code", ("网格编码", "编码", "code", "grid code"), code),
        Column("name", ("网格名称", "名称", "name"), checks.words("name", 100)),
        Column("scheme", ("网格体系", "体系", "scheme"), scheme, required=False, blank=True),
        Column("community", ("社区编码", "community"), checks.code("community code", 12), required=False, blank=True),
        Column("valid_from", ("生效日期", "启用日期", "valid from"), checks.date("valid from")),
    )


def load_grids(load: Load) -> None:
    """Write the grids, or refuse the whole file and say each fault with its place and size."""
    require_shapes(load)
    communities = {code: (area, parent, shapely.from_wkb(wkb)) for code, area, parent, wkb in load.fetch(COMMUNITIES)}
    there = load.fetch(GRIDS)
    retired = {(code, scheme) for code, scheme, gone, _, _ in there if gone}
    grids = [
        grid for grid in _read(load) if _fits(load, grid, known=grid.community in communities, retired=(grid.code, grid.scheme) in retired)
    ]
    load.progress("check", 0, load.rows)
    _require_single(load, grids)
    standing = {code: (community, shapely.from_wkb(wkb)) for code, scheme, gone, wkb, community in there if scheme == "base" and not gone}
    _require_tiling(load, grids, standing, {code: shape for code, (_, _, shape) in communities.items()})
    if load.refused:
        return
    load.run(STAGE)
    names = ("line", "code", "scheme", "name", "community_id", "subdistrict_id", "valid_from", "geom")
    load.copy("staged", names, [_staged(grid, communities[grid.community][:2]) for grid in grids])
    load.run(PLACED)
    load.unchanged = load.run(UNCHANGED)
    corrected, created = load.run(CORRECT), load.run(CREATE)
    ((moved,),) = load.fetch(REPLACE)
    load.accepted = created + corrected
    load.counts |= {"created": created, "corrected": corrected, "buildings moved to another grid": moved}


def _read(load: Load) -> list[_Grid]:
    grids: list[_Grid] = []
    for rows in load.read():
        for i, line in enumerate(rows.lines):
            values = {name: column[i] for name, column in rows.values.items()}
            shape = rows.shapes[i]
            scheme = values["scheme"] or "base"
            community = values["community"] or values["code"][:12]
            if isinstance(shape, GeometryError):
                load.refuse(line, "geometry", f"grid {values['code']}: {shape}")
            elif shape is None:
                load.refuse(line, "geometry", f"grid {values['code']}: the geometry is missing")
            else:
                grids.append(_Grid(line, values["code"], scheme, values["name"], community, values["valid_from"], shape))
    return grids


def _fits(load: Load, grid: _Grid, *, known: bool, retired: bool) -> bool:
    """Whether the grid may be looked at with the others; refuses it otherwise."""
    span = {"base": ("001", "899"), "dedicated": ("901", "999")}.get(grid.scheme)
    if not known:
        load.refuse(grid.line, "code", f"grid {grid.code}: unknown community {grid.community}")
    elif span and not (len(grid.code) == 15 and grid.code.startswith(grid.community) and span[0] <= grid.code[12:] <= span[1]):
        load.refuse(grid.line, "code", f"grid {grid.code}: a {grid.scheme} code is the community's 12 digits and {span[0]} to {span[1]}")
    elif retired:
        load.refuse(grid.line, "code", f"grid {grid.code} was retired, and a retired code is never used again")
    elif grid.scheme == "base" and grid.valid_from > load.today:
        load.refuse(grid.line, "valid_from", f"grid {grid.code} begins after today: buildings are placed at once")
    else:
        return True
    return False


def _require_single(load: Load, grids: list[_Grid]) -> None:
    first: dict[tuple[str, str], int] = {}
    for grid in grids:
        line = first.setdefault((grid.scheme, grid.code), grid.line)
        if line != grid.line:
            load.refuse(grid.line, "code", f"grid {grid.code} stands in line {line} already")


def _require_tiling(
    load: Load, grids: list[_Grid], standing: Mapping[str, tuple[str, BaseGeometry]], communities: Mapping[str, BaseGeometry]
) -> None:
    """Refuse what keeps the base grids, those of the file beside those that stand, from tiling the communities of the file."""
    lines = {grid.code: grid.line for grid in grids if grid.scheme == "base"}
    community_of = {code: community for code, (community, _) in standing.items()} | {grid.code: grid.community for grid in grids}
    shapes = {code: shape for code, (_, shape) in standing.items()} | {grid.code: grid.shape for grid in grids if grid.scheme == "base"}
    touched = {grid.community for grid in grids if grid.scheme == "base"}
    inside = {code: shape for code, shape in shapes.items() if community_of[code] in touched}
    unread = bool(load.refused)
    faults = find_faults(inside, {code: communities[code] for code in touched}, community_of.__getitem__)
    broken = {fault.code for fault in faults if isinstance(fault, Invalid)}
    # Neighbours in other communities are looked at for overlaps only: how those are tiled is not this file's business.
    around = find_overlaps({code: shape for code, shape in shapes.items() if code not in broken})
    beyond = [overlap for overlap in around if not (overlap.codes[0] in inside and overlap.codes[1] in inside)]
    for fault in [*faults, *beyond]:
        if not isinstance(fault, Gap) or not unread:  # a row that was refused leaves a gap that is no fault of its own
            _refuse_fault(load, fault, lines)
    for grid in grids:
        if grid.scheme != "base":
            _require_valid(load, grid)


def _refuse_fault(load: Load, fault: Fault, lines: Mapping[str, int]) -> None:
    match fault:
        case Invalid():
            place = f" at {fault.lon:.6f}, {fault.lat:.6f}" if fault.lon is not None and fault.lat is not None else ""
            load.refuse(lines.get(fault.code, 1), "geometry", f"grid {fault.code} is invalid: {fault.message.split(' at ')[0]}{place}")
        case Overlap():
            one, other = fault.codes
            line = max(lines.get(one, 0), lines.get(other, 0))
            if line:
                load.refuse(line, "geometry", f"grids {one} and {other} overlap by {_size(fault)}")
        case Outside():
            if fault.code in lines:
                load.refuse(lines[fault.code], "geometry", f"grid {fault.code} leaves community {fault.container} by {_size(fault)}")
        case Gap():
            load.refuse(1, "geometry", f"community {fault.container} has a gap of {_size(fault)}")


def _size(fault: Overlap | Outside | Gap) -> str:
    return f"{fault.area_m2:,.1f} m² at {fault.lon:.6f}, {fault.lat:.6f}"


def _require_valid(load: Load, grid: _Grid) -> None:
    try:
        check(grid.shape, kinds=AREAS, max_vertices=MAX_AREA_VERTICES)
    except GeometryError as fault:
        load.refuse(grid.line, "geometry", f"grid {grid.code}: {fault}")


def _staged(grid: _Grid, ids: tuple[int, int]) -> tuple[Any, ...]:
    shape = as_multipolygon(shapely.orient_polygons(grid.shape))
    return (grid.line, grid.code, grid.scheme, grid.name, *ids, grid.valid_from, shapely.to_wkb(shape))
