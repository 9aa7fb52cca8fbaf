"""Leases of one subdistrict of the demo: for each unit a chain of tenancies back through four years, and what was paid."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from gridmgmt.demo.buildings import HOME, OFFICE, PLANT, SHOP, WAREHOUSE, Estate
from gridmgmt.demo.texts import NEVER, Flags, Floats, Ints, chance, first_day

MONTHS_BACK: Final = 48
TERMS: Final = np.array([12, 24, 36])
"""Months; a half, a third and a seventh of new leases."""
HOW_MANY: Final = np.array([0.50, 0.35, 0.15])
OCCUPIED: Final = 0.955
"""Of the units that are let by lease at all."""
NEW: Final = 0.65
"""Of leases that begin; the others renew a tenancy."""
MOST_IN_CHAIN: Final = 6

BASE_RENT: Final = {
    "440306017": 62.0, "440306018": 50.0, "440306019": 40.0, "440306020": 36.0, "440306021": 36.0,
    "440306022": 35.0, "440306023": 32.0, "440306024": 28.0, "440306025": 24.0, "440306026": 30.0,
}  # fmt: skip
"""Yuan per m² and month of a dwelling of 30 m² four years ago. Invented."""
LEVEL_OF_USE: Final = {HOME: 1.0, SHOP: 2.4, OFFICE: 1.3, PLANT: 0.65, WAREHOUSE: 0.5}
NOISE: Final = 0.09
GROSS: Final = 0.01
"""Share of leases whose rent was taken down grossly wrong: ten times, a tenth, twelve times, a twelfth."""
RENT_UNITS: Final = ("month", "m2_month", "year")
BY_MONTH, BY_AREA, BY_YEAR = range(3)
STATES: Final = ("signed", "filed", "expired", "terminated")
SIGNED, FILED, EXPIRED, TERMINATED = range(4)


@dataclass(frozen=True)
class Terms:
    """Arrays of one length, one element a lease. Days are counted from 1970-01-01, NEVER where there is none."""

    unit: Ints
    start: Ints
    end: Ints
    """First day after the term."""
    ended: Ints
    """Day of an early end."""
    new: Flags
    tenancy: Ints
    """Leases of one tenant, one after the other in one unit, have the same number."""


@dataclass(frozen=True)
class Leases(Terms):
    """Terms, and what is paid."""

    rent_given: Ints
    """Hundredths of a yuan, of what rent_unit says."""
    rent_unit: Ints
    rent_fen: Ints
    """分 a month."""
    area: Ints
    """Hundredths of a square metre."""
    signed: Ints
    filed: Ints
    state: Ints

    @property
    def last_day(self) -> Ints:
        """First day after the lease, ended early or not."""
        return np.where(self.ended == NEVER, self.end, self.ended)

    def __len__(self) -> int:
        """How many."""
        return len(self.unit)

    def joined(self, other: "Leases") -> "Leases":
        """These and the others, whose tenancies are other ones."""
        offset = int(self.tenancy.max()) + 1 if len(self) else 0
        both = {f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)}
        both["tenancy"] = np.concatenate([self.tenancy, other.tenancy + offset])
        return Leases(**both)


def let_units(part: str, estate: Estate, communities: list[str], *, running: int, today: int, apart: Flags) -> Leases:
    """Chains of leases such that `running` of them run today; about 0.6 as many begin in each year.

    `communities` names the community of each building; units marked `apart` get none. Raises ValueError when there are too few units.
    """
    generator = chance("leases", part)
    eligible = np.flatnonzero(estate.rental & ~estate.dormitory & ~apart)
    if running > len(eligible):
        raise ValueError(f"{running} leases are too many for {len(eligible)} units")
    chains = min(len(eligible), round(running / OCCUPIED))
    units = generator.choice(eligible, chains, replace=False)
    live = np.zeros(chains, dtype=bool)
    live[generator.choice(chains, running, replace=False)] = True
    unit, start, end, new, tenancy = _chains(generator, units, live, today)
    last = _lasts(tenancy, start)
    early = last & (end <= today) & (generator.random(len(unit)) < 0.06)
    ended = np.where(early, start + 30 + (generator.random(len(unit)) * (end - start - 31)).astype(np.int64), NEVER)
    return price(generator, part, estate, communities, Terms(unit, start, end, ended, new, tenancy), today=today, gross=GROSS)


def price(
    generator: np.random.Generator, part: str, estate: Estate, communities: list[str], terms: Terms, *, today: int, gross: float
) -> Leases:
    """Leases on these terms, with rents by place, use, size and trend, and with the days of signing and filing.

    `gross` is the share of rents that were taken down grossly wrong.
    """
    unit, start, end = terms.unit, terms.start, terms.end
    count = len(unit)
    area = estate.units.area[unit]
    level = _level(part, communities)[estate.units.building[unit]]
    per_m2 = level * np.array(list(LEVEL_OF_USE.values()))[estate.units.use[unit]] * _trend(start, today)
    per_m2 *= (area / 3000.0) ** -0.12 * np.exp(generator.normal(0.0, NOISE, count))
    wrong = np.where(generator.random(count) < gross, generator.choice((10.0, 0.1, 12.0, 1 / 12.0), count), 1.0)
    monthly = np.maximum((per_m2 * area / 1000.0 * wrong).round(), 1.0) * 10.0  # to ten yuan, as people agree
    kind = generator.choice(3, count, p=(0.80, 0.12, 0.08))
    yuan = np.select([kind == BY_AREA, kind == BY_YEAR], [monthly * 100.0 / area, monthly * 12.0], monthly)
    given = np.maximum((yuan * 100.0).round().astype(np.int64), 1)
    signed = start - generator.integers(0, 15, count)
    late = generator.random(count) < 0.2
    filed = signed + np.where(late, generator.integers(31, 121, count), generator.integers(1, 31, count))
    filed = np.where((generator.random(count) < 0.72) & (filed <= np.minimum(today, end)), filed, NEVER)
    over = end <= today
    state = np.select([terms.ended != NEVER, over, filed != NEVER], [TERMINATED, EXPIRED, FILED], SIGNED)
    return Leases(
        unit=unit, start=start, end=end, ended=terms.ended, new=terms.new, tenancy=terms.tenancy, rent_given=given, rent_unit=kind,
        rent_fen=in_fen(given, kind, area), area=area, signed=signed, filed=filed, state=state,
    )  # fmt: skip


def in_fen(given: Ints, kind: Ints, area: Ints) -> Ints:
    """Rent in 分 a month of what is given in hundredths of a yuan; halves are rounded up."""
    fen = np.select([kind == BY_AREA, kind == BY_YEAR], [(given * area + 50) // 100, (given * 2 + 12) // 24], given)
    return np.maximum(fen, 1)


def months_of(day: int) -> tuple[int, int]:
    """Months since 1970-01, and day of the month."""
    month = int(np.array(day).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))
    return month, day - int(first_day(np.array([month]))[0]) + 1


def _chains(generator: np.random.Generator, units: Ints, live: Flags, today: int) -> tuple[Ints, Ints, Ints, Flags, Ints]:
    """Unit, start, end, whether new, and tenancy, of the leases that began in the last four years, going back from today."""
    count = len(units)
    month, day_of_month = months_of(today)
    day = generator.integers(1, 29, count)
    anchor = np.where(day <= day_of_month, month, month - 1)  # the last month in which this day came
    weights = TERMS * HOW_MANY
    term = generator.choice(TERMS, count, p=weights / weights.sum())  # long terms are met more often on a given day
    begun = anchor - (generator.random(count) * term).astype(np.int64)
    vacant = anchor - generator.integers(0, 4, count) - term
    start = np.where(live, begun, vacant)
    rows: list[tuple[Ints, Ints, Ints, Flags, Ints]] = []
    tenancy = np.arange(count)
    for _ in range(MOST_IN_CHAIN):
        new = generator.random(count) < NEW
        kept = start > month - MONTHS_BACK
        rows.append(
            (units[kept], first_day(start)[kept] + day[kept] - 1, first_day(start + term)[kept] + day[kept] - 1, new[kept], tenancy[kept])
        )
        gap = np.where(new, generator.choice(4, count, p=(0.60, 0.25, 0.10, 0.05)), 0)
        term = generator.choice(TERMS, count, p=HOW_MANY)
        start = start - gap - term
        tenancy = np.where(new, tenancy + count, tenancy)
    unit, begin, end, new, tenancy = (np.concatenate(column) for column in zip(*rows, strict=True))
    return unit, begin, end, new, np.unique(tenancy, return_inverse=True)[1]


def _lasts(tenancy: Ints, start: Ints) -> Flags:
    """Whether a lease is the last of its tenancy."""
    latest = np.zeros(int(tenancy.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(latest, tenancy, start)
    return start == latest[tenancy]


def _level(part: str, communities: list[str]) -> Floats:
    """Yuan per m² and month at the level of four years ago, by building."""
    level = {code: BASE_RENT[part] * float(np.exp(chance("rent", code).normal(0.0, 0.12))) for code in sorted(set(communities))}
    return np.array([level[code] for code in communities])


def _trend(day: Ints, today: int) -> Floats:
    """Rents of a day against those of four years ago: two per cent a year, a dip in the third year, dearer after the spring festival."""
    years = (day - today) / 365.25 + 4.0
    dip = -0.05 * np.exp(-(((years - 2.4) / 0.5) ** 2))
    season = 0.015 * np.sin(2 * np.pi * (years - 0.1))
    return np.exp(0.02 * years + dip + season)
