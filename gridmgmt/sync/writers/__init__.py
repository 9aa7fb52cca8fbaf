"""How each kind is written, by its name on the wire. A kind that is missing here is only read."""

from collections.abc import Mapping
from typing import Final

from gridmgmt.sync.writers.buildings import BUILDING
from gridmgmt.sync.writers.leases import LEASE
from gridmgmt.sync.writers.noun import Column, Referred, Writer
from gridmgmt.sync.writers.residences import RESIDENCE
from gridmgmt.sync.writers.residents import RESIDENT
from gridmgmt.sync.writers.units import UNIT
from gridmgmt.sync.writers.visits import DUTY_REPORT, INSPECTION

WRITERS: Final[Mapping[str, Writer]] = {
    writer.kind: writer for writer in (BUILDING, UNIT, RESIDENT, RESIDENCE, LEASE, INSPECTION, DUTY_REPORT)
}
REFERRED: Final[Mapping[str, Referred]] = {**WRITERS, "manager": Referred("manager", "reg.manager", {"building_id": Column("uuid")})}
"""Every kind that a mutation may name."""
