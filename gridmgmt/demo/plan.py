"""How the figures of a scale are shared out among its subdistricts."""

import datetime as dt
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from gridmgmt.demo.buildings import room
from gridmgmt.demo.contents import Part
from gridmgmt.demo.geography import CENTRES, Geography, Grid
from gridmgmt.demo.managers import LAGGING, lagging
from gridmgmt.demo.scales import Scale
from gridmgmt.demo.texts import Ints, spread

SERIALS = 10_000_000
"""Identity numbers that can be told apart."""


def plan(scale: Scale, geography: Geography, today: dt.date) -> list[Part]:
    """One part a subdistrict in which people live, the largest first, so that two at a time end at much the same time."""
    subdistricts = [area for area in geography.subdistricts if CENTRES[area.code].share > 0]
    share = np.array([CENTRES[area.code].share for area in subdistricts])
    behind = lagging([area.code for area in subdistricts])
    buildings = spread(scale.buildings, share)
    rental = spread(scale.rental_buildings, buildings.astype(float), most=buildings)
    managers = _managers(scale.managers, rental, np.array([area.code in behind for area in subdistricts]))
    units, residents = spread(scale.units, buildings.astype(float)), spread(scale.residents, buildings.astype(float))
    residences, leases = spread(scale.residences, residents.astype(float)), spread(scale.leases, rental.astype(float))
    serials = np.cumsum(spread(SERIALS, share))
    names = {area.code: area.name for area in (*geography.subdistricts, *geography.communities)}
    members = {code: list(grids) for code, grids in groupby(geography.grids, lambda grid: grid.subdistrict)}
    parts = [
        Part(
            code=area.code,
            names=names,
            grids=members[area.code],
            buildings=_by_grid(int(buildings[i]), members[area.code]),
            rental=int(rental[i]),
            units=int(units[i]),
            residents=int(residents[i]),
            residences=int(residences[i]),
            managers=int(managers[i]),
            leases=int(leases[i]),
            behind=area.code in behind,
            serials=int(serials[i - 1]) if i else 0,
            today=(today - dt.date(1970, 1, 1)).days,
        )
        for i, area in enumerate(subdistricts)
    ]
    return sorted(parts, key=lambda part: -part.residences)


def _managers(total: int, rental: Ints, behind: np.ndarray) -> Ints:
    """Seven in ten where they are behind; what is left of the total for the others, or the other way round where that is too much."""
    slow = np.where(behind, (rental * LAGGING).astype(np.int64), 0)
    others = min(total - int(slow.sum()), int(rental[~behind].sum()))
    slow[behind] = spread(total - others, rental[behind].astype(float), most=rental[behind])
    slow[~behind] = spread(others, rental[~behind].astype(float), most=rental[~behind])
    return slow


def _by_grid(total: int, grids: Sequence[Grid]) -> Ints:
    """Where more people live stand more buildings, as far as there is room."""
    weights = np.array([grid.weight for grid in grids])
    return spread(total, weights, least=1 if total > 2 * len(grids) else 0, most=room(grids))
