"""Buildings and units of one subdistrict of the demo: villages of close rental houses, and estates beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.crs import METRIC, STORAGE, reproject, to_degrees
from geo.datum import Datum, from_cgcs2000
from gridmgmt.demo.geography import Grid
from gridmgmt.demo.texts import Bytes, Flags, Floats, Ints, chance, spread, uuids

NATURES: Final = ("self_built", "collective", "factory_dormitory", "commodity", "apartment", "other")
SELF_BUILT, COLLECTIVE, DORMITORY, COMMODITY, APARTMENT, OTHER = range(6)
USES: Final = ("residential", "shop", "office", "plant", "warehouse", "other")
HOME, SHOP, OFFICE, PLANT, WAREHOUSE = range(5)
DATUMS: Final = tuple(Datum)
CGCS2000, GCJ02, BD09 = range(3)

MOST_OF_A_KIND: Final = {DORMITORY: 0.06, COLLECTIVE: 0.07, APARTMENT: 0.12, COMMODITY: 0.06}
"""Share of the rental units that stands in buildings of this nature at most; all others are built by villagers."""
RENTAL_UNITS: Final = 0.72
EDGE_M: Final = 30.0
"""No entrance is nearer than this to the edge of a grid: footprints stay inside."""
NEAREST_M: Final = 15.0
"""From one entrance to the next, about."""
PLOT_M2: Final = 500
"""Ground for a building; `room` counts by it."""


@dataclass(frozen=True)
class Buildings:
    """Arrays of one length, one element a building, ordered by grid."""

    ids: Bytes
    grid: Ints
    """Index into the grids of the part."""
    house_codes: list[str]
    names: list[str]
    addresses: list[str]
    entrances: Floats
    """Longitude and latitude (EPSG:4490)."""
    footprints: NDArray[Any]
    datum: Ints
    source: Floats
    """Longitude and latitude in the datum."""
    floors: Ints
    built: Ints
    nature: Ints
    rental: Flags


@dataclass(frozen=True)
class Units:
    """Arrays of one length, one element a unit, ordered by building."""

    ids: Bytes
    building: Ints
    codes: list[str]
    floor: Ints
    rooms: list[str]
    area: Ints
    """Hundredths of a square metre."""
    use: Ints
    most: Ints
    """Occupants allowed; 0 where none lives or nobody counts."""


@dataclass(frozen=True)
class Estate:
    """What stands in a part."""

    buildings: Buildings
    units: Units

    @property
    def dormitory(self) -> Flags:
        """Units of an employer's dormitory."""
        return self.buildings.nature[self.units.building] == DORMITORY

    @property
    def rental(self) -> Flags:
        """Units in rental buildings."""
        return self.buildings.rental[self.units.building]


def build_estate(part: str, names: dict[str, str], grids: Sequence[Grid], counts: Ints, *, rental: int, units: int) -> Estate:
    """`counts` buildings in each grid of a part, `rental` of them rental, with `units` units in all."""
    generator = chance("estate", part)
    grid = np.repeat(np.arange(len(grids)), counts)
    total = len(grid)
    let = np.zeros(total, dtype=bool)
    let[generator.choice(total, rental, replace=False)] = True
    per_building = _share_units(generator, let, units)
    nature = _natures(generator, let, per_building)
    floors = _floors(generator, nature, per_building)
    points, angle, spacing = _places(generator, grids, counts)
    lon, lat = to_degrees(points[:, 0], points[:, 1])
    entrances = np.column_stack([lon, lat]).round(7)
    datum = generator.choice(3, total, p=(0.87, 0.10, 0.03))
    built = generator.integers(1986, 2021, total)
    codes = _house_codes([g.community for g in grids], grid)
    lane, number = generator.integers(1, 80, total), generator.integers(1, 60, total)
    short = [names[grids[g].community].removesuffix("社区") for g in grid.tolist()]
    places = [f"{lane_}巷{number_}号" for lane_, number_ in zip(lane.tolist(), number.tolist(), strict=True)]
    where = [f"{names[grids[g].subdistrict]}{names[grids[g].community]}" for g in grid.tolist()]
    return Estate(
        Buildings(
            ids=uuids(generator, np.full(total, 16_000)),
            grid=grid,
            house_codes=codes,
            names=[f"{name}{place}" for name, place in zip(short, places, strict=True)],
            addresses=[f"{area}{place}" for area, place in zip(where, places, strict=True)],
            entrances=entrances,
            footprints=_footprints(generator, points, angle, spacing),
            datum=datum,
            source=deliver(entrances, datum),
            floors=floors,
            built=built,
            nature=nature,
            rental=let,
        ),
        _units(generator, codes, per_building, floors=floors, nature=nature, let=let),
    )


def room(grids: Sequence[Grid]) -> Ints:
    """How many buildings find room in each grid."""
    return np.array([int(grid.metric.buffer(-EDGE_M).area / PLOT_M2) for grid in grids])


def deliver(entrances: Floats, datum: Ints) -> Floats:
    """The coordinates as a source in that datum delivers them, to seven places."""
    source = entrances.copy()
    for index, name in enumerate(DATUMS):
        said = datum == index
        source[said] = np.column_stack(from_cgcs2000(entrances[said, 0], entrances[said, 1], name))
    return source.round(7)


def _share_units(generator: np.random.Generator, let: Flags, units: int) -> Ints:
    """Units of each building, at least one."""
    weights = generator.lognormal(0.0, 0.45, len(let))
    shares = np.zeros(len(let), dtype=np.int64)
    rental_units = round(units * RENTAL_UNITS) if not let.all() else units
    shares[let] = spread(rental_units, weights[let], least=1)
    shares[~let] = spread(units - rental_units, weights[~let], least=1)
    return shares


def _natures(generator: np.random.Generator, let: Flags, units: Ints) -> Ints:
    nature = np.where(let, SELF_BUILT, generator.choice((COMMODITY, SELF_BUILT, OTHER), len(let), p=(0.7, 0.25, 0.05)))
    order = generator.permutation(np.flatnonzero(let))
    filled = np.cumsum(units[order]) / max(1, int(units[let].sum()))
    low = 0.0
    for kind, share in MOST_OF_A_KIND.items():
        nature[order[(filled > low) & (filled <= low + share)]] = kind
        low += share
    return nature


def _floors(generator: np.random.Generator, nature: Ints, units: Ints) -> Ints:
    lowest = np.array([3, 4, 4, 6, 5, 2])[nature]
    highest = np.array([8, 8, 7, 30, 12, 5])[nature]
    return np.clip(generator.integers(lowest, highest + 1), 1, np.maximum(units, 1))


def _places(generator: np.random.Generator, grids: Sequence[Grid], counts: Ints) -> tuple[Floats, Floats, Floats]:
    """Easting and northing of entrances, one row each, direction of the lanes, and metres from one entrance to the next."""
    places: list[Floats] = [np.empty((0, 2))]
    angles: list[Floats] = []
    spacings: list[Floats] = []
    for grid, count in zip(grids, counts.tolist(), strict=True):
        if not count:
            continue
        ground = grid.metric.buffer(-EDGE_M)
        village = np.array(ground.representative_point().coords[0]) + generator.normal(0, 80, 2)
        angle = float(generator.uniform(0, np.pi / 2))
        spacing, lattice = _lattice(ground, village, angle, count)
        if len(lattice) < count:
            raise ValueError(f"grid {grid.code} has no room for {count} buildings")
        nearness = np.hypot(*(lattice - village).T) * generator.uniform(0.7, 1.3, len(lattice))
        chosen = np.sort(np.argsort(nearness, kind="stable")[:count])
        places.append(lattice[chosen] + generator.uniform(-1, 1, (count, 2)))
        angles.append(np.full(count, angle))
        spacings.append(np.full(count, spacing))
    points = np.vstack(places)
    return points, np.concatenate([np.empty(0), *angles]), np.concatenate([np.empty(0), *spacings])


def _lattice(ground: BaseGeometry, village: Floats, angle: float, count: int) -> tuple[float, Floats]:
    """Plots along the lanes of a village, as far apart as leaves room for three times the houses; nearer where there is no room for all."""
    spacing = float(np.clip(np.sqrt(ground.area / (count * 3)), 24.0, 60.0))
    left, bottom, right, top = ground.bounds
    reach = float(np.hypot(right - left, top - bottom) + np.hypot(*(village - np.array(ground.centroid.coords[0]))))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    while True:
        steps = np.arange(-reach, reach, spacing)
        plots = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) @ turn + village
        plots = plots[shapely.contains_xy(ground, plots)]
        if len(plots) >= count or spacing < NEAREST_M:
            return spacing, plots
        spacing *= 0.9


def _footprints(generator: np.random.Generator, points: Floats, angle: Floats, spacing: Floats) -> NDArray[Any]:
    """Rectangles of up to 16 by 24 metres along the lane, the entrance in the middle of a side; degrees."""
    count = len(points)
    width = generator.uniform(0.65, 1.0, count) * np.minimum(spacing - 4.0, 16.0)
    depth = generator.uniform(0.65, 1.0, count) * np.minimum(spacing - 4.0, 24.0)
    along = np.column_stack([-width, width, width, -width, -width]) / 2
    away = np.column_stack([np.zeros(count), np.zeros(count), depth, depth, np.zeros(count)])
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    corners = np.stack([points[:, :1] + along * cos - away * sin, points[:, 1:] + along * sin + away * cos], axis=-1)
    rectangles: Any = shapely.polygons(corners)
    rings = reproject(rectangles, METRIC, STORAGE)
    rounded = shapely.transform(rings, lambda vertices: vertices.round(8))
    made: Any = shapely.multipolygons(rounded, indices=np.arange(count)) if count else rounded
    return made


def _house_codes(communities: list[str], grid: Ints) -> list[str]:
    seen: dict[str, int] = {}
    codes: list[str] = []
    for index in grid.tolist():
        community = communities[index]
        seen[community] = seen.get(community, 0) + 1
        codes.append(f"{community}{seen[community] * 10:07d}")
    return codes


def _units(generator: np.random.Generator, houses: list[str], counts: Ints, *, floors: Ints, nature: Ints, let: Flags) -> Units:
    building = np.repeat(np.arange(len(counts)), counts)
    total = len(building)
    within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    per_floor = -(-counts // floors)
    floor = within // per_floor[building] + 1
    on_floor = within % per_floor[building] + 1
    kind, rental = nature[building], let[building]
    use = np.full(total, HOME)
    use[(floor == 1) & rental & (kind != DORMITORY) & (generator.random(total) < 0.4)] = SHOP
    use[(kind == COMMODITY) & rental & (floor > 1) & (generator.random(total) < 0.5)] = OFFICE
    works = (kind == COLLECTIVE) & rental & (generator.random(len(counts))[building] < 0.45)
    use[works] = np.where(generator.random(int(works.sum())) < 0.7, PLANT, WAREHOUSE)
    middle = np.log(np.array([30.0, 45.0, 110.0, 900.0, 500.0]))[use]
    middle = np.where((use == HOME) & ~rental, np.log(82.0), middle)
    wide = np.array([0.40, 0.45, 0.50, 0.60, 0.60])[use]
    area = (np.clip(np.exp(generator.normal(middle, wide)), 9.0, 8_000.0) * 10).round().astype(np.int64) * 10
    homes = (use == HOME) & rental
    most = np.where(homes, np.clip(area // 700 + 1, 2, 8), 0)
    most = np.where(homes & (kind == DORMITORY), np.clip(area // 500 + 1, 4, 12), most)
    return Units(
        ids=uuids(generator, np.full(total, 16_001)),
        building=building,
        codes=[f"{houses[b]}{f:03d}{n:03d}" for b, f, n in zip(building.tolist(), floor.tolist(), on_floor.tolist(), strict=True)],
        floor=floor,
        rooms=[f"{f}{n:02d}" for f, n in zip(floor.tolist(), on_floor.tolist(), strict=True)],
        area=area,
        use=use,
        most=most,
    )
