"""Repeating a run: the same digits from what it knew, a year later too."""

import uuid
from dataclasses import dataclass

from sqlalchemy.orm import Session

from gridmgmt.rents.composing import tree_values
from gridmgmt.rents.computing import area_values
from gridmgmt.rents.premises import Premises
from gridmgmt.rents.runs import digest_of, find_run, plan_of
from gridmgmt.rents.samples import Sample


@dataclass(frozen=True)
class Repeated:
    """Whether a run, computed again from what it knew, has the same values."""

    same: bool
    digest: str


def repeat(session: Session, run_id: uuid.UUID) -> Repeated:
    """Compute a run again from the observations as they were known at its data cut and what it keeps of areas and stock.

    Nothing is kept. Raises NotFoundError.
    """
    run = find_run(session, run_id)
    plan = plan_of(run)
    sample = Sample.draw(session, plan.use, cut=run["data_cut"])
    values_of = tree_values if plan.parameters.get("areas") == "tree" else area_values
    digest = digest_of(values_of(plan, sample, Premises.unpacked(run["premises"])))
    return Repeated(digest == run["digest"], digest)
