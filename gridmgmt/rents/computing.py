"""From a question to a run: the index of one area and use over a span, by one method."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from gridmgmt.errors import InvalidError, NotFoundError
from gridmgmt.rents.believed import believed
from gridmgmt.rents.catalogue import DEFAULT, METHODS
from gridmgmt.rents.district import series_of_part
from gridmgmt.rents.extracts import save_limits
from gridmgmt.rents.material import Material
from gridmgmt.rents.methods.series import IntArray
from gridmgmt.rents.observations import observe
from gridmgmt.rents.pair_statistics import rebuild_pairs
from gridmgmt.rents.premises import Premises
from gridmgmt.rents.runs import Outcome, Plan, Value, store, take_cut, values_of
from gridmgmt.rents.samples import Frequency, Lets, Sample, Span, load_floorspace
from gridmgmt.rents.statistics import USES, rebuild

LONGEST: Final = 600
"""Periods that an index may have."""

COMMUNITIES: Final = f"""
    WITH RECURSIVE known AS {believed("area", "id", "level", "parent_id")}, below AS (
      SELECT id, level FROM known WHERE id = :area
      UNION ALL SELECT a.id, a.level FROM known a JOIN below b ON a.parent_id = b.id)
    SELECT id FROM below WHERE level = 'community' ORDER BY id"""  # noqa: S608 -- words of this package only
SET_ASIDE: Final = """
    SELECT count(*) FROM reg.rent_observation
     WHERE use = :use AND reason IS NOT NULL AND deleted_at IS NULL AND community_id = ANY (:communities)"""


@dataclass(frozen=True)
class Computed:
    """A run that was kept."""

    run_id: uuid.UUID
    plan: Plan
    outcome: Outcome


def compute_index(
    session: Session,
    code: str,
    use: str,
    first: dt.date,
    last: dt.date,
    *,
    frequency: Frequency = "month",
    method: str = DEFAULT,
    lets: Lets = "all",
) -> Computed:
    """Compute and keep the index of an area from the period that holds `first` to that of `last`; the actor is of class loader.

    Observations are brought up to date before. Raises InvalidError for a use, method or span that there is none of, NotFoundError for an
    unknown area, BusyError when another run was under way. Where nothing can be estimated every period has a reason and no number.
    """
    if use not in USES:
        raise InvalidError(f"there is no use {use}: one of {', '.join(USES)}", field="use")
    if method not in METHODS:
        raise InvalidError(f"there is no method {method}: one of {', '.join(METHODS)}", field="method")
    if first > last:
        raise InvalidError("the last period lies before the first", field="to")
    span = Span.between(first, last, frequency)
    if span.periods > LONGEST:
        raise InvalidError(f"an index has at most {LONGEST} periods", field="to")
    area = area_id(session, code)
    observe(session)
    cut = take_cut(session)
    parameters = {**METHODS[method].parameters, "lets": lets}
    plan = Plan("index", frequency, method, parameters, area, use, span.days[0], span.days[-1])
    sample = Sample.draw(session, use)
    settle(session, sample)
    communities = communities_of(session, area, cut)
    premises = Premises(communities, floorspace=load_floorspace(session, use, cut).within(communities))
    aside = session.execute(text(SET_ASIDE), {"use": use, "communities": communities.tolist()}).scalar_one()
    outcome = Outcome(area_values(plan, sample, premises), aside)
    return Computed(store(session, plan, outcome, cut, premises), plan, outcome)


def settle(session: Session, sample: Sample) -> None:
    """Let the statistics of a use go by the limits of what is a gross error that this sample has."""
    save_limits(session, sample.use, sample.extract)
    rebuild(session, sample.use)
    rebuild_pairs(session, sample.use)


def area_id(session: Session, code: str) -> int:
    """The area of a code that is in force. Raises NotFoundError."""
    found = session.execute(
        text("SELECT id FROM reg.area WHERE code = :code AND deleted_at IS NULL ORDER BY valid_to DESC NULLS FIRST LIMIT 1"), {"code": code}
    ).scalar_one_or_none()
    if found is None:
        raise NotFoundError(f"there is no area {code}", field="area")
    return found


def communities_of(session: Session, area: int, cut: dt.datetime) -> IntArray:
    """Ids of the communities in an area at a data cut, itself if it is one."""
    return np.array(session.execute(text(COMMUNITIES), {"area": area, "cut": cut}).scalars().all(), np.int64)


def area_values(plan: Plan, sample: Sample, premises: Premises) -> list[Value]:
    """The values of a run over one area."""
    lets: Lets = plan.parameters["lets"]
    frequency: Frequency = "month" if plan.frequency == "month" else "quarter"
    span = Span.between(plan.begins, plan.ends - dt.timedelta(days=1), frequency)
    part = sample.part(premises.communities, span, lets)
    series = series_of_part(Material(part, span, premises.floorspace), plan.method, dict(plan.parameters))
    return values_of(series, part, span, area_id=plan.area_id, use=plan.use, lets=lets)
