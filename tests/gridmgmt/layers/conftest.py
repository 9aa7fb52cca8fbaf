"""The drawn district, and what a layer tells of it."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, text

from geo.features import Look
from gridmgmt.database import Actor
from gridmgmt.layers import LAYERS
from gridmgmt.layers.selection import Selection, rows_of
from tests.drawn import Drawn

Told = list[dict[str, Any]]


def told(register: Drawn, actor: Actor, layer: str, *before: str, as_of: dt.datetime | None = None, on: dt.date | None = None) -> Told:
    """The properties of all features that the actor sees of a layer, by id; `before` that the actor does what is undone afterwards."""
    rows = rows_of(Selection(layer, Look(()), then=as_of is not None, since=on is not None, until=on is not None))
    columns = [rows.c[one.name] for one in LAYERS[layer].properties]
    values: Mapping[str, object] = {"moment": as_of, "since": on, "until": on}
    with register.database.transaction(actor) as session:
        for statement in before:
            session.execute(text(statement))
        found = session.execute(select(*columns).order_by(rows.c.id), values).mappings().all()
        session.rollback()
    return [dict(one) for one in found]
