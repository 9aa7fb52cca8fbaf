"""What was seen in the district of tests/places.py: visits to its buildings, and what their managers reported."""

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Final

from sqlalchemy import insert
from sqlalchemy.orm import Session

from gridmgmt.models import Building, DutyReport, Inspection, Manager
from tests.ground import identifier, point, scope

INSPECTIONS: Final = (
    # name, building, unit, kind, outcome, when, findings, metres east of the entrance where the visitor stood
    ("patrol-of-village", "village", None, "patrol", "ok", dt.datetime(2024, 3, 5, 1, 0, tzinfo=dt.UTC), (), 30),
    # half past midnight of 5 March in the district
    (
        "complaint-at-village",
        "village",
        "village-201",
        "complaint",
        "hazard",
        dt.datetime(2024, 3, 4, 16, 30, tzinfo=dt.UTC),
        ("blocked_exit", "gas_bottle"),
        None,
    ),
    ("patrol-of-mill", "mill", "mill-301", "patrol", "no_entry", dt.datetime(2024, 3, 6, 2, 0, tzinfo=dt.UTC), (), 80),
)
DUTY_REPORTS: Final = (
    # name, manager, unit, kind, day, persons
    ("zhang-moves-in", "zhang-for-village", "village-201", "move_in", dt.date(2024, 3, 5), 2),
    ("zhang-warns", "zhang-for-village", None, "hazard", dt.date(2024, 3, 7), None),
    ("east-checks-gate", "east-for-mill", None, "gate_check", dt.date(2024, 3, 6), 40),
)


def draw_inspections(
    session: Session,
    buildings: dict[str, uuid.UUID],
    units: dict[str, uuid.UUID],
    doors: Mapping[str, tuple[float, float]],
) -> dict[str, uuid.UUID]:
    """Write the visits; `doors` are entrances in metres."""
    made: dict[str, uuid.UUID] = {}
    for number, (name, building, unit, kind, outcome, when, findings, east) in enumerate(INSPECTIONS, 1):
        made[name] = identifier(7, number)
        values: dict[str, object] = {"id": made[name], "building_id": buildings[building], "unit_id": units[unit] if unit else None}
        values |= {"kind": kind, "outcome": outcome, "visited_at": when, "findings": list(findings)}
        if east is not None:
            lon, lat = point(doors[building][0] + east, doors[building][1])
            values |= {"lon": lon, "lat": lat, "datum": "CGCS2000", "distance_m": east}
        session.execute(insert(Inspection).values(**values, **scope(session, Building, buildings[building])))
    return made


def draw_duty_reports(session: Session, managers: dict[str, uuid.UUID], units: dict[str, uuid.UUID]) -> dict[str, uuid.UUID]:
    """Write the reports."""
    made: dict[str, uuid.UUID] = {}
    for number, (name, manager, unit, kind, day, persons) in enumerate(DUTY_REPORTS, 1):
        made[name] = identifier(8, number)
        values: dict[str, object] = {"id": made[name], "manager_id": managers[manager], "unit_id": units[unit] if unit else None}
        values |= {"kind": kind, "happened_on": day, "persons": persons}
        session.execute(insert(DutyReport).values(**values, **scope(session, Manager, managers[manager])))
    return made
