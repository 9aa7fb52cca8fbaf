"""Rents as they travel."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.schemas.base import Answer, AreaCode, Body, Moment, Remarks
from gridmgmt.rents.observations import LARGEST, SMALLEST

Use = Literal["residential", "shop", "office", "plant", "warehouse", "other"]
Lets = Literal["all", "new"]
Frequency = Literal["month", "quarter"]
Level = Literal["district", "subdistrict", "community"]
Quarter = Annotated[str, StringConstraints(pattern=r"^[12][0-9]{3}Q[1-4]$")]


class Figure(Answer):
    """A published number, or the reason why there is none."""

    code: str
    """Of the area, and its name and level."""
    name: str
    level: Level
    use: Use
    period: dt.date
    """First day."""
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    se: Decimal | None
    """Standard error of the natural logarithm."""
    n_told: int | None
    """Observations, rounded to fives; null where it is hidden."""
    basis: Literal["direct", "model", "none"]
    flag: str | None
    reason: str | None


class GuideFigure(Figure):
    """A guidance rent in yuan per square metre and month. `value` is the median for a community, and for a subdistrict or district the mean
    over the stock. `low` and `high` are a typical spread around it: as far off as the 20th and 80th percentile of rents are from their
    median, unless the run's parameters say otherwise."""


class IndexFigure(Figure):
    """A number of the rental price index; `low` and `high` are its interval of 95 %."""

    lets: Lets
    frequency: Frequency


class EstimatedPeriod(Answer):
    """One period of an estimate."""

    period: dt.date
    """First day."""
    value: float | None
    se: float | None
    """Standard error of the natural logarithm, as if leases of one unit had nothing to do with each other."""
    n: int
    reason: str | None


class Estimates(Answer):
    """An index solved from the sums as they stand. It is unreviewed, and no disclosure control has judged it: not for publication."""

    area: str
    use: Use
    lets: Lets
    frequency: Frequency
    method: str
    reviewed: Literal[False] = False
    index: list[EstimatedPeriod]


class Release(Answer):
    """A release of numbers of one quarter. Who is not of the office sees published ones and no notes."""

    id: uuid.UUID
    version: int
    quarter: str
    edition: int
    state: Literal["computed", "reviewed", "approved", "published", "superseded", "rejected"]
    published_at: Moment | None
    note: str | None = None
    computed_at: Moment | None = None
    reviewed_at: Moment | None = None
    approved_at: Moment | None = None


class Run(Answer):
    """What a release was computed by: enough to compute it again."""

    id: uuid.UUID
    product: Literal["index", "guide"]
    frequency: str
    use: Use
    method: str
    parameters: dict[str, Any]
    software: str
    data_cut: Moment
    begins: dt.date
    ends: dt.date
    digest: str


class ReleaseSheet(Release):
    """A release with the runs that it was computed by."""

    runs: list[Run]


class Said(Answer):
    """What a release says of a figure."""

    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    se: Decimal | None
    n_told: int | None
    basis: str
    flag: str | None
    reason: str | None


class Revision(Answer):
    """A figure of which two releases say different things; null where one of them does not have it."""

    product: str
    frequency: str
    area_id: int
    use: str
    lets: str
    period: dt.date
    before: Said | None
    after: Said | None


class Method(Answer):
    """A method that an index can be computed by, with its source."""

    name: str
    title: str
    title_zh: str
    about: str
    source: str
    parameters: dict[str, Any]
    default: bool


class Review(Body):
    """A step of a release, with a note for the office."""

    note: Remarks | None = None


class Rent(Body):
    """A rent to be held against the guidance rents."""

    area: AreaCode
    use: Use
    rent_fen: Annotated[int, Field(ge=1, le=100_000_000_000)]
    """In fen (1/100 yuan) a month."""
    area_m2: Annotated[float, Field(ge=SMALLEST, le=LARGEST)]


class RentChecked(Answer):
    """Where a rent stands among those agreed in its area, by the published band alone."""

    rent: Decimal
    """Yuan per square metre and month."""
    percentile: float
    verdict: Literal["below", "within", "above"]
    quarter: str
    figure: GuideFigure
