"""The stories that the demo's tables tell. Each is planted at a place that its key names, so that a screen or a test finds it again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import shapely

from geo.datum import Datum
from gridmgmt.demo.buildings import COMMODITY, DATUMS, HOME, OFFICE, SELF_BUILT, Buildings, Estate, deliver
from gridmgmt.demo.geography import Grid
from gridmgmt.demo.leases import Leases, Terms, months_of, price
from gridmgmt.demo.texts import NEVER, Flags, Ints, chance, first_day

StoryName = Literal["laggards", "sublet", "birth_dates", "gcj02", "thin_cell", "split_2016", "overcrowded"]

WHAT: Final[dict[StoryName, str]] = {
    "laggards": "Building managers for 90 % of the rental buildings, and the subdistricts that are behind",
    "sublet": "A head lease, its sublet, and a tenant whom nobody declared",
    "birth_dates": "One person with three birth dates in three feeds",
    "gcj02": "A building delivered in GCJ-02, whose raw coordinates lie in the neighbouring community",
    "thin_cell": "A community and use with 17 rent observations in the last twelve months",
    "split_2016": "Former subdistricts that were split in 2016",
    "overcrowded": "A building in which more people live than its units may hold",
}
STAGE: Final = "440306022"
"""Subdistrict in which the stories of single houses and persons are set."""
THIN: Final = 17
FEEDS: Final = ("HEALTH", "SOCIAL_SEC")
"""Departments whose feeds contradict the identity number, each in its own way."""


@dataclass(frozen=True)
class Stage:
    """An estate into which the stories of houses have been built."""

    estate: Estate
    crowded: Flags
    """Units of the over-crowded building."""
    offices: Ints
    """Units of the thin cell."""
    apart: Flags
    """Units that have no other leases: those of the thin cell's use."""
    gcj02: str
    """House code."""
    overcrowded: str
    """House code."""
    thin_community: str


def set_stage(part: str, estate: Estate, grids: Sequence[Grid]) -> Stage:
    """Choose the houses of the stories and change what must be changed. Raises ValueError when the estate is too small for a story."""
    generator = chance("stories", part)
    community = np.array([int(grids[g].community) for g in estate.buildings.grid.tolist()])
    estate, offices, apart, cell = _thin_cell(generator, estate, community)
    buildings, gcj02 = _delivered_wrongly(estate.buildings, grids)
    estate = replace(estate, buildings=buildings)
    house = _small_house(estate, community != int(cell))
    units = estate.units
    return Stage(
        estate=estate,
        crowded=(units.building == house) & (units.most > 0),
        offices=offices,
        apart=apart,
        gcj02=gcj02,
        overcrowded=buildings.house_codes[house],
        thin_community=cell,
    )


def no_stage(estate: Estate) -> Stage:
    """An estate without stories."""
    nothing = np.zeros(len(estate.units.building), dtype=bool)
    return Stage(estate, nothing, np.empty(0, dtype=np.int64), nothing, "", "", "")


def let_offices(part: str, stage: Stage, communities: list[str], *, today: int) -> Leases:
    """One new lease for each office of the thin cell, begun within a year before the present quarter; none is grossly wrong."""
    generator = chance("offices", part)
    count = len(stage.offices)
    last = int(first_day(np.array([months_of(today)[0] // 3 * 3]))[0]) - 1
    start = np.sort(generator.choice(np.arange(today - 320, last + 1), count, replace=False)) if count else stage.offices
    terms = Terms(stage.offices, start, start + 730, np.full(count, NEVER), np.ones(count, dtype=bool), np.arange(count))
    return price(generator, part, stage.estate, communities, terms, today=today, gross=0.0)


def head_lease(estate: Estate, leases: Leases, lessee: Ints, today: int) -> int:
    """The lease that is sublet: of a villager's flat, running for half a year at least, by a tenant whom the register knows."""
    nature = estate.buildings.nature[estate.units.building[leases.unit]]
    fits = (nature == SELF_BUILT) & (estate.units.use[leases.unit] == HOME) & (lessee != NEVER)
    fits &= (leases.ended == NEVER) & (leases.start < today - 120) & (leases.end > today + 180)
    return int(np.flatnonzero(fits)[0])


def other_birth_dates(number: str) -> tuple[str, str, str]:
    """The birth date of an identity number, and two that clerks make of it: ten years off, and another day."""
    born = np.datetime64(f"{number[6:10]}-{number[10:12]}-{number[12:14]}")
    decade = f"{int(number[6:10]) - 10}-{number[10:12]}-{min(int(number[12:14]), 28):02d}"
    return str(born), decade, str(born + np.timedelta64(9, "D"))


def _thin_cell(generator: np.random.Generator, estate: Estate, community: Ints) -> tuple[Estate, Ints, Flags, str]:
    units = estate.units
    place = community[units.building]
    suitable = estate.rental & ~estate.dormitory
    codes, sizes = np.unique(place[suitable], return_counts=True)
    cell = int(codes[np.argmax(sizes)])
    inside = place == cell
    chosen = np.sort(generator.choice(np.flatnonzero(suitable & inside), THIN, replace=False))
    freed = inside & (units.use == OFFICE)
    use = np.where(freed, HOME, units.use)
    most = np.where(freed & estate.rental, np.clip(units.area // 700 + 1, 2, 8), units.most)
    use[chosen], most[chosen] = OFFICE, 0
    apart = np.zeros(len(use), dtype=bool)
    apart[chosen] = True
    return replace(estate, units=replace(units, use=use, most=most)), chosen, apart, str(cell)


def _delivered_wrongly(buildings: Buildings, grids: Sequence[Grid]) -> tuple[Buildings, str]:
    """The first building whose coordinates, read as if they were not in GCJ-02, lie in another community."""
    raw = deliver(buildings.entrances, np.full(len(buildings.grid), DATUMS.index(Datum.GCJ02)))
    tree = shapely.STRtree([grid.geom for grid in grids])
    point, grid = tree.query(shapely.points(raw), predicate="within")
    for house, lies in zip(point.tolist(), grid.tolist(), strict=True):
        if grids[lies].community != grids[int(buildings.grid[house])].community:
            datum, source = buildings.datum.copy(), buildings.source.copy()
            datum[house], source[house] = DATUMS.index(Datum.GCJ02), raw[house]
            return replace(buildings, datum=datum, source=source), buildings.house_codes[house]
    raise ValueError("no building lies near enough to another community")


def _small_house(estate: Estate, allowed: Flags) -> int:
    """A villager's rental house with at least five counted dwellings, as small as there is."""
    homes = np.bincount(estate.units.building[estate.units.most > 0], minlength=len(estate.buildings.grid))
    fits = allowed & estate.buildings.rental & (estate.buildings.nature == SELF_BUILT) & (homes >= 5)
    houses = np.flatnonzero(fits)
    return int(houses[np.argmin(homes[houses])])


def by_unit(estate: Estate, stage: Stage) -> Flags:
    """Units that have a landlord of their own: flats of an estate, and the offices of the thin cell."""
    own = estate.buildings.nature[estate.units.building] == COMMODITY
    own[stage.offices] = True
    return own
