"""Runs: one computation of one product, kept with all that is needed to repeat it to the last digit.

A run knows the observations as they were at its data cut, and keeps what it knew of areas and stock. Its values are rounded as they are
kept, and its digest is of those; `repeat` computes them again from the same, and says whether they are the same.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from importlib.metadata import version
from operator import attrgetter
from typing import Any, Final, Literal

import numpy as np
from sqlalchemy import RowMapping, insert, select, text
from sqlalchemy.orm import Session

from gridmgmt.errors import NotFoundError
from gridmgmt.models import RentRun, RentValue
from gridmgmt.rents.guides import Guides
from gridmgmt.rents.methods.series import Series
from gridmgmt.rents.premises import Premises
from gridmgmt.rents.rows import add_rows
from gridmgmt.rents.samples import Lets, Part, Span
from gridmgmt.rents.tree import Tree

Product = Literal["index", "guide"]
Pooled = Literal["own", "subdistrict", "district"]
PLACES: Final = {"value": 6, "se": 8, "low": 6, "high": 6, "largest_share": 6, "shrinkage": 8}
"""Digits after the point that are kept."""


@dataclass(frozen=True, slots=True)
class Value:
    """One number of a run, or the reason why there is none. `se` is of the value's natural logarithm."""

    area_id: int
    use: str
    lets: Lets
    period: dt.date
    value: Decimal | None
    se: Decimal | None
    low: Decimal | None
    high: Decimal | None
    n: int
    trimmed: int
    landlords: int
    largest_share: Decimal | None
    pooled: Pooled
    shrinkage: Decimal | None
    reason: str | None


NAMES: Final = tuple(one.name for one in fields(Value))
_FIELDS: Final = attrgetter(*NAMES)


@dataclass(frozen=True)
class Plan:
    """What is to be computed: the same plan, data cut and premises give the same values."""

    product: Product
    frequency: Literal["month", "quarter", "year"]
    method: str
    parameters: Mapping[str, Any]
    area_id: int
    use: str
    begins: dt.date
    ends: dt.date
    """First day after the last period."""


@dataclass(frozen=True)
class Outcome:
    """The values of a plan, and how many observations of its use and area are set aside."""

    values: Sequence[Value]
    quarantined: int


def rounded(number: float, name: str) -> Decimal | None:
    """A number with the digits that its column keeps; None for NaN."""
    return Decimal(f"{number:.{PLACES[name]}f}") if np.isfinite(number) else None


def values_of(series: Series, part: Part, span: Span, *, area_id: int, use: str, lets: Lets) -> list[Value]:
    """The values of an index series of an area's own leases; low and high are its interval of 95 %."""
    low, high = series.interval()
    landlords, largest = part.holders()
    counts = part.leases.counts
    return [
        Value(
            area_id=area_id,
            use=use,
            lets=lets,
            period=day,
            value=rounded(series.values[t], "value"),
            se=rounded(series.errors[t], "se"),
            low=rounded(low[t], "low"),
            high=rounded(high[t], "high"),
            n=int(counts[t]),
            trimmed=int(part.trimmed[t]),
            landlords=int(landlords[t]),
            largest_share=rounded(largest[t] / counts[t], "largest_share") if counts[t] else None,
            pooled="own",
            shrinkage=None,
            reason=None if (reason := series.reasons[t]) is None else reason.value,
        )
        for t, day in enumerate(span.days[:-1])
    ]


def guide_values(guides: Guides, tree: Tree, start: dt.date, use: str) -> list[Value]:
    """The values of guidance rents of all areas of a tree, for the quarter that begins on `start`."""
    made: list[Value] = []
    for at, area in enumerate(tree.areas):
        mine = np.isin(guides.part.leases.community, tree.communities(at))
        _, sizes = np.unique(guides.part.landlord[mine], return_counts=True)
        reason, own = guides.bands.reasons[at], area.level != "community" or guides.factors[at] >= 0.5
        made.append(
            Value(
                area_id=area.id,
                use=use,
                lets="all",
                period=start,
                value=rounded(guides.bands.median[at], "value"),
                se=rounded(guides.errors[at], "se"),
                low=rounded(guides.bands.low[at], "low"),
                high=rounded(guides.bands.high[at], "high"),
                n=int(guides.counts[at]),
                trimmed=0,
                landlords=len(sizes),
                largest_share=rounded(sizes.max() / sizes.sum(), "largest_share") if len(sizes) else None,
                pooled="own" if own else "subdistrict",
                shrinkage=rounded(guides.factors[at], "shrinkage"),
                reason=None if reason is None else reason.value,
            )
        )
    return made


def digest_of(values: Sequence[Value]) -> str:
    """SHA-256 of the values as they are kept, in their order."""
    summed = hashlib.sha256()
    for value in sorted(values, key=lambda one: (one.area_id, one.use, one.lets, one.period)):
        summed.update(("|".join("" if field is None else str(field) for field in _FIELDS(value)) + "\n").encode())
    return summed.hexdigest()


def take_cut(session: Session) -> dt.datetime:
    """The moment until which this run knows the observations; nobody writes any beside it until this transaction ends."""
    # whoever began after this transaction and has committed meanwhile is known too: the clock is read when the row is held
    session.execute(text("SELECT FROM reg.rent_cut WHERE id = 1 FOR UPDATE"))
    return session.execute(text("UPDATE reg.rent_cut SET cut = greatest(cut, clock_timestamp()) WHERE id = 1 RETURNING cut")).scalar_one()


def store(session: Session, plan: Plan, outcome: Outcome, cut: dt.datetime, premises: Premises) -> uuid.UUID:
    """Keep a run, what it was computed on and its values; its id."""
    values = outcome.values
    run = session.execute(
        insert(RentRun)
        .values(
            **asdict(plan),
            software=version("gridmgmt"),
            data_cut=cut,
            n=sum(one.n for one in values),
            trimmed=sum(one.trimmed for one in values),
            quarantined=outcome.quarantined,
            digest=digest_of(values),
            premises=premises.packed(),
        )
        .returning(RentRun.id)
    ).scalar_one()
    add_rows(session, RentValue, [{"run_id": run} | dict(zip(NAMES, _FIELDS(one), strict=True)) for one in values])
    return run


def find_run(session: Session, run_id: uuid.UUID) -> RowMapping:
    """A run as it is kept. Raises NotFoundError."""
    row = session.execute(select(RentRun.__table__).where(RentRun.id == run_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError("there is no such run", field="run")
    return row


def plan_of(run: RowMapping) -> Plan:
    """What a run computed."""
    return Plan(**{one.name: run[one.name] for one in fields(Plan)})


def values_of_run(session: Session, run_id: uuid.UUID) -> list[Value]:
    """The values of a run, by area, kind of let and period."""
    columns = [RentValue.__table__.c[one.name] for one in fields(Value)]
    order = (RentValue.area_id, RentValue.use, RentValue.lets, RentValue.period)
    return [Value(*row) for row in session.execute(select(*columns).where(RentValue.run_id == run_id).order_by(*order))]
