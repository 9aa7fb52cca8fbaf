"""Who wins when two wrote different values into one field: rules that the office sets, each with its versions."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import InvalidError
from gridmgmt.models import FieldPolicy
from gridmgmt.security import audit
from gridmgmt.sync.merging import Policy
from gridmgmt.sync.writers import WRITERS

ORDERED: Final = frozenset({"int", "numeric", "date", "bigint", "timestamptz"})
"""Types of columns of which there is a larger and a smaller."""


def browse(session: Session, actor: Actor) -> Sequence[FieldPolicy]:
    """The rules that hold now, by kind and field."""
    newest = select(FieldPolicy).ext(distinct_on(FieldPolicy.kind, FieldPolicy.field))
    return session.scalars(newest.order_by(FieldPolicy.kind, FieldPolicy.field, FieldPolicy.version.desc())).all()


def choose(session: Session, actor: Actor, *, kind: str, field: str, policy: Policy) -> FieldPolicy:
    """Set the rule of a field from now on. Raises InvalidError for a field that there is not, or that the rule does not fit."""
    writer = WRITERS.get(kind)
    if writer is None or field not in writer.fields:
        raise InvalidError("handhelds change no such field", field="kind" if writer is None else "field")
    kinds = {writer.columns[column].type for column in writer.fields[field]}
    if policy in {"max", "min"} and not (len(kinds) == 1 and kinds <= ORDERED):
        raise InvalidError("of its values none is the larger", field="policy")
    if policy == "union" and not all(kind_of.endswith("[]") for kind_of in kinds):
        raise InvalidError("its values are no lists", field="policy")
    version = session.execute(select(func.sec.policy_set(kind, field, policy))).scalar_one()
    audit.record(session, "set", "policy", f"{kind}.{field}", detail={"policy": policy, "version": version})
    chosen = select(FieldPolicy).where(FieldPolicy.kind == kind, FieldPolicy.field == field, FieldPolicy.version == version)
    return session.scalars(chosen).one()
