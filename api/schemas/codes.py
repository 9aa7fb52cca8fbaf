"""The closed lists of words that handhelds choose from: the same types that refuse any other word on the way in."""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

import orjson

from api.schemas import buildings, duty_reports, files, inspections, leases, managers, persons, residences, units

LISTS: Final[Mapping[str, Any]] = {
    "building.nature": buildings.Nature,
    "unit.use": units.Use,
    "resident.registration": persons.Registration,
    "resident.sex": persons.Sex,
    "residence.basis": residences.Basis,
    "residence.declared_by": residences.Declarer,
    "lease.state": leases.State,
    "lease.rent.unit": leases.RentUnit,
    "manager.kind": managers.Kind,
    "manager.state": managers.State,
    "inspection.kind": inspections.Kind,
    "inspection.outcome": inspections.Outcome,
    "duty_report.kind": duty_reports.Kind,
    "file.content_type": files.ContentType,
}
"""Kind and member, and the type of its words."""


@cache
def words() -> Mapping[str, tuple[str, ...]]:
    """The words of each list, in the order in which they are shown."""
    return {name: get_args(listed) for name, listed in LISTS.items()}


@cache
def etag() -> str:
    """The entity tag of all lists: another one as soon as a word is added."""
    return f'"{hashlib.sha256(orjson.dumps(words())).hexdigest()[:16]}"'
