"""Repeating a run: the same digits from what was known at its data cut, a year later too."""

import uuid
from dataclasses import dataclass

from sqlalchemy.orm import Session

from gridmgmt.rents.composing import tree_outcome
from gridmgmt.rents.computing import area_outcome
from gridmgmt.rents.runs import digest_of, find_run, plan_of
from gridmgmt.rents.samples import Sample


@dataclass(frozen=True)
class Repeated:
    """Whether a run, computed again from what was known at its data cut, has the same values."""

    same: bool
    digest: str


def repeat(session: Session, run_id: uuid.UUID) -> Repeated:
    """Compute a run again from the register as it was known at its data cut. Nothing is kept. Raises NotFoundError."""
    run = find_run(session, run_id)
    plan = plan_of(run)
    sample = Sample.draw(session, plan.use, cut=run["data_cut"])
    outcome_of = tree_outcome if plan.parameters.get("areas") == "tree" else area_outcome
    digest = digest_of(outcome_of(session, plan, sample, run["data_cut"]).values)
    return Repeated(digest == run["digest"], digest)
