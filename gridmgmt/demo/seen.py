"""What was seen in one subdistrict of the demo in the last weeks: visits to rental buildings, and what managers reported."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from geo.crs import to_degrees, to_metric
from gridmgmt.demo.buildings import Estate
from gridmgmt.demo.managers import ACTIVE, Appointments
from gridmgmt.demo.texts import Floats, Ints, chance
from gridmgmt.registers.inspections import distance_from

WEEKS: Final = 60
"""Days back from yesterday."""
VISITED: Final = 0.10
"""Share of the rental buildings that were visited."""
REPORTING: Final = 0.20
"""Share of the active managers who reported something."""
VISITS: Final = ("patrol", "recheck", "complaint", "safety")
OUTCOMES: Final = ("ok", "hazard", "no_entry")
HAZARD: Final = 1
FINDINGS: Final = ("blocked_exit", "private_wiring", "gas_bottle", "charging_indoors", "no_extinguisher")
REPORTS: Final = ("move_in", "move_out", "hazard", "notice", "gate_check")
MOVES: Final = 2
"""The first of `REPORTS` count persons."""


@dataclass(frozen=True)
class Visits:
    """Arrays of one length, one element a visit. Days are counted from 1970-01-01."""

    building: Ints
    kind: Ints
    outcome: Ints
    finding: Ints
    """Of a hazard; meaningless elsewhere."""
    day: Ints
    minute: Ints
    """Of the district's day."""
    places: Floats
    """Longitude and latitude (EPSG:4490)."""
    metres: Floats
    """To the entrance."""


@dataclass(frozen=True)
class Reports:
    """Arrays of one length, one element a report."""

    appointment: Ints
    kind: Ints
    day: Ints
    persons: Ints
    """Of a move; meaningless elsewhere."""


def visit(part: str, estate: Estate, *, today: int) -> Visits:
    """One visit to each tenth rental building, most of them patrols that stood within metres of the door."""
    generator = chance("visits", part)
    rental = np.flatnonzero(estate.buildings.rental)
    building = np.sort(generator.choice(rental, round(len(rental) * VISITED), replace=False))
    count = len(building)
    doors = estate.buildings.entrances[building]
    easting, northing = to_metric(doors[:, 0], doors[:, 1])
    spread = np.where(generator.random(count) < 0.05, 60.0, 8.0)  # some stood on another corner
    lon, lat = to_degrees(easting + generator.normal(0, spread), northing + generator.normal(0, spread))
    places = np.round(np.column_stack([lon, lat]), 7)
    return Visits(
        building=building,
        kind=generator.choice(len(VISITS), count, p=(0.70, 0.12, 0.08, 0.10)),
        outcome=generator.choice(len(OUTCOMES), count, p=(0.78, 0.15, 0.07)),
        finding=generator.integers(0, len(FINDINGS), count),
        day=today - generator.integers(1, WEEKS, count),
        minute=generator.integers(9 * 60, 18 * 60, count),
        places=places,
        metres=distance_from(places[:, 0], places[:, 1], "CGCS2000", doors[:, 0], doors[:, 1]),
    )


def report(part: str, appointments: Appointments, *, today: int) -> Reports:
    """One report of each fifth active manager, since the appointment began."""
    generator = chance("duty reports", part)
    active = np.flatnonzero((appointments.state == ACTIVE) & (appointments.start < today))
    appointment = np.sort(generator.choice(active, round(len(active) * REPORTING), replace=False))
    count = len(appointment)
    return Reports(
        appointment=appointment,
        kind=generator.integers(0, len(REPORTS), count),
        day=np.maximum(appointments.start[appointment], today - generator.integers(1, WEEKS, count)),
        persons=generator.integers(1, 4, count),
    )
