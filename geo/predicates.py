"""Spatial conditions that the index serves, for WHERE.

Each states the box comparison `&&` itself. ST_Intersects brings one along, but only until row-level security stands between: a
function that is not leak-proof is tried after the policies, and the index would stay unused.
"""

import math
from typing import Any

import numpy as np
from shapely import Point
from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy.types import Boolean

from geo.bbox import Box
from geo.crs import METRIC, STORAGE, to_degrees, to_metric


def meets(column: ColumnElement[Any], shape: ColumnElement[Any], core: ColumnElement[Any] | None = None) -> ColumnElement[bool]:
    """Whether the geometry meets a shape, touching included, both of one reference system. `core`: that of a box (geo/bbox.py).

    What lies within the core by its own box meets the box; only the rest is looked at vertex by vertex, a tenth of a dense page.
    """
    exactly = func.ST_Intersects(column, shape, type_=Boolean)
    return and_(column.bool_op("&&")(shape), exactly if core is None else or_(column.bool_op("@")(core), exactly))


def intersects_box(column: ColumnElement[Any], box: Box) -> ColumnElement[bool]:
    """Whether the geometry (EPSG:4490) meets the box, touching included; a box across the 180th meridian counts on both sides."""
    halves = zip(box.literals(), box.cores(), strict=True)
    return or_(*(meets(column, func.geometry(half), func.geometry(core)) for half, core in halves))


def within_metres(column: ColumnElement[object], place: Point, metres: float) -> ColumnElement[bool]:
    """Whether the geometry (EPSG:4490) lies within `metres` of `place` (degrees), boundary included, measured in EPSG:4547.

    Raises ValueError unless `metres` is positive and finite.
    """
    if not 0 < metres < math.inf:
        raise ValueError("a distance is a positive number of metres")
    here = func.ST_Transform(func.ST_Point(place.x, place.y, STORAGE), METRIC)
    near = func.ST_DWithin(func.ST_Transform(column, METRIC), here, metres, type_=Boolean)
    return and_(column.bool_op("&&")(func.geometry(_square_around(place, metres).literals()[0])), near)


def _square_around(place: Point, metres: float) -> Box:
    """The degrees that hold every point within `metres`, with a hundredth to spare because the metric grid's lines are bent."""
    easting, northing = to_metric(place.x, place.y)
    reach = metres * 1.01
    lon, lat = to_degrees(easting + np.array([-reach, reach, -reach, reach]), northing + np.array([-reach, -reach, reach, reach]))
    return Box(float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))
