"""Spatial conditions that the index serves, for WHERE.

Each states the box comparison `&&` itself. ST_Intersects brings one along, but only until row-level security stands between: a
function that is not leak-proof is tried after the policies, and the index would stay unused.
"""

import math

import numpy as np
from shapely import Point
from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy.types import Boolean

from geo.bbox import Box, envelope
from geo.crs import METRIC, STORAGE, to_degrees, to_metric


def intersects_box(column: ColumnElement[object], box: Box) -> ColumnElement[bool]:
    """Whether the geometry (EPSG:4490) meets the box, touching included; a box across the 180th meridian counts on both sides."""
    return or_(*(_meets(column, half) for half in box.halves()))


def intersects_box_without_index(column: ColumnElement[object], box: Box) -> ColumnElement[bool]:
    """The same condition in a form that no spatial index can serve, for a walk along another index that should not be left."""
    return or_(*(~func.ST_Disjoint(column, envelope(half), type_=Boolean) for half in box.halves()))


def within_metres(column: ColumnElement[object], place: Point, metres: float) -> ColumnElement[bool]:
    """Whether the geometry (EPSG:4490) lies within `metres` of `place` (degrees), boundary included, measured in EPSG:4547.

    Raises ValueError unless `metres` is positive and finite.
    """
    if not 0 < metres < math.inf:
        raise ValueError("a distance is a positive number of metres")
    here = func.ST_Transform(func.ST_Point(place.x, place.y, STORAGE), METRIC)
    near = func.ST_DWithin(func.ST_Transform(column, METRIC), here, metres, type_=Boolean)
    return and_(_touches_box(column, _square_around(place, metres)), near)


def _meets(column: ColumnElement[object], box: Box) -> ColumnElement[bool]:
    return and_(_touches_box(column, box), func.ST_Intersects(column, envelope(box), type_=Boolean))


def _touches_box(column: ColumnElement[object], box: Box) -> ColumnElement[bool]:
    return column.bool_op("&&")(envelope(box))


def _square_around(place: Point, metres: float) -> Box:
    """The degrees that hold every point within `metres`, with a hundredth to spare because the metric grid's lines are bent."""
    easting, northing = to_metric(place.x, place.y)
    reach = metres * 1.01
    lon, lat = to_degrees(easting + np.array([-reach, reach, -reach, reach]), northing + np.array([-reach, -reach, reach, reach]))
    return Box(float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))
