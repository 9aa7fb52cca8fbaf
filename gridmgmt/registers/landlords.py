"""Landlords (出租人): who lets in a subdistrict, one party for all leases that name it."""

import re
import uuid

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gridmgmt.registers.masks import mask_name

ORGANISATION = re.compile(
    r"公司|集团|工厂|村委|居委|合作社|经联社|股份|事务所|中心|学校|学院|医院|酒店|宾馆|银行|商行|超市|协会|基金|街道|政府|[局厂社站]$"
    r"|\b(?:ltd|limited|co|inc|company|corporation|university|hotel|factory)\b",
    re.IGNORECASE,
)
"""Words by which the name of an organisation is known; files give a lessor's name and nothing else."""


def ensure(session: Session, grid_id: int, name: str) -> uuid.UUID:
    """The landlord of this name in the grid's subdistrict, entered when it is new. Field workers may ask, and read no list of them."""
    return session.execute(select(func.sec.landlord_ensure(grid_id, name, kind_of(name)))).scalar_one()


def kind_of(name: str) -> str:
    """`organisation` or `person`, by the name."""
    return "organisation" if len(name) > 3 and ORGANISATION.search(name) else "person"


def shown(name: str | None) -> str | None:
    """The name as it is answered: an organisation's whole, a person's masked."""
    return name if name is None or kind_of(name) == "organisation" else mask_name(name)
