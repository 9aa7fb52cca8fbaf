"""What people write: good values, and what the server must refuse without being stopped by it."""

import random
from collections.abc import Callable
from typing import Any, Final

from tests.places import NUMBERS, point
from tests.sync.world import Gadget, World

USES: Final = ("residential", "shop", "office", "warehouse", "other")
KINDS: Final = ("unit", "resident", "residence", "lease", "building")
"""Of what people write and change."""
SEEN: Final = ("inspection", "duty_report")
"""Of what is written once."""
Values = dict[str, Any]


def new(world: World, gadget: Gadget, kind: str, dice: random.Random) -> tuple[int, Values] | None:
    """Grid and values of a new row of the kind; None when the device holds nothing that it could belong to."""
    grid = min(world.scopes(gadget.username), default=None)
    units = [row.id for row in world.shown(gadget, "unit")]
    people = [row.id for row in world.shown(gadget, "resident")]
    buildings = [row for row in world.shown(gadget, "building") if "house_code" in row.data]
    managers = [row.id for row in world.shown(gadget, "manager")]
    number = world.number()
    if grid is None:
        return None
    if kind == "resident":
        named = {"identity_number": dice.choice(list(NUMBERS.values()))} if dice.random() < 0.4 else {}
        return grid, {"name": f"钱{dice.choice('一二三四五')}", "registration": "floating"} | named
    if kind == "building":
        place = point(dice.choice((100, 400, 700)), dice.choice((100, 300, 700)))  # sometimes in a grid of nobody's
        return grid, {
            "house_code": f"44039900100{number:08d}",
            "name": f"house {number}",
            "address": "Lane",
            "entrance": dict(zip(("lon", "lat"), place, strict=True)),
            "floors_above": 3,
            "nature": "other",
            "rental": True,
        }
    if kind == "unit" and buildings:
        building = dice.choice(buildings)
        code = building.data["house_code"] + f"{dice.choice((number, 7)):06d}"  # sometimes one that is taken
        return grid, {"building_id": building.id, "code": code, "floor": 1, "room": str(number), "area_m2": 30.5, "use": "residential"}
    if kind == "residence" and units and people:
        home = {"resident_id": dice.choice(people), "unit_id": dice.choice(units)}
        return grid, home | {"main": dice.random() < 0.5, "basis": "lease", "valid_from": "2024-01-01"}
    if kind == "inspection" and buildings:
        seen = {
            "kind": "patrol",
            "outcome": dice.choice(("ok", "hazard")),
            "visited_at": "2026-01-05T09:30:00+00:00",
            "findings": ["wiring"],
        }
        return grid, {"building_id": dice.choice(buildings).id} | seen
    if kind == "duty_report" and managers:
        return grid, {"manager_id": dice.choice(managers), "kind": "notice", "happened_on": "2026-01-05", "note": f"n{number}"}
    if kind == "lease" and units:
        year = 2030 + dice.randrange(20)
        term = {"valid_from": f"{year}-01-01", "valid_to": f"{year + 1}-01-01"}
        return grid, {"unit_id": dice.choice(units), "rent": {"amount": 1000, "unit": "month"}, "area_basis_m2": 30} | term
    return None


CHANGES: Final[dict[str, Callable[[random.Random], Values]]] = {
    "unit": lambda dice: dice.choice(
        (
            {"room": f"r{dice.randrange(9)}"},
            {"use": dice.choice(USES)},
            {"max_occupants": dice.randrange(9)},
            {"area_m2": dice.randrange(20, 99) + 0.25},
        )
    ),
    "resident": lambda dice: dice.choice(({"name": f"孙{dice.choice('一二三')}"}, {"registration": dice.choice(("floating", "lodging"))})),
    "residence": lambda dice: dice.choice(
        ({"basis": dice.choice(("own", "lease", "relative"))}, {"declared_by": dice.choice(("landlord", "worker"))})
    ),
    "lease": lambda dice: dice.choice(({"deposit_fen": dice.randrange(5) * 10_000}, {"new_let": dice.random() < 0.5})),
    "building": lambda dice: dice.choice(
        ({"name": f"n{dice.randrange(9)}"}, {"floors_above": dice.randrange(1, 9)}, {"address": f"a{dice.randrange(9)}"})
    ),
}
"""A change of a row of each kind: of one field, so that others may change another one."""


def poison(world: World, dice: random.Random) -> tuple[str, int, Values]:
    """Kind, grid and values of what cannot be taken."""
    own, foreign = world.drawn.places.grids["south-west"], world.drawn.places.grids["north-east"]
    resident = {"name": "李四", "registration": "floating"}
    return dice.choice(
        (
            ("unicorn", own, {"horn": 1}),
            ("manager", own, {"kind": "hired"}),
            ("resident", foreign, resident),
            ("resident", 999_999, resident),
            ("resident", own, resident | {"shoe_size": 44}),
            ("resident", own, resident | {"identity_number": "123"}),
            ("resident", own, {}),
            ("resident", own, {"name": "\x00", "registration": "floating"}),
            (
                "unit",
                own,
                {
                    "building_id": "0190000a-0000-7000-8000-00000000dead",
                    "code": "1" * 25,
                    "floor": 0,
                    "room": "",
                    "area_m2": -1,
                    "use": "x",
                },
            ),
            ("residence", own, {"resident_id": "no id", "unit_id": 7, "valid_from": "yesterday"}),
            ("lease", own, {"rent": {"amount": 1e300, "unit": "month"}, "valid_from": "2030-01-01", "valid_to": "2029-01-01"}),
        )
    )
