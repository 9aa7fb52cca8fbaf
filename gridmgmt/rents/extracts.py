"""The observations of one use as columns of numbers: what methods work on that need the leases themselves.

They come by COPY in binary, no row passes through Python, and in an order of their own, so that sums have the same digits each time.
"""

import datetime as dt
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from gridmgmt.models import RentLimit
from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.series import BoolArray, FloatArray, IntArray
from gridmgmt.rents.methods.trim import limits_in_groups
from gridmgmt.rents.observations import ATTRIBUTES, MICRO
from gridmgmt.rents.statistics import CLASSES, NUMBER, THEN, fetch

K: Final = len(ATTRIBUTES)
COLUMNS: Final = ("month", "community", "subdistrict", "class_", "new_let", "landlord", "unit", "building", "log_rent")
RECORD: Final = np.dtype([("fields", ">i2"), *((name, NUMBER) for name in COLUMNS), ("x", NUMBER, (K,))])
KEPT: Final = (
    "subdistrict_id, community_id, unit_id, landlord_id, use, class, new_let, month, log_rent, reason, deleted_at, recorded_from, "
    + ", ".join(ATTRIBUTES)
)


@dataclass(frozen=True, slots=True, eq=False)
class Extract:
    """n observations that are not set aside. `month`: counted from year 0; ids of areas; `class_`: place in CLASSES; `landlord`, `unit`,
    `building`: numbers that stand for them (0: no landlord is known); `log_rent` and `x` (n, 10) in millionths.
    """

    month: IntArray
    community: IntArray
    subdistrict: IntArray
    class_: IntArray
    new_let: IntArray
    landlord: IntArray
    unit: IntArray
    building: IntArray
    log_rent: IntArray
    x: IntArray

    def __len__(self) -> int:
        return len(self.log_rent)

    def where(self, kept: BoolArray | IntArray) -> "Extract":
        """The observations for which the mask (n,) holds, or those at the places it lists."""
        return Extract(*(getattr(self, one.name)[kept] for one in fields(self)))

    @property
    def rents(self) -> FloatArray:
        """Rent of the whole unit in yuan a month, (n,)."""
        return np.exp(self.log_rent / MICRO) * 50 * np.exp(self.x[:, 0] / MICRO)

    @property
    def groups(self) -> tuple[IntArray, ...]:
        """Codes (n,) of the groups in which gross errors are looked for, from the finest to the coarsest: subdistrict × class × year, class
        × year, year, all.
        """
        year = self.month // 12
        by_class = year * len(CLASSES) + self.class_
        _, place = np.unique(self.subdistrict, return_inverse=True)
        return by_class * (1 + int(place.max(initial=0))) + place, by_class, year, np.zeros_like(year)

    def limits(self) -> tuple[IntArray, IntArray, IntArray]:
        """For each observation the median and the spread by which it is judged, in millionths, and the place of the group that they are
        from, −1 where nothing can be told, (n,) each.
        """
        middle, spread, level = limits_in_groups(self.log_rent / MICRO, self.groups)
        told = level >= 0
        centre, width = (np.rint(np.where(told, column, 0.0) * MICRO).astype(np.int64) for column in (middle, spread))
        return centre, width, level

    def plausible(self) -> BoolArray:
        """Which observations are no gross errors among their kind, (n,): within five spreads of the median."""
        middle, spread, level = self.limits()
        return (level < 0) | (np.abs(self.log_rent - middle) <= 5 * spread)

    def leases(self, period: IntArray, periods: int) -> Leases:
        """As the arithmetic sees them; `period` (n,): 0..periods−1. Strata are class × kind of let."""
        x = self.x / MICRO
        return Leases(
            y=self.log_rent / MICRO,
            period=period,
            community=self.community,
            stratum=stratum_of(self.class_, self.new_let),
            x=x,
            unit=self.unit,
            building=self.building,
            size=50 * np.exp(x[:, 0]),
            periods=periods,
        )


def stratum_of(class_: IntArray, new_let: IntArray) -> IntArray:
    """The code of class and kind of let together."""
    return class_ * 2 + new_let


def load_extract(session: Session, use: str, *, cut: dt.datetime | None = None) -> Extract:
    """The observations of one use as they are known now, or were at `cut`."""
    rows = "SELECT * FROM reg.rent_observation" if cut is None else THEN.format(columns=KEPT)
    query = f"""
        SELECT (extract(year FROM o.month) * 12 + extract(month FROM o.month) - 1)::bigint, o.community_id::bigint,
               o.subdistrict_id::bigint,
               array_position(%(classes)s::text[], o.class)::bigint - 1, o.new_let::int::bigint,
               coalesce(uuid_hash_extended(o.landlord_id, 0), 0), uuid_hash_extended(o.unit_id, 0), uuid_hash_extended(u.building_id, 0),
               o.log_rent, {", ".join(f"o.{one}" for one in ATTRIBUTES)}
          FROM ({rows}) o JOIN reg.unit u ON u.id = o.unit_id
         WHERE o.use = %(use)s AND o.reason IS NULL AND o.deleted_at IS NULL"""  # noqa: S608 -- words of this file only
    values: dict[str, Any] = {"classes": list(CLASSES), "use": use, "cut": cut}
    told = fetch(session, query, values, RECORD)
    columns = [told[name]["value"].astype(np.int64) for name in COLUMNS]
    x = told["x"]["value"].astype(np.int64)
    order = np.lexsort((*x.T, *columns[::-1]))
    return Extract(*(column[order] for column in columns), x=x[order])


POOLED: Final = ("subdistrict", "class", "use", "all")
"""Whose limits a group goes by: its own, or those of a wider one."""


def save_limits(session: Session, use: str, extract: Extract) -> int:
    """Keep the limits by which a use's observations are judged, for the statistics to go by; the number of groups.

    Whatever comes into a group that has none yet goes by those of the whole use, under subdistrict 0.
    """
    session.execute(delete(RentLimit).where(RentLimit.use == use))
    if not len(extract):
        return 0
    middle, spread, level = extract.limits()
    _, places, sizes = np.unique(extract.groups[0], return_index=True, return_counts=True)
    table_of_limits: Any = RentLimit.__table__
    table = table_of_limits.c
    rows = [
        {
            table.subdistrict_id: int(extract.subdistrict[at]),
            table.use: use,
            table["class"]: CLASSES[extract.class_[at]],
            table.year: int(extract.month[at] // 12),
            table.n: int(n),
            table.centre: int(middle[at]),
            table.spread: int(spread[at]),
            table.pooled: POOLED[level[at]],
        }
        for at, n in zip(places, sizes, strict=True)
        if level[at] >= 0
    ]
    whole, apart, known = limits_in_groups(extract.log_rent / MICRO, extract.groups[-1:])
    if known[0] >= 0:
        centre, width = round(whole[0] * MICRO), round(apart[0] * MICRO)
        told = (0, use, "", 0, len(extract), centre, width, "all")
        rows.append(dict(zip(table, told, strict=True)))
    if rows:
        session.execute(insert(table_of_limits), [{column.name: one for column, one in row.items()} for row in rows])
    return len(rows)
