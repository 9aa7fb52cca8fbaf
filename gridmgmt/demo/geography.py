"""The ground of the demo district: Voronoi cells around the approximate centres of the subdistricts, of invented places of their
communities, and of their grids, clipped to an invented outline.

Names and codes are the statistics bureau's of June 2023. The boundaries are not: every area is marked approximate.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.crs import METRIC, STORAGE, reproject, to_metric
from gridmgmt.demo.scales import Scale
from gridmgmt.demo.texts import Floats, chance, spread

DISTRICT: Final = "440306"
DISTRICT_NAME: Final = "宝安区"
AIRPORT: Final = "440306400"
MARGIN_M: Final = 2_200.0
PRECISION_M: Final = 0.01
DECIMALS: Final = 8
"""Of a degree: about a millimetre."""
ROUNDS: Final = 4
"""Of Lloyd's algorithm, after which cells are of much the same size."""


@dataclass(frozen=True)
class Centre:
    """Approximate centre of a subdistrict, degrees (EPSG:4490), and its share of the residents."""

    lon: float
    lat: float
    share: float


CENTRES: Final[Mapping[str, Centre]] = {
    "440306017": Centre(113.884, 22.555, 0.12),
    "440306018": Centre(113.870, 22.579, 0.17),
    "440306019": Centre(113.850, 22.625, 0.07),
    "440306020": Centre(113.817, 22.670, 0.07),
    "440306021": Centre(113.797, 22.690, 0.10),
    "440306022": Centre(113.810, 22.728, 0.13),
    "440306023": Centre(113.835, 22.728, 0.08),
    "440306024": Centre(113.842, 22.772, 0.10),
    "440306025": Centre(113.862, 22.797, 0.08),
    "440306026": Centre(113.943, 22.674, 0.08),
    AIRPORT: Centre(113.811, 22.640, 0.0),
}


@dataclass(frozen=True)
class Area:
    """A subdistrict or community."""

    code: str
    name: str
    parent: str
    geom: BaseGeometry
    """Degrees (EPSG:4490)."""


@dataclass(frozen=True)
class Grid:
    """A base grid, with the weight by which residents and buildings are spread."""

    code: str
    name: str
    community: str
    geom: BaseGeometry
    """Degrees (EPSG:4490)."""
    metric: BaseGeometry
    """Metres (EPSG:4547)."""
    weight: float

    @property
    def subdistrict(self) -> str:
        """Code of the subdistrict."""
        return self.community[:9]


@dataclass(frozen=True)
class Geography:
    """All areas and grids; a parent is exactly the union of its children, and neighbours share their vertices."""

    district: BaseGeometry
    subdistricts: Sequence[Area]
    communities: Sequence[Area]
    grids: Sequence[Grid]


@dataclass(frozen=True)
class Name:
    """A community of the bureau's list."""

    code: str
    name: str
    subdistrict: str
    subdistrict_name: str


def read_names(scale: Scale) -> list[Name]:
    """The communities of a scale, by code."""
    text = files("gridmgmt.demo").joinpath("communities.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    names = [Name(r["community_code"], r["community_name"], r["subdistrict_code"], r["subdistrict_name"]) for r in rows]
    chosen = scale.subdistricts or tuple(CENTRES)
    return [name for code in sorted(chosen) for name in [n for n in names if n.subdistrict == code][: scale.communities_each]]


def draw(scale: Scale) -> Geography:
    """The ground of a scale, the same at every call."""
    names = read_names(scale)
    codes = sorted({name.subdistrict for name in names})
    seeds = np.column_stack(to_metric([CENTRES[c].lon for c in codes], [CENTRES[c].lat for c in codes]))
    hull: Any = shapely.convex_hull(shapely.multipoints(seeds))
    outline: BaseGeometry = hull.buffer(MARGIN_M, quad_segs=3)
    raw: dict[str, tuple[BaseGeometry, str, float]] = {}
    counts = _grid_counts(scale, names)
    for code, ground in zip(codes, _cells(seeds, outline), strict=True):
        inside = [name for name in names if name.subdistrict == code]
        for name, place in zip(inside, _divide(ground, len(inside), code), strict=True):
            generator = chance("weight", name.code)
            for i, cell in enumerate(_divide(place, counts[name.code], name.code)):
                raw[f"{name.code}{i + 1:03d}"] = (cell, name.code, float(generator.lognormal(0.0, 0.5)))
    shared = dict(zip(raw, _share_edges([cell for cell, _, _ in raw.values()]), strict=True))
    degrees = dict(zip(shared, _to_degrees(list(shared.values())), strict=True))
    grids = [
        Grid(code, f"第{int(code[12:])}网格", community, degrees[code], shared[code], weight)
        for code, (_, community, weight) in raw.items()
    ]
    communities = [Area(n.code, n.name, n.subdistrict, _union(g.geom for g in grids if g.community == n.code)) for n in names]
    label = {name.subdistrict: name.subdistrict_name for name in names}
    subdistricts = [Area(c, label[c], DISTRICT, _union(a.geom for a in communities if a.parent == c)) for c in codes]
    return Geography(_union(area.geom for area in subdistricts), subdistricts, communities, grids)


def _grid_counts(scale: Scale, names: Sequence[Name]) -> dict[str, int]:
    """Grids of each community: at least one, more where more people live."""
    members = {code: sum(1 for n in names if n.subdistrict == code) for code in CENTRES}
    weights = [CENTRES[n.subdistrict].share / members[n.subdistrict] for n in names]
    return dict(zip((n.code for n in names), spread(scale.grids, np.array(weights), least=1).tolist(), strict=True))


def _divide(ground: BaseGeometry, count: int, purpose: str) -> list[BaseGeometry]:
    """Cells of much the same size, from north to south."""
    if count == 1:
        return [ground]
    generator = chance("cells", purpose)
    seeds = _points_in(ground, count, generator)
    cells = _cells(seeds, ground)
    for _ in range(ROUNDS):
        seeds = shapely.get_coordinates(shapely.centroid(np.array(cells, dtype=object)))
        cells = _cells(seeds, ground)
    return sorted(cells, key=lambda cell: -float(cell.centroid.y))


def _points_in(ground: BaseGeometry, count: int, generator: np.random.Generator) -> Floats:
    left, bottom, right, top = ground.bounds
    found = np.empty((0, 2))
    while len(found) < count:
        tried = np.column_stack([generator.uniform(left, right, count * 4), generator.uniform(bottom, top, count * 4)])
        found = np.vstack([found, tried[shapely.contains_xy(ground, tried)]])
    return found[:count]


def _cells(seeds: Floats, ground: BaseGeometry) -> list[BaseGeometry]:
    """The part of the ground that is nearest to each seed, in the order of the seeds."""
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(seeds), extend_to=ground))
    _, owner = shapely.STRtree(cells).query(shapely.points(seeds), predicate="within")
    return [_largest(part) for part in shapely.intersection(cells[owner], ground)]


def _largest(shape: BaseGeometry) -> BaseGeometry:
    """A cell of a ground that is not convex may fall apart; what is cut off goes to a neighbour when edges are shared."""
    parts = shapely.get_parts(shape)
    return parts[int(np.argmax(shapely.area(parts)))]


def _share_edges(cells: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """The cells cut from one net of lines, so that neighbours share every vertex, also where three meet at the edge of a fourth."""
    shapes = np.array(cells, dtype=object)
    net = shapely.union_all(shapely.boundary(shapes), grid_size=PRECISION_M)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(net)))
    nearest = shapely.STRtree(shapes).nearest(shapely.point_on_surface(faces))
    return [shapely.coverage_union_all(faces[nearest == i]) if (nearest == i).any() else shapes[i] for i in range(len(shapes))]


def _to_degrees(shapes: Sequence[BaseGeometry]) -> NDArray[Any]:
    """Each vertex moved alike in all shapes that share it."""
    return shapely.transform(reproject(shapes, METRIC, STORAGE), lambda points: np.round(points, DECIMALS))


def _union(shapes: Iterator[BaseGeometry]) -> BaseGeometry:
    return shapely.coverage_union_all(list(shapes))
