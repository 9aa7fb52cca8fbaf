"""The one road from an actor to a row.

Row-level security decides what the session sees. A row of another area, a deleted one and one that never was are told alike.
"""

import uuid
from typing import TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from gridmgmt.errors import NotFoundError, StaleError
from gridmgmt.models import (
    Area,
    Building,
    Discrepancy,
    DutyReport,
    Grid,
    Inspection,
    Landlord,
    Lease,
    Manager,
    Organisation,
    Person,
    Residence,
    Unit,
)

Row = TypeVar(
    "Row", Area, Building, Discrepancy, DutyReport, Grid, Inspection, Landlord, Lease, Manager, Organisation, Person, Residence, Unit
)

Versions = frozenset[int] | None
"""The versions of which a writer has read one; None stands for whatever is there (`If-Match: *`)."""


def find(session: Session, model: type[Row], identifier: uuid.UUID | int) -> Row:
    """The row. Raises NotFoundError for one that is not there, deleted, or not for this actor's eyes."""
    row = session.execute(_live(model, identifier)).scalar_one_or_none()
    if row is None:
        raise _unknown(model)
    return row


def lock(session: Session, model: type[Row], identifier: uuid.UUID | int, read: Versions) -> Row:
    """The row, held until the transaction ends, for a correction by somebody who has read one of the versions.

    Raises NotFoundError as `find` does, StaleError with the present version among its facts when the row has moved on, and BusyError
    when somebody else holds it for more than two seconds.
    """
    row = session.execute(_live(model, identifier).with_for_update().execution_options(populate_existing=True)).scalar_one_or_none()
    if row is None:
        raise _unknown(model)
    if read is not None and row.version not in read:
        raise StaleError("the row was changed since it was read: read it again", version=row.version)
    return row


def _live(model: type[Row], identifier: uuid.UUID | int) -> Select[Row]:
    return select(model).where(model.id == identifier, model.deleted_at.is_(None))


def _unknown(model: type[Row]) -> NotFoundError:
    return NotFoundError(f"there is no such {model.__tablename__.replace('_', ' ')}, or none that you may see")
