"""What a layer is: a statement, the properties that are shown, and who may see it at all."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, or_

from gridmgmt.database import Actor

Statement = Select[*tuple[Any, ...]]
"""A SELECT of `id`, `geom` and the layer's properties, as geo/features.py reads it."""

REGISTER_ROLES = frozenset({"district", "subdistrict", "community", "worker"})

_LARGEST_NUMBER = 2_147_483_647


@dataclass(frozen=True)
class Property:
    """One public property: its name, its JSON type and what it says."""

    name: str
    type: Literal["string", "integer", "boolean"]
    title: str
    title_zh: str
    format: str | None = None


@dataclass(frozen=True)
class Layer:
    """What GIS may see of one noun. Rows are cut by row-level security; `roles` and `public` decide whether the layer is there at all."""

    name: str
    title: str
    title_zh: str
    description: str
    properties: tuple[Property, ...]
    statement: Callable[[dt.datetime | None], Statement]
    """Rows in force today, or as they were believed and in force at a moment."""
    id_type: Literal["integer", "uuid"]
    roles: frozenset[str] = REGISTER_ROLES
    public: bool = False
    minzoom: int = 0
    """Level of the map from which single features are drawn."""

    def is_seen_by(self, actor: Actor) -> bool:
        """Whether the layer exists for this actor. Anonymous callers have no role."""
        return self.public or actor.role in self.roles

    def read_id(self, text: str) -> object | None:
        """The id of a feature as it stands in an address, None for what cannot be one."""
        if self.id_type == "integer":
            number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
            return number if 0 < number <= _LARGEST_NUMBER else None
        try:
            return uuid.UUID(text) if len(text) == 36 else None
        except ValueError:
            return None


def in_force(rows: FromClause, moment: dt.datetime | None) -> ColumnElement[bool]:
    """Whether a row was not struck out and its period holds the district's day (today, or that of `moment`)."""
    day: Any = func.reg.today() if moment is None else func.date(func.timezone("Asia/Shanghai", moment))
    return and_(rows.c.deleted_at.is_(None), rows.c.valid_from <= day, or_(rows.c.valid_to.is_(None), rows.c.valid_to > day))
