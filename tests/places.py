"""A hand-drawn district of 2,000 by 800 metres, for tests of verbs and HTTP.

            0 m          500          1,000          1,500         2,000
    800  +------------+------------+--------------+--------------+
         | north-west | north-east |              |              |
    400  +------------+------------+  east-inner  |  east-outer  |
         | south-west | south-east |              |              |
      0  +------------+------------+--------------+--------------+
           subdistrict West            subdistrict East

West has the communities South (south-west, south-east) and North (north-west, north-east), East has one. Grids in West measure
500 m x 400 m = 200,000 m2, in East 500 m x 800 m = 400,000 m2. The worker works in south-west only.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Final

import psycopg
import shapely
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from geoalchemy2.shape import from_shape
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from geo.crs import STORAGE
from gridmgmt.database import Actor, Database
from gridmgmt.models import (
    Area,
    AreaGrant,
    Building,
    Grid,
    GridAssignment,
    Lease,
    Manager,
    Residence,
    Unit,
)
from gridmgmt.security import accounts
from gridmgmt.security.context import signer
from gridmgmt.security.keys import Keys
from gridmgmt.security.sealing import Sealer
from gridmgmt.settings import Address
from tests.ground import identifier, point, rectangle, scope
from tests.seen import draw_duty_reports, draw_inspections

PASSWORD: Final = "places-password"
HASH: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Hashed with next to no work, so that a log-in in a test takes no time."""
DAY: Final = dt.date(2020, 1, 1)

KEYS: Final = Keys(
    "k1", bytes(range(32)), {1: bytes(range(1, 33))}, bytes(range(2, 34)), Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
)
SEALER: Final = Sealer.of(KEYS)

DISTRICT: Final = "440399"
WEST, EAST = "440399001", "440399002"
SOUTH, NORTH, EAST_ONE = "440399001001", "440399001002", "440399002001"
AREAS: Final = (
    # code, name, level, parent, west, south, east, north in metres
    (DISTRICT, "测试区", "district", None, 0, 0, 2000, 800),
    (WEST, "西街道", "subdistrict", DISTRICT, 0, 0, 1000, 800),
    (EAST, "东街道", "subdistrict", DISTRICT, 1000, 0, 2000, 800),
    (SOUTH, "南社区", "community", WEST, 0, 0, 1000, 400),
    (NORTH, "北社区", "community", WEST, 0, 400, 1000, 800),
    (EAST_ONE, "东一社区", "community", EAST, 1000, 0, 2000, 800),
)
GRIDS: Final = (
    # name, code, community, west, south, east, north in metres
    ("south-west", "440399001001001", SOUTH, 0, 0, 500, 400),
    ("south-east", "440399001001002", SOUTH, 500, 0, 1000, 400),
    ("north-west", "440399001002001", NORTH, 0, 400, 500, 800),
    ("north-east", "440399001002002", NORTH, 500, 400, 1000, 800),
    ("east-inner", "440399002001001", EAST_ONE, 1000, 0, 1500, 800),
    ("east-outer", "440399002001002", EAST_ONE, 1500, 0, 2000, 800),
)
ACCOUNTS: Final = (
    # username, role, area or grid of the scope
    ("admin", "admin", None),
    ("auditor", "auditor", None),
    ("district", "district", None),
    ("subdistrict", "subdistrict", WEST),
    ("subdistrict-east", "subdistrict", EAST),
    ("community", "community", SOUTH),
    ("worker", "worker", "440399001001001"),
    ("worker-east", "worker", "440399002001001"),
)
BUILDINGS: Final = (
    # name, house code, entrance in metres, half the side of its square footprint (0: none), floors, nature, rental
    ("tower", "4403990010010000001", 250, 200, 15, 30, "commodity", True),
    ("village", "4403990010010000002", 100, 300, 0, 7, "self_built", True),
    ("shop", "4403990010010000003", 750, 150, 0, 2, "other", False),
    ("school", "4403990010020000004", 250, 600, 20, 5, "other", False),
    ("mill", "4403990020010000005", 1250, 500, 0, 9, "factory_dormitory", True),
)
UNITS: Final = (
    # name, building, code, floor, room, square metres, use, most occupants
    ("tower-101", "tower", "4403990010010000001000101", 1, "101", "89.50", "residential", 5),
    ("tower-102", "tower", "4403990010010000001000102", 1, "102", "60.00", "residential", 4),
    ("village-201", "village", "4403990010010000002000201", 2, "201", "35.25", "residential", 3),
    ("shop-1", "shop", "4403990010010000003000001", 1, "1", "120.00", "shop", None),
    ("school-1", "school", "4403990010020000004000001", 1, "1", "40.00", "residential", 2),
    ("mill-301", "mill", "4403990020010000005000301", 3, "301", "24.00", "residential", 6),
)
NUMBERS: Final = {
    "zhang": "000001198503120016",
    "li": "000001199007250027",
    "wang": "000001200101010033",
    "zhao": "000001197809090046",
    "east": "000001199906300059",
}
SPARE_NUMBER: Final = "000001196606060061"
"""A good number that nobody has."""
PEOPLE: Final = (
    # name here, name, sex, year of birth, grid, mask of the number, phone, mask of the phone
    ("zhang", "张大山", "male", 1985, "south-west", "000001********0016", "13800000001", "138****0001"),
    ("li", "李小红", "female", 1990, "south-west", "000001********0027", "13800000002", "138****0002"),
    ("wang", "王五", "male", 2001, "south-east", "000001********0033", None, None),
    ("zhao", "赵敏", "female", 1978, "north-west", "000001********0046", "13800000004", "138****0004"),
    ("east", "欧阳东", "male", 1999, "east-inner", "000001********0059", "13800000005", "138****0005"),
)
RESIDENCES: Final = (
    # name, person, unit, from, to, basis
    ("zhang-at-tower", "zhang", "tower-101", dt.date(2022, 3, 1), None, "own"),
    ("li-at-village", "li", "village-201", dt.date(2023, 9, 1), None, "lease"),
    ("li-before", "li", "tower-102", dt.date(2021, 1, 1), dt.date(2023, 9, 1), "lease"),
    ("zhao-at-school", "zhao", "school-1", dt.date(2020, 8, 15), None, "dormitory"),
    ("east-at-mill", "east", "mill-301", dt.date(2024, 2, 1), None, "dormitory"),
)
LEASES: Final = (
    # name, number, unit, parent, lessor, lessee, rent in fen a month, from, to, state
    ("village-let", "ZL-2023-0001", "village-201", None, "陈房东", "li", 180_000, dt.date(2023, 9, 1), dt.date(2026, 9, 1), "filed"),
    (
        "village-sublet",
        "ZL-2024-0002",
        "village-201",
        "village-let",
        "李小红",
        None,
        90_000,
        dt.date(2024, 1, 1),
        dt.date(2025, 1, 1),
        "signed",
    ),
    ("shop-let", "ZL-2022-0003", "shop-1", None, "陈房东", None, 1_200_000, dt.date(2022, 1, 1), dt.date(2027, 1, 1), "signed"),
    ("mill-let", "ZL-2024-0004", "mill-301", None, "东方工厂", "east", 60_000, dt.date(2024, 2, 1), dt.date(2026, 2, 1), "filed"),
)
MANAGERS: Final = (
    # name, person, building, kind, state, from
    ("zhang-for-village", "zhang", "village", "hired", "active", dt.date(2023, 1, 1)),
    ("east-for-mill", "east", "mill", "owner", "candidate", dt.date(2024, 3, 1)),
)


@dataclass(frozen=True)
class Places:
    """What was drawn, by the names used above: numbers of areas (by code) and grids, ids of the rest, and the accounts as actors."""

    areas: dict[str, int]
    grids: dict[str, int]
    accounts: dict[str, Actor]
    buildings: dict[str, uuid.UUID]
    units: dict[str, uuid.UUID]
    people: dict[str, uuid.UUID]
    residences: dict[str, uuid.UUID]
    leases: dict[str, uuid.UUID]
    managers: dict[str, uuid.UUID]
    inspections: dict[str, uuid.UUID]
    duty_reports: dict[str, uuid.UUID]
    releases: dict[str, uuid.UUID] = field(default_factory=dict[str, uuid.UUID])
    """None are drawn: see tests/rented.py."""
    devices: dict[str, uuid.UUID] = field(default_factory=dict[str, uuid.UUID])
    """None are drawn: see tests/handhelds.py."""


def register(address: Address, *, pool_size: int = 4) -> Database:
    """The register at `address`, whose database learns the context key first. Close it after use."""
    with psycopg.connect(address.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute("SELECT sec.key_put(%s, %s, 'infinity')", [KEYS.context_kid, KEYS.context])
    return Database(address, signer(KEYS.context_kid, KEYS.context), pool_size=pool_size)


def draw(database: Database) -> Places:
    """Write the district: accounts as the local administrator, everything else as the loader. Commits."""
    operator = accounts.known_as(database, "local-operator")
    loader = Actor(operator.account_id, operator.username, operator.role, "loader", operator.epoch)
    with database.transaction(loader) as session:
        areas = _areas(session)
        grids = _grids(session, areas)
        buildings = _buildings(session)
        units = _units(session, buildings)
        people = _people(session, grids)
        residences = _residences(session, people, units)
        leases = _leases(session, people, units)
        managers = _managers(session, people, buildings)
        inspections = draw_inspections(session, buildings, units, {name: (x, y) for name, _, x, y, *_ in BUILDINGS})
        duty_reports = draw_duty_reports(session, managers, units)
        session.execute(text("SELECT sec.count_residents()"))
    with database.transaction(accounts.known_as(database, "local-admin")) as session:
        for username, role, scope in ACCOUNTS:
            accounts.add_account(session, username, display_name=username.title(), role=role, password_hash=HASH)
            if role == "worker":
                session.execute(
                    insert(GridAssignment).values(
                        account_id=_account_id(session, username),
                        grid_id=next(grids[name] for name, code, *_ in GRIDS if code == scope),
                        post_id=select(func.min(text("id"))).select_from(text("reg.post")).scalar_subquery(),
                        valid_from=DAY,
                    )
                )
            elif scope is not None:
                session.execute(
                    insert(AreaGrant).values(account_id=_account_id(session, username), area_id=areas[scope], level=role, valid_from=DAY)
                )
    actors = {username: accounts.known_as(database, username) for username, _, _ in ACCOUNTS}
    return Places(areas, grids, actors, buildings, units, people, residences, leases, managers, inspections, duty_reports)


def _areas(session: Session) -> dict[str, int]:
    made: dict[str, int] = {}
    for code, name, level, parent, *sides in AREAS:
        values: dict[str, object] = {
            "code": code,
            "name": name,
            "level": level,
            "parent_id": made[parent] if parent else None,
            "valid_from": DAY,
        }
        geom = from_shape(rectangle(*sides), srid=STORAGE)
        made[code] = session.execute(insert(Area).values(**values, geom=geom).returning(Area.id)).scalar_one()
    return made


def _grids(session: Session, areas: dict[str, int]) -> dict[str, int]:
    made: dict[str, int] = {}
    for name, code, community, *sides in GRIDS:
        subdistrict = WEST if community.startswith(WEST) else EAST
        values: dict[str, object] = {"code": code, "scheme": "base", "kind": "base", "name": name, "valid_from": DAY}
        values |= {"community_id": areas[community], "subdistrict_id": areas[subdistrict]}
        geom = from_shape(rectangle(*sides), srid=STORAGE)
        made[name] = session.execute(insert(Grid).values(**values, geom=geom).returning(Grid.id)).scalar_one()
    return made


def _buildings(session: Session) -> dict[str, uuid.UUID]:
    made: dict[str, uuid.UUID] = {}
    for number, (name, house_code, x, y, half, floors, nature, rental) in enumerate(BUILDINGS, 1):
        lon, lat = point(x, y)
        made[name] = identifier(1, number)
        values: dict[str, object] = {
            "id": made[name],
            "house_code": house_code,
            "name": name,
            "address": f"测试路{number}号",
            "floors_above": floors,
        }
        values |= {"nature": nature, "rental": rental, "source_x": lon, "source_y": lat, "built_year": 2000 + number}
        values["entrance"] = from_shape(shapely.Point(lon, lat), srid=STORAGE)
        values["footprint"] = from_shape(rectangle(x - half, y - half, x + half, y + half), srid=STORAGE) if half else None
        session.execute(insert(Building).values(**values))
    return made


def _units(session: Session, buildings: dict[str, uuid.UUID]) -> dict[str, uuid.UUID]:
    made: dict[str, uuid.UUID] = {}
    for number, (name, building, code, floor, room, area, use, occupants) in enumerate(UNITS, 1):
        made[name] = identifier(2, number)
        values: dict[str, object] = {"id": made[name], "building_id": buildings[building], "code": code, "floor": floor, "room": room}
        values |= {"area_m2": area, "use": use, "max_occupants": occupants}
        session.execute(insert(Unit).values(**values, **scope(session, Building, buildings[building])))
    return made


def _people(session: Session, grids: dict[str, int]) -> dict[str, uuid.UUID]:
    made: dict[str, uuid.UUID] = {}
    for number, (key, name, sex, born, grid, mask, phone, phone_mask) in enumerate(PEOPLE, 1):
        person, identity = identifier(3, number), uuid.UUID(int=number, version=4)
        session.execute(
            text(
                "SELECT sec.people_load(ARRAY[:id]::uuid[], ARRAY[:grid]::int[], ARRAY[:identity]::uuid[], ARRAY[:bi]::bytea[],"
                " ARRAY[:enc]::bytea[], 1::smallint, ARRAY[:name]::text[], ARRAY[:sex]::text[], ARRAY[:born]::int[], ARRAY[:mask]::text[],"
                " ARRAY[:phone]::bytea[], ARRAY[:phone_mask]::text[], ARRAY['floating'])"
            ),
            {
                "id": person, "grid": grids[grid], "identity": identity, "name": name, "sex": sex, "born": born, "mask": mask,
                "bi": SEALER.blind_index(NUMBERS[key]), "enc": SEALER.seal("identity|id_enc", identity, NUMBERS[key]),
                "phone": SEALER.seal("person_secret|phone_enc", person, phone) if phone else None, "phone_mask": phone_mask,
            },
        )  # fmt: skip
        made[key] = person
    return made


def _residences(session: Session, people: dict[str, uuid.UUID], units: dict[str, uuid.UUID]) -> dict[str, uuid.UUID]:
    made: dict[str, uuid.UUID] = {}
    for number, (name, person, unit, valid_from, valid_to, basis) in enumerate(RESIDENCES, 1):
        made[name] = identifier(4, number)
        values: dict[str, object] = {"id": made[name], "person_id": people[person], "unit_id": units[unit], "main": True, "basis": basis}
        values |= {"valid_from": valid_from, "valid_to": valid_to, "declared_by": "resident", "declared_on": valid_from}
        session.execute(insert(Residence).values(**values, **scope(session, Unit, units[unit])))
    return made


def _leases(session: Session, people: dict[str, uuid.UUID], units: dict[str, uuid.UUID]) -> dict[str, uuid.UUID]:
    made: dict[str, uuid.UUID] = {}
    for number, (name, code, unit, parent, lessor, lessee, fen, valid_from, valid_to, state) in enumerate(LEASES, 1):
        made[name] = identifier(5, number)
        values: dict[str, object] = {
            "id": made[name],
            "number": code,
            "unit_id": units[unit],
            "parent_id": made[parent] if parent else None,
        }
        values |= {"lessor_name": lessor, "lessee_id": people[lessee] if lessee else None, "rent_fen": fen, "rent_given": fen / 100}
        values |= {"rent_unit": "month", "area_basis_m2": 35, "valid_from": valid_from, "valid_to": valid_to, "signed_on": valid_from}
        values |= {"state": state, "filed_on": valid_from if state == "filed" else None, "new_let": True}
        session.execute(insert(Lease).values(**values, **scope(session, Unit, units[unit])))
    return made


def _managers(session: Session, people: dict[str, uuid.UUID], buildings: dict[str, uuid.UUID]) -> dict[str, uuid.UUID]:
    made: dict[str, uuid.UUID] = {}
    for number, (name, person, building, kind, state, valid_from) in enumerate(MANAGERS, 1):
        made[name] = identifier(6, number)
        values: dict[str, object] = {"id": made[name], "person_id": people[person], "building_id": buildings[building]}
        values |= {"kind": kind, "state": state, "valid_from": valid_from, "police_contact": "周警官", "office_contact": "吴主任"}
        session.execute(insert(Manager).values(**values, **scope(session, Building, buildings[building])))
    return made


def _account_id(session: Session, username: str) -> int:
    return session.execute(text("SELECT id FROM reg.account WHERE username = :username"), {"username": username}).scalar_one()
