"""What one subdistrict of the demo holds, made from its plan without a look at the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmgmt.demo.buildings import Estate, build_estate
from gridmgmt.demo.geography import Grid
from gridmgmt.demo.leases import FILED, Leases, in_fen, let_units
from gridmgmt.demo.managers import Appointments, appoint, grown
from gridmgmt.demo.people import People, invent, landlord_names
from gridmgmt.demo.residences import Stays, occupy
from gridmgmt.demo.seen import Reports, Visits, report, visit
from gridmgmt.demo.stories import (
    FEEDS,
    STAGE,
    StoryName,
    by_unit,
    head_lease,
    let_offices,
    no_stage,
    other_birth_dates,
    set_stage,
)
from gridmgmt.demo.texts import NEVER, Bytes, Ints, chance, random_uuids, uuids

LANDLORDS: Final = 0.8
"""For each rental building."""
DISCREPANT: Final = 4_000
"""One person in so many is said to be of another sex, or born on another day, by somebody."""


@dataclass(frozen=True)
class Part:
    """The plan of a subdistrict: how many of what. `today` is a day counted from 1970-01-01."""

    code: str
    names: Mapping[str, str]
    """Names of the subdistrict and its communities, by code."""
    grids: Sequence[Grid]
    buildings: Ints
    """In each grid."""
    rental: int
    units: int
    residents: int
    residences: int
    managers: int
    leases: int
    behind: bool
    serials: int
    """The first of the serial numbers that become identity numbers here."""
    today: int


@dataclass(frozen=True)
class Discrepancy:
    """What a source says of a person against what the register says."""

    person: int
    field: str
    ours: str
    theirs: str
    source: str


@dataclass(frozen=True)
class Sublet:
    """The lease at `lease` is a sublet of the one at `head`, by its lessee."""

    lease: int
    head: int


@dataclass(frozen=True)
class Contents:
    """Everything in a subdistrict, in columns."""

    part: Part
    estate: Estate
    landlords: list[str]
    landlord: Ints
    """Index of the landlord of each lease."""
    leases: Leases
    lessee: Ints
    """Index of a person, NEVER where the register does not know one."""
    numbers: list[str]
    sublet: Sublet | None
    stays: Stays
    people: People
    person_ids: Bytes
    lease_ids: Bytes
    identities: Bytes
    home: Ints
    """Index of the unit where a person lives, lived last, or leases."""
    since: Ints
    """First day on which the register knows of a person."""
    appointments: Appointments
    visits: Visits
    reports: Reports
    discrepancies: list[Discrepancy]
    stories: Mapping[StoryName, tuple[str, ...]]


def fill(part: Part) -> Contents:
    """Everything in a subdistrict; the same for the same plan. Raises ValueError when the plan does not fit itself."""
    generator = chance("contents", part.code)
    estate = build_estate(part.code, dict(part.names), part.grids, part.buildings, rental=part.rental, units=part.units)
    stage = set_stage(part.code, estate, part.grids) if part.code == STAGE else no_stage(estate)
    estate = stage.estate
    communities = [part.grids[g].community for g in estate.buildings.grid.tolist()]
    running = part.leases - len(stage.offices)
    leases = let_units(part.code, estate, communities, running=running, today=part.today, apart=stage.apart)
    leases = leases.joined(let_offices(part.code, stage, communities, today=part.today))
    occupation = occupy(part.code, estate, leases, residents=part.residents, rows=part.residences, today=part.today, crowded=stage.crowded)
    lessee, persons, sublet = occupation.lessee, occupation.persons, None
    if part.code == STAGE:
        head = head_lease(estate, leases, lessee, part.today)
        sublet = Sublet(len(leases), head)
        leases = leases.joined(_sublet(leases, head, part.today))
        lessee, persons = np.append(lessee, persons), persons + 1
    stays = occupation.stays
    home, since = _homes(persons, stays, leases, lessee, part.today)
    now = np.flatnonzero(stays.end == NEVER)
    appointments = appoint(part.code, estate, stays.person[now], stays.unit[now], count=part.managers, behind=part.behind, today=part.today)
    people = invent(
        part.code,
        part.serials,
        since,
        settled=~estate.rental[home],
        grown=grown(persons, lessee, appointments.person),
        today=part.today,
    )
    person_ids = uuids(generator, since)
    numbers = [f"ZL{part.code[6:]}{i + 1:07d}" for i in range(len(leases))]
    discrepancies = _discrepancies(generator, people, stays, part)
    landlords = landlord_names(part.code, max(5, round(part.rental * LANDLORDS)))
    return Contents(
        part=part,
        estate=estate,
        landlords=landlords,
        landlord=_landlords(generator, estate, by_unit(estate, stage), leases.unit, len(landlords)),
        leases=leases,
        lessee=lessee,
        numbers=numbers,
        sublet=sublet,
        stays=stays,
        people=people,
        person_ids=person_ids,
        lease_ids=uuids(generator, leases.signed),
        identities=random_uuids(generator, persons),
        home=home,
        since=since,
        appointments=appointments,
        visits=visit(part.code, estate, today=part.today),
        reports=report(part.code, appointments, today=part.today),
        discrepancies=discrepancies,
        stories={}
        if sublet is None
        else {
            "sublet": (numbers[sublet.head], numbers[sublet.lease]),
            "birth_dates": (person_ids[discrepancies[0].person].tobytes().hex(),),
            "gcj02": (stage.gcj02,),
            "thin_cell": (stage.thin_community, "office"),
            "overcrowded": (stage.overcrowded,),
        },
    )


def _sublet(leases: Leases, head: int, today: int) -> Leases:
    """Begun after the head lease and over before it, a quarter dearer, filed."""
    given = np.array([leases.rent_fen[head] * 5 // 4])
    start = np.maximum(leases.start[[head]] + 30, today - 90)
    unit, area = leases.unit[[head]], leases.area[[head]]
    return Leases(
        unit=unit, start=start, end=leases.end[[head]] - 30, ended=np.array([NEVER]), new=np.array([True]), tenancy=np.array([0]),
        rent_given=given, rent_unit=np.array([0]), rent_fen=in_fen(given, np.array([0]), area), area=area,
        signed=start - 5, filed=start, state=np.array([FILED]),
    )  # fmt: skip


def _homes(persons: int, stays: Stays, leases: Leases, lessee: Ints, today: int) -> tuple[Ints, Ints]:
    """Unit of the latest residence of each person, else of the lease, and the first day of either."""
    home = np.full(persons, NEVER)
    since = np.full(persons, today)
    named = np.flatnonzero(lessee != NEVER)
    home[lessee[named]] = leases.unit[named]
    np.minimum.at(since, lessee[named], leases.signed[named])
    order = np.argsort(stays.start, kind="stable")
    home[stays.person[order]] = stays.unit[order]  # the last one written is the latest
    np.minimum.at(since, stays.person, stays.start)
    return home, since


def _landlords(generator: np.random.Generator, estate: Estate, own: np.ndarray, unit: Ints, count: int) -> Ints:
    """One landlord for a house, or one for each flat of an estate."""
    of_house = generator.integers(0, count, len(estate.buildings.grid))
    of_unit = generator.integers(0, count, len(own))
    return np.where(own, of_unit, of_house[estate.units.building])[unit]


def _discrepancies(generator: np.random.Generator, people: People, stays: Stays, part: Part) -> list[Discrepancy]:
    """In the stories' subdistrict first the person with three birth dates; then a few of one contradiction each."""
    found: list[Discrepancy] = []
    living = np.unique(stays.person[stays.end == NEVER])
    if not len(living):
        return found
    chosen = generator.choice(living, 1 + len(people) // DISCREPANT, replace=False).tolist()
    if part.code == STAGE:
        ours, *theirs = other_birth_dates(people.numbers(np.array(chosen[:1]))[0])
        found += [Discrepancy(chosen[0], "birth_date", ours, said, feed) for said, feed in zip(theirs, FEEDS, strict=True)]
    others = np.array(chosen[1:], dtype=np.int64)
    for person, sex, number in zip(others.tolist(), people.sexes(others), people.numbers(others), strict=True):
        if generator.random() < 0.5:
            ours = sex
            found.append(Discrepancy(person, "sex", ours, "female" if ours == "male" else "male", "HR"))
        else:
            ours, theirs, _ = other_birth_dates(number)
            found.append(Discrepancy(person, "birth_date", ours, theirs, "HEALTH"))
    return found
