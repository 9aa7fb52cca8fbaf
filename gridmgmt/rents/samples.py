"""One use's observations, judged: what counts, what was trimmed as a gross error, and the part of it that an area and a window need."""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from gridmgmt.rents.believed import standing
from gridmgmt.rents.extracts import Extract, load_extract
from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Regression, regress
from gridmgmt.rents.methods.series import BoolArray, FloatArray, IntArray
from gridmgmt.rents.methods.threads import one_thread
from gridmgmt.rents.methods.trim import refitted
from gridmgmt.rents.statistics import CLASSES

Frequency = Literal["month", "quarter"]
Lets = Literal["all", "new"]
MONTHS: Final[dict[Frequency, int]] = {"month": 1, "quarter": 3}


@dataclass(frozen=True, slots=True)
class Span:
    """Periods of `frequency`, from the first one's first month on; months are counted from year 0."""

    first: int
    periods: int
    frequency: Frequency

    @classmethod
    def between(cls, first: dt.date, last: dt.date, frequency: Frequency) -> "Span":
        """The periods that hold the first and the last month, and those between."""
        size = MONTHS[frequency]
        begin, end = ((day.year * 12 + day.month - 1) // size for day in (first, last))
        return cls(begin * size, end - begin + 1, frequency)

    @property
    def days(self) -> list[dt.date]:
        """The first day of each period, and of the one after the last."""
        months = (self.first + place * MONTHS[self.frequency] for place in range(self.periods + 1))
        return [dt.date(month // 12, month % 12 + 1, 1) for month in months]

    def period(self, month: IntArray) -> IntArray:
        """The period of months, counted from year 0, (n,): 0..periods−1, −1 for what lies outside."""
        at = (month - self.first) // MONTHS[self.frequency]
        return np.where((at >= 0) & (at < self.periods), at, -1)

    def since(self, period: int) -> "Span":
        """The span without the periods before this one."""
        return Span(self.first + period * MONTHS[self.frequency], self.periods - period, self.frequency)

    @property
    def per_year(self) -> int:
        """Periods in a year."""
        return 12 // MONTHS[self.frequency]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What an area and a span have of a sample: `leases` that count, `trimmed` (T,) gross errors, and `landlord` (n,) of each lease."""

    leases: Leases
    trimmed: IntArray
    landlord: IntArray

    def holders(self) -> tuple[IntArray, IntArray]:
        """For each period how many landlords let, and how many leases the one with the most has, (T,) each.

        Leases whose landlord is not known are taken for one landlord's: caution, where it is about to be published.
        """
        codes, sizes = np.unique(np.stack((self.leases.period, self.landlord)), axis=1, return_counts=True)
        landlords = np.bincount(codes[0], minlength=self.leases.periods)
        largest = np.zeros(self.leases.periods, np.int64)
        np.maximum.at(largest, codes[0], sizes)
        return landlords, largest

    def moving(self) -> "Part":
        """The leases that say how rents moved: those of communities and strata with leases in an earlier period.

        With its first leases a community, or a stratum, begins at a level of its own, which the estimate fits to them whatever they are.
        """
        leases = self.leases
        moving = np.ones(len(leases), np.bool_)
        for group in (leases.community, leases.stratum):
            began = np.full(group.max(initial=0) + 1, leases.periods)
            np.minimum.at(began, group, leases.period)
            moving &= leases.period > began[group]
        return Part(leases.where(moving), self.trimmed, self.landlord[moving])


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """All observations of a use, and which of them count, (n,)."""

    use: str
    extract: Extract
    kept: BoolArray

    @classmethod
    def draw(cls, session: Session, use: str, *, cut: dt.datetime | None = None) -> "Sample":
        """The observations as they are known now, or were at `cut`, without gross errors: those of their group, then those of the fit."""
        return cls.judged(use, load_extract(session, use, cut=cut))

    @classmethod
    def judged(cls, use: str, extract: Extract) -> "Sample":
        """An extract whose gross errors are dropped in two steps, by groups and by the residuals of a time-dummy fit over all months."""
        kept = extract.plausible()
        plausible = extract.where(kept)
        if len(plausible):
            kept[np.flatnonzero(kept)[~_fitting(plausible)]] = False
        return cls(use, extract, kept)

    def part(self, communities: IntArray, span: Span, lets: Lets = "all") -> Part:
        """What lies in these communities and in the span."""
        period = span.period(self.extract.month)
        inside = np.isin(self.extract.community, communities) & (period >= 0)
        if lets == "new":
            inside &= self.extract.new_let == 1
        used = inside & self.kept
        leases = self.extract.where(used).leases(period[used], span.periods)
        trimmed = np.bincount(period[inside & ~self.kept], minlength=span.periods)
        return Part(leases, trimmed, self.extract.landlord[used])


@one_thread()
def _fitting(extract: Extract) -> BoolArray:
    first = int(extract.month.min())
    leases = extract.leases(extract.month - first, int(extract.month.max()) - first + 1)
    whole = Moments.of(leases)

    def fit(kept: BoolArray) -> tuple[Regression, FloatArray]:
        regression = regress(whole if kept.all() else whole - Moments.of(leases.where(~kept)))
        return regression, regression.residuals(leases)

    return refitted(len(leases), fit)[1]


@dataclass(frozen=True, slots=True, eq=False)
class Floorspace:
    """Housing stock of a use: m² of units that stand, by community and class (place in CLASSES), (c,) each."""

    community: IntArray
    class_: IntArray
    area: FloatArray

    def of(self, communities: IntArray) -> float:
        """Square metres in these communities."""
        return float(self.within(communities).area.sum())

    def within(self, communities: IntArray) -> "Floorspace":
        """The stock of these communities."""
        inside = np.isin(self.community, communities)
        return Floorspace(self.community[inside], self.class_[inside], self.area[inside])


STOCK: Final = f"""
    SELECT d.community_id, array_position(CAST(:classes AS text[]), b.nature) - 1, sum(u.area_m2)::float8
      FROM {standing(":cut")}
     WHERE u.use = :use GROUP BY 1, 2 ORDER BY 1, 2"""  # noqa: S608 -- words of this package only


def load_floorspace(session: Session, use: str, cut: dt.datetime) -> Floorspace:
    """The stock of a use as it stood at a data cut."""
    rows = session.execute(text(STOCK), {"classes": list(CLASSES), "use": use, "cut": cut}).all()
    community, class_, area = zip(*rows, strict=True) if rows else ((), (), ())
    return Floorspace(np.array(community, np.int64), np.array(class_, np.int64), np.array(area, np.float64))
