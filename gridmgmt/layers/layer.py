"""What a layer is: a statement, the properties that are shown, and who may see it at all."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select

from gridmgmt.database import Actor
from gridmgmt.layers.style import Style
from gridmgmt.registers.terms import Terms

Statement = Select[*tuple[Any, ...]]
"""A SELECT of `id`, `geom`, the layer's properties and the ends of its period, as geo/features.py reads it."""

REGISTER_ROLES = frozenset({"district", "subdistrict", "community", "worker"})

_LARGEST_NUMBER = 2_147_483_647


@dataclass(frozen=True)
class Property:
    """One public property: its name, its JSON type and what it says."""

    name: str
    type: Literal["string", "integer", "number", "boolean"]
    title: str
    title_zh: str
    format: Literal["date"] | None = None
    terms: Terms = field(default_factory=dict, hash=False)
    """All values that it can have, where the table lists them in a CHECK, and how people call them."""

    @property
    def values(self) -> tuple[str, ...]:
        """The same without their names."""
        return tuple(self.terms)

    @property
    def kind(self) -> str:
        """The type of its values: `date`, or the JSON type."""
        return self.format or self.type


@dataclass(frozen=True)
class Writable:
    """What may be written of a layer's features, and by whom; which rows, row-level security says."""

    roles: frozenset[str]
    shapes: frozenset[str]
    """Types of GeoJSON geometries that are taken."""
    required: frozenset[str]
    """Properties that each feature has."""
    changed: frozenset[str]
    """Properties that may be changed, and are taken with a new feature."""
    fixed: frozenset[str] = frozenset()
    """Properties that are taken with a new feature and stay. Whatever else is shown follows from these."""


@dataclass(frozen=True)
class Layer:
    """What GIS may see of one noun. Rows are cut by row-level security; `roles` and `public` decide whether the layer is there at all."""

    name: str
    title: str
    title_zh: str
    description: str
    properties: tuple[Property, ...]
    rows: Callable[[dt.datetime | None], Statement]
    """Rows as they are believed now, or were at a moment: of whatever period, but none that were struck out."""
    nouns: tuple[str, ...]
    """Tables of `reg` that the rows are made of: when none of them changed, neither did the layer."""
    id_type: Literal["integer", "uuid"]
    rows_on: Callable[[dt.datetime | None, ColumnElement[dt.date]], Statement] | None = None
    """The same, counted for an earlier day: of layers that count what holds on one day."""
    roles: frozenset[str] = REGISTER_ROLES
    public: bool = False
    period: tuple[str | None, str | None] = (None, None)
    """Columns of the first day in force and of the first no longer; None where there is no such end."""
    shape: Literal["any", "point", "multipolygon"] = "multipolygon"
    """What its geometries are."""
    minzoom: int = 0
    """Level of the map from which single features are drawn."""
    drawn: tuple[str, ...] = ()
    """Properties that map tiles carry besides the id: few, because each costs its bytes in every tile. The first two unless said."""
    far: Literal["cells", "parents"] | None = None
    """What is drawn below `minzoom`: buildings counted by cells of the map, or rows counted by the area in their `parent_id`."""
    by_level: bool = False
    """Whether its rows are areas of several levels, of which maps draw subdistricts below `minzoom` and communities from there."""
    styles: tuple[Style, ...] = ()
    """How maps draw it; the first is the usual one. One colour unless said."""
    ground: bool = False
    """Whether it is drawn below every other layer on the map of the district."""
    writable: Writable | None = None
    """None where nobody writes."""

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
