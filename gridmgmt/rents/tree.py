"""The areas that numbers are published for: the district, its subdistricts and their communities."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from gridmgmt.errors import NotFoundError
from gridmgmt.rents.believed import believed, day_of
from gridmgmt.rents.methods.series import IntArray

AREAS: Final = f"""
    WITH RECURSIVE known AS {believed("area", "id", "code", "name", "level", "parent_id", "valid_to")}, below AS (
      SELECT id, code, name, level, parent_id FROM known WHERE id = :root
      UNION ALL SELECT a.id, a.code, a.name, a.level, a.parent_id FROM known a JOIN below b ON a.parent_id = b.id
       WHERE coalesce(a.valid_to, 'infinity') > :day)
    SELECT id, code, name, level, parent_id FROM below
     ORDER BY array_position(ARRAY['district', 'subdistrict', 'community'], level), code, id"""  # noqa: S608 -- words of this package only


@dataclass(frozen=True)
class Area:
    """One area of the tree; `parent` is its parent's place, −1 for the root."""

    id: int
    code: str
    name: str
    level: str
    parent: int


@dataclass(frozen=True)
class Tree:
    """Areas from the root downwards, level by level."""

    areas: tuple[Area, ...]

    @property
    def parents(self) -> IntArray:
        """Places of the parents, −1 for the root, (a,)."""
        return np.array([one.parent for one in self.areas], np.int64)

    def children(self, place: int) -> list[int]:
        """Places of the areas right below one."""
        return [at for at, one in enumerate(self.areas) if one.parent == place]

    def communities(self, place: int) -> IntArray:
        """Ids of the communities in an area, itself if it is one."""
        area = self.areas[place]
        if area.level == "community":
            return np.array([area.id], np.int64)
        below = [self.communities(child) for child in self.children(place)]
        return np.concatenate(below) if below else np.zeros(0, np.int64)

    def at(self, level: str) -> list[int]:
        """Places of the areas of a level."""
        return [at for at, one in enumerate(self.areas) if one.level == level]


def load_tree(session: Session, root: int, cut: dt.datetime) -> Tree:
    """The areas in an area that were in force at a data cut, itself first. Raises NotFoundError for an id that was none's."""
    rows = session.execute(text(AREAS), {"root": root, "cut": cut, "day": day_of(session, cut)}).all()
    if not rows:
        raise NotFoundError("there is no such area", field="area")
    place = {row.id: at for at, row in enumerate(rows)}
    return Tree(
        tuple(Area(row.id, row.code, row.name, row.level, place.get(row.parent_id, -1) if at else -1) for at, row in enumerate(rows))
    )
