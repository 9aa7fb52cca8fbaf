"""Residences of one subdistrict of the demo: who stays where from when to when, today and in the three years before."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmgmt.demo.buildings import HOME, Estate
from gridmgmt.demo.leases import Leases
from gridmgmt.demo.texts import NEVER, Flags, Ints, chance

DAYS_BACK: Final = 1_095
OWN_HOME: Final = 4
"""Occupants of a dwelling that nobody counts."""
MOVES_ON: Final = 0.72
"""Of those who leave a dwelling and stay in the subdistrict, if somewhere is free in the weeks that follow."""
WEEKS: Final = 28
UNDECLARED_TENANTS: Final = 0.01
BASES: Final = ("lease", "own", "dormitory", "relative", "other")
LEASE, OWN, DORM, RELATIVE, ELSE = range(5)
DECLARERS: Final = ("landlord", "sub_landlord", "manager", "employer", "resident", "worker")
LANDLORD, SUB_LANDLORD, MANAGER, EMPLOYER, RESIDENT, WORKER = range(6)


@dataclass(frozen=True)
class Stays:
    """Arrays of one length, one element a residence. Days are counted from 1970-01-01, NEVER where there is none."""

    unit: Ints
    start: Ints
    end: Ints
    """First day after it; NEVER while it lasts."""
    person: Ints
    """Index of the person."""
    basis: Ints
    declarer: Ints
    """NEVER: nobody declared it."""
    declared: Ints


@dataclass(frozen=True)
class Occupation:
    """Stays, how many persons they are of, and who of them holds the leases."""

    stays: Stays
    persons: int
    lessee: Ints
    """Person of each lease, NEVER where the register does not know one."""


def occupy(part: str, estate: Estate, leases: Leases, *, residents: int, rows: int, today: int, crowded: Flags) -> Occupation:
    """Exactly `residents` of today and about `rows` residences in all.

    Nowhere live more than allowed, except at least two too many in the units `crowded`.

    Raises ValueError when the units hold fewer.
    """
    generator = chance("residences", part)
    unit, start, end, tenancy = _tenants(generator, estate, leases, today)
    now = int((end == NEVER).sum())
    others = _slots(generator, estate, leases, residents - now, crowded)
    past = max(0, rows - residents - int((end != NEVER).sum()))
    more = _others(generator, estate, others, past, today)
    unit, start, end = (np.concatenate(pair) for pair in zip((unit, start, end), more, strict=True))
    tenancy = np.concatenate([tenancy, np.full(len(unit) - len(tenancy), NEVER)])
    person = _persons(generator, start, end)
    stays = _declare(generator, estate, unit=unit, start=start, end=end, person=person, today=today)
    lessee = np.full(int(leases.tenancy.max(initial=-1)) + 1, NEVER)
    known = tenancy != NEVER
    lessee[tenancy[known]] = person[known]
    return _undeclared(generator, estate, leases, stays, lessee=lessee[leases.tenancy], today=today)


def _tenants(generator: np.random.Generator, estate: Estate, leases: Leases, today: int) -> tuple[Ints, Ints, Ints, Ints]:
    """The lessees of dwellings live there as long as their tenancies last. Unit, start, end, tenancy."""
    count = int(leases.tenancy.max(initial=-1)) + 1
    start = np.full(count, np.iinfo(np.int64).max)
    end = np.zeros(count, dtype=np.int64)
    unit = np.zeros(count, dtype=np.int64)
    np.minimum.at(start, leases.tenancy, leases.start)
    np.maximum.at(end, leases.tenancy, leases.last_day)
    unit[leases.tenancy] = leases.unit
    home = (estate.units.use[unit] == HOME) & (start <= today)
    here = home & (end > today - DAYS_BACK) & (generator.random(count) >= UNDECLARED_TENANTS)
    return unit[here], start[here], np.where(end > today, NEVER, end)[here], np.flatnonzero(here)


def _slots(generator: np.random.Generator, estate: Estate, leases: Leases, count: int, crowded: Flags) -> Ints:
    """Units of `count` further occupants of today, one element an occupant; one place of a let dwelling is its lessee's."""
    home = estate.units.use == HOME
    places = np.where(home, np.where(estate.units.most > 0, estate.units.most, OWN_HOME), 0)
    leased = np.zeros(len(home), dtype=bool)
    leased[leases.unit] = True
    places = places - (leased & home)
    fixed = np.flatnonzero(crowded)
    fixed = np.repeat(fixed, places[fixed] + 2 + leased[fixed])
    free = np.flatnonzero(~crowded & (places > 0))
    slots = np.repeat(free, places[free])
    wanted = count - len(fixed)
    if not 0 <= wanted <= len(slots):
        raise ValueError(f"{count} occupants do not fit into {len(slots) + len(fixed)} places")
    # families fill their homes more evenly than lodgers do
    keys = generator.random(len(slots)) ** np.where(estate.rental[slots], 1.0, 0.6)
    return np.concatenate([fixed, slots[np.argsort(-keys, kind="stable")[:wanted]]])


def _others(generator: np.random.Generator, estate: Estate, slots: Ints, past: int, today: int) -> tuple[Ints, Ints, Ints]:
    """The stay of today in each slot, and about `past` stays that ended there in the last three years."""
    settled = ~estate.rental[slots]
    lodgers = int((~settled).sum())
    mean = np.where(settled, 3_000.0, DAYS_BACK * lodgers / max(past - 0.25 * (len(slots) - lodgers), 1.0) * 0.93)
    mean = np.maximum(mean - 8.0, 20.0)
    start = today - np.clip(generator.exponential(mean), 0, 12_000).astype(np.int64)
    units, starts, ends = [slots], [start], [np.full(len(slots), NEVER)]
    while True:
        end = start - generator.integers(0, 16, len(start))
        alive = end > today - DAYS_BACK
        if not alive.any():
            break
        slots, end, mean = slots[alive], end[alive], mean[alive]
        start = end - 1 - np.clip(generator.exponential(mean), 6, 12_000).astype(np.int64)
        units.append(slots)
        starts.append(start)
        ends.append(end)
    unit, begin, finish = np.concatenate(units), np.concatenate(starts), np.concatenate(ends)
    ended = np.flatnonzero(finish != NEVER)
    if len(ended) > past:
        dropped = np.zeros(len(unit), dtype=bool)
        dropped[generator.choice(ended, len(ended) - past, replace=False)] = True
        unit, begin, finish = unit[~dropped], begin[~dropped], finish[~dropped]
    return unit, begin, finish


def _persons(generator: np.random.Generator, start: Ints, end: Ints) -> Ints:
    """Persons of the stays: some who leave are the ones who come somewhere else within weeks. Nobody is in two places at once."""
    leaving = np.flatnonzero(end != NEVER)
    leaving = leaving[generator.random(len(leaving)) < MOVES_ON]
    leaving = leaving[np.argsort(end[leaving], kind="stable")]
    coming = generator.permutation(len(start))
    coming = coming[np.argsort(start[coming], kind="stable")]
    # the k-th to leave takes the first place that begins after and that nobody before took
    steps = np.arange(len(leaving))
    place = np.maximum.accumulate(np.searchsorted(start[coming], end[leaving]) - steps) + steps if len(leaving) else steps
    found = place < len(coming)
    leaving, arrival = leaving[found], coming[place[found]]
    soon = start[arrival] - end[leaving] <= WEEKS
    before = np.arange(len(start))
    before[arrival[soon]] = leaving[soon]
    while True:
        further = before[before]
        if (further == before).all():
            return np.unique(before, return_inverse=True)[1]
        before = further


def _declare(generator: np.random.Generator, estate: Estate, *, unit: Ints, start: Ints, end: Ints, person: Ints, today: int) -> Stays:
    """On what basis they stay, and who declared it when: most in time (7 days for a landlord or employer, else 15)."""
    count = len(unit)
    basis = np.where(generator.random(count) < 0.8, OWN, RELATIVE)
    basis = np.where(estate.rental[unit], LEASE, basis)
    basis = np.where(estate.dormitory[unit], DORM, basis)
    by_owner = generator.choice((LANDLORD, SUB_LANDLORD, MANAGER, WORKER), count, p=(0.62, 0.13, 0.15, 0.10))
    declarer = np.select([basis == LEASE, basis == DORM], [by_owner, np.full(count, EMPLOYER)], RESIDENT)
    limit = np.where((basis == LEASE) | (basis == DORM), 7, 15)
    late = generator.random(count) < 0.18
    waited = np.where(
        late, limit + 1 + generator.exponential(20.0, count).astype(np.int64), generator.integers(0, 1000, count) % (limit + 1)
    )
    declared = start + waited
    done = (generator.random(count) >= 0.05) & (declared <= today) & ((end == NEVER) | (declared < end))
    return Stays(unit, start, end, person, basis, np.where(done, declarer, NEVER), np.where(done, declared, NEVER))


def _undeclared(generator: np.random.Generator, estate: Estate, leases: Leases, stays: Stays, *, lessee: Ints, today: int) -> Occupation:
    """Lessees of shops, offices and works, and of the few dwellings where nobody declared the tenant, are persons without a residence."""
    persons = int(stays.person.max(initial=-1)) + 1
    running = (leases.last_day > today) & (lessee == NEVER)
    share = np.where(estate.units.use[leases.unit] == HOME, 1.0, 0.5)
    named = running & (generator.random(len(leases)) < share)
    tenancies, index = np.unique(leases.tenancy[named], return_inverse=True)
    lessee = lessee.copy()
    lessee[named] = persons + index
    return Occupation(stays, persons + len(tenancies), lessee)
