"""What was published: figures to read, page by page, and where one rent stands among them. Everybody may; drafts are for the office."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, Select, select
from sqlalchemy.orm import Session

from gridmgmt.errors import InvalidError, NotFoundError
from gridmgmt.models import Area, RentFigure, RentRun
from gridmgmt.rents.methods.guidance import Band, percentile
from gridmgmt.rents.observations import LEAST, MOST
from gridmgmt.rents.releases import find_release, newest_release

TOLD = (
    RentFigure.id, RentFigure.product, RentFigure.frequency, RentFigure.area_id, RentFigure.use, RentFigure.lets, RentFigure.period,
    RentFigure.value, RentFigure.low, RentFigure.high, RentFigure.se, RentFigure.n_told, RentFigure.basis, RentFigure.flag,
    RentFigure.reason, RentFigure.run_id,
)  # fmt: skip


@dataclass(frozen=True)
class Wish:
    """Which figures are wanted; None wants all."""

    product: str
    area: str | None = None
    """Beginning of a code: 440306017 for a subdistrict and its communities."""
    level: str | None = None
    use: str | None = None
    lets: str | None = None
    frequency: str | None = None
    since: dt.date | None = None
    until: dt.date | None = None


@dataclass(frozen=True)
class Checked:
    """Where a rent stands: yuan per m² and month, its place among those agreed (0 to 100), and the band that it was held against."""

    rent: Decimal
    percentile: float
    verdict: str
    """below, within or above the band."""
    figure: RowMapping
    area: RowMapping
    quarter: str


def release_for(session: Session, quarter: str | None, release_id: uuid.UUID | None) -> RowMapping:
    """The release asked for by its id or quarter, else the newest published one.

    Raises NotFoundError, InvalidError where it is asked for by both.
    """
    if quarter is not None and release_id is not None:
        raise InvalidError("a release is asked for by its quarter or by its id, not by both", field="quarter")
    return newest_release(session, quarter) if release_id is None else find_release(session, release_id)


def browse_figures(session: Session, release_id: uuid.UUID, wish: Wish, *, limit: int, after: int = 0) -> Sequence[RowMapping]:
    """A page of figures after the one with the id `after`, and one more where another page follows, with the codes of their areas."""
    return session.execute(_figures(release_id, wish).where(RentFigure.id > after).limit(limit + 1)).mappings().all()


def all_figures(session: Session, release_id: uuid.UUID, wish: Wish) -> Sequence[RowMapping]:
    """All of them, for a file."""
    return session.execute(_figures(release_id, wish)).mappings().all()


def area_names(session: Session) -> dict[int, tuple[str, str]]:
    """Codes and names of all areas by their ids."""
    return {one.id: (one.code, one.name) for one in session.execute(select(Area.id, Area.code, Area.name))}


def check_rent(session: Session, code: str, use: str, rent: Decimal) -> Checked:
    """Hold a rent in yuan per m² and month against the newest guidance rent of a community, subdistrict or district.

    Uses what is published and nothing else; the ends of the band stand where its run put them. Raises InvalidError for a rent that would
    not count as an observation, NotFoundError where nothing was published for the area and use.
    """
    if not LEAST <= rent <= MOST:
        raise InvalidError(f"nothing is let for {rent:.2f} yuan per square metre and month: {LEAST} to {MOST:,} are held", field="rent_fen")
    rent = rent.quantize(Decimal("0.01"))
    release = newest_release(session)
    wish = Wish("guide", area=code, use=use)
    found = [row for row in all_figures(session, release["id"], wish) if row["code"] == code and row["value"] is not None]
    if not found:
        raise NotFoundError(f"no guidance rent was published for {code} and {use}", field="area")
    figure = found[-1]
    low, median, high = (float(figure[name]) for name in ("low", "value", "high"))
    verdict = "below" if float(rent) < low else "above" if float(rent) > high else "within"
    parameters = session.execute(select(RentRun.parameters).where(RentRun.id == figure["run_id"])).scalar_one()
    place = percentile(float(rent), low, median, high, band=Band(parameters["low"], parameters["high"]))
    return Checked(rent, round(place, 1), verdict, figure, figure, release["quarter"])


def _figures(release_id: uuid.UUID, wish: Wish) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = (
        select(*TOLD, Area.code, Area.name, Area.level)
        .join(Area, Area.id == RentFigure.area_id)
        .where(RentFigure.release_id == release_id, RentFigure.product == wish.product)
        .order_by(RentFigure.id)
    )
    equal: Mapping[Any, object | None] = {
        Area.level: wish.level,
        RentFigure.use: wish.use,
        RentFigure.lets: wish.lets,
        RentFigure.frequency: wish.frequency,
    }
    for column, value in equal.items():
        if value is not None:
            query = query.where(column == value)
    if wish.area is not None:
        query = query.where(Area.code.startswith(wish.area, autoescape=True))
    if wish.since is not None:
        query = query.where(RentFigure.period >= wish.since)
    if wish.until is not None:
        query = query.where(RentFigure.period <= wish.until)
    return query
