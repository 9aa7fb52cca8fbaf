"""The grids of a whole district looked through for gaps, overlaps and places beyond their communities, as each import of grids does."""

import time
from collections.abc import Iterator
from typing import Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bench.stage import Figure, Stage
from geo.coverage import find_faults, find_overlaps

SIDE: Final = 50
"""Grids in a row, and rows."""
STEP: Final = 0.004
"""Degrees of a grid's side, with twenty vertices on each."""
LIMIT: Final = 10
"""Seconds."""


def measure(_: Stage) -> Iterator[Figure]:
    """Seconds for a district without faults, and for one whose every grid is drawn over all the others."""
    columns, rows = (numbers.ravel() for numbers in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    west, south = 113.7 + STEP * columns, 22.5 + STEP * rows
    grids = shapely.segmentize(shapely.box(west, south, west + STEP, south + STEP), STEP / 20)
    members: dict[str, list[BaseGeometry]] = {}
    for community, grid in zip((f"{column // 5}-{row // 4}" for column, row in zip(columns, rows, strict=True)), grids, strict=True):
        members.setdefault(community, []).append(grid)
    containers = {community: shapely.union_all(shapes) for community, shapes in members.items()}
    polygons = {f"{community}/{place}": grid for community, shapes in members.items() for place, grid in enumerate(shapes)}
    began = time.perf_counter()
    assert find_faults(polygons, containers, lambda code: code.split("/")[0]) == []
    yield Figure("coverage.sound", time.perf_counter() - began, LIMIT, "s", "limit", ("<=", 1))
    began = time.perf_counter()
    assert find_overlaps(dict.fromkeys(polygons, containers["0-0"]))
    yield Figure("coverage.all_over_all", time.perf_counter() - began, LIMIT, "s", "limit", ("<=", 1))
