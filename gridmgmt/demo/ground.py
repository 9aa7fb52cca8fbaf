"""The ground of the demo in the register: areas with their former boundaries, base grids, and the departments."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from geo.crs import STORAGE
from gridmgmt.demo.geography import DISTRICT, DISTRICT_NAME, Area, Geography
from gridmgmt.demo.loading import Columns, Wrote, write
from gridmgmt.demo.people import MARK
from gridmgmt.demo.texts import Ints
from gridmgmt.models import Area as AreaRow
from gridmgmt.models import AreaLineage, Organisation
from gridmgmt.models import Grid as GridRow

SPLIT: Final = dt.date(2016, 12, 26)
"""Day on which six subdistricts became ten, as the newspapers reported it."""
FOUNDED: Final = dt.date(2004, 7, 1)
GRIDS_DRAWN: Final = dt.date(2017, 1, 1)
FORMER: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "440306001": ("新安街道", ("440306017",)),
    "440306002": ("西乡街道", ("440306018", "440306019")),
    "440306003": ("福永街道", ("440306020", "440306021")),
    "440306004": ("沙井街道", ("440306022", "440306023")),
    "440306005": ("松岗街道", ("440306024", "440306025")),
    "440306006": ("石岩街道", ("440306026",)),
}
"""Subdistricts before the split. Only the code of 新安 is known to have been this; the others are the demo's own."""
DEPARTMENTS: Final[Mapping[str, str]] = {
    "POP_HOUSING": "人口和房屋管理", "POLICE": "公安", "TAX": "税务", "HOUSING": "住房建设", "HR": "人力资源", "CIVIL_AFFAIRS": "民政",
    "HEALTH": "卫生健康", "EDU": "教育", "EMERGENCY": "应急管理", "MARKET": "市场监管", "URBAN_MGMT": "城市管理", "STAT": "统计",
    "JUSTICE": "司法", "SOCIAL_SEC": "社会保险", "COMMERCE": "商务",
}  # fmt: skip
FINISHED: Final = uuid.uuid5(uuid.NAMESPACE_URL, "gridmgmt demo POP_HOUSING")
"""Id of the department that is written last of all: where it is, the demo is whole."""


@dataclass(frozen=True)
class Ids:
    """What PostgreSQL called the areas and grids, by code."""

    areas: Mapping[str, int]
    grids: Mapping[str, int]


def write_ground(session: Session, geography: Geography, wrote: Wrote) -> None:
    """Areas with their former boundaries, and base grids."""
    district = _area(session, Area(DISTRICT, DISTRICT_NAME, "", geography.district), None, "district", since=dt.date(1993, 1, 1))
    ids = {area.code: _area(session, area, district, "subdistrict", since=_since(area.code)) for area in geography.subdistricts}
    for community in geography.communities:
        _area(session, community, ids[community.parent], "community", since=_since(community.parent))
    for code, (name, successors) in FORMER.items():
        if not all(successor in ids for successor in successors):
            continue
        ground = shapely.coverage_union_all([area.geom for area in geography.subdistricts if area.code in successors])
        former = _area(session, Area(code, name, DISTRICT, ground), district, "subdistrict", since=FOUNDED, until=SPLIT)
        kind = "split" if len(successors) > 1 else "renumber"
        session.execute(
            insert(AreaLineage),
            [{"predecessor_id": former, "successor_id": ids[one], "kind": kind, "happened_on": SPLIT} for one in successors],
        )
    places = find_ids(session).areas

    def grids(at: Ints) -> Columns:
        some = [geography.grids[i] for i in at.tolist()]
        return {
            "code": [grid.code for grid in some],
            "scheme": ["base"] * len(some),
            "kind": ["base"] * len(some),
            "name": [grid.name for grid in some],
            "community_id": [str(places[grid.community]) for grid in some],
            "subdistrict_id": [str(places[grid.subdistrict]) for grid in some],
            "valid_from": [GRIDS_DRAWN.isoformat()] * len(some),
            "geom": ewkb(np.array([_multi(grid.geom) for grid in some], dtype=object)),
        }

    write(session, "grid", len(geography.grids), grids, actor=None, wrote=wrote)


def find_ids(session: Session) -> Ids:
    """The areas in force and the base grids that are in the register."""
    areas = session.execute(select(AreaRow.code, AreaRow.id).where(AreaRow.valid_to.is_(None), AreaRow.deleted_at.is_(None)))
    grids = session.execute(select(GridRow.code, GridRow.id).where(GridRow.scheme == "base", GridRow.deleted_at.is_(None)))
    return Ids({area.code: area.id for area in areas}, {grid.code: grid.id for grid in grids})


def write_departments(session: Session) -> None:
    """The departments, by their role codes. They mark that the demo is whole."""
    rows = [
        {
            "id": FINISHED if role == "POP_HOUSING" else uuid.uuid5(uuid.NAMESPACE_URL, f"gridmgmt demo {role}"),
            "name": f"{name}（{MARK}示）",
            "role_code": role,
            "valid_from": FOUNDED,
        }
        for role, name in DEPARTMENTS.items()
    ]
    session.execute(insert(Organisation), rows)


def ewkb(shapes: Any) -> list[str]:
    """Hexadecimal EWKB in EPSG:4490 of an array of geometries."""
    return shapely.to_wkb(shapely.set_srid(shapes, STORAGE), hex=True, include_srid=True).tolist()


def _since(code: str) -> dt.date:
    return SPLIT if any(code in successors for _, successors in FORMER.values()) else FOUNDED


def _area(session: Session, area: Area, parent: int | None, level: str, *, since: dt.date, until: dt.date | None = None) -> int:
    made = insert(AreaRow).values(
        code=area.code,
        name=area.name,
        level=level,
        parent_id=parent,
        valid_from=since,
        valid_to=until,
        approximate=True,
        geom=shapely.to_wkb(shapely.set_srid(_multi(area.geom), STORAGE), hex=True, include_srid=True),
    )
    return session.execute(made.returning(AreaRow.id)).scalar_one()


def _multi(shape: shapely.Geometry) -> shapely.MultiPolygon:
    return shapely.MultiPolygon(list(shapely.get_parts(shape)))
