"""How large a demo district is: the figures of Bao'an in 2011, whole, at 1:50, and small enough for tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ScaleName = Literal["tests", "demo", "district"]


@dataclass(frozen=True)
class Scale:
    """What is made at one scale. Counts are exact, except leases of former years and residences that ended, which are aimed at."""

    name: ScaleName
    grids: int
    workers: int
    buildings: int
    rental_buildings: int
    units: int
    residents: int
    """Living in the district today."""
    residences: int
    """Of today and of the three years before."""
    managers: int
    """Active appointments, one a building."""
    leases: int
    """Running today; about 0.6 times as many begin in a year, for four years back."""
    subdistricts: tuple[str, ...] = ()
    """Codes; all of the district unless given."""
    communities_each: int = 1_000
    """The first communities of each subdistrict."""


SCALES: Mapping[ScaleName, Scale] = {
    "tests": Scale("tests", 12, 14, 60, 40, 600, 500, 2_000, 36, 400, ("440306022", "440306023"), 3),
    "demo": Scale("demo", 300, 320, 2_500, 1_760, 52_000, 110_000, 400_000, 1_584, 30_000),
    "district": Scale("district", 2_500, 2_900, 125_000, 88_000, 2_600_000, 5_500_000, 20_000_000, 79_200, 1_500_000),
}
