"""Tables of the register, one file a noun. Row-level security, triggers and checks stand in the migrations."""

from gridmgmt.models.accounts import AccessKey, Account, AreaGrant, GridAssignment, Post
from gridmgmt.models.areas import Area, AreaLineage
from gridmgmt.models.base import Base
from gridmgmt.models.buildings import Building
from gridmgmt.models.cells import BuildingCell
from gridmgmt.models.counts import ResidentCount
from gridmgmt.models.duty_reports import DutyReport
from gridmgmt.models.files import File, FileLink
from gridmgmt.models.grids import Grid, GridLineage, Layer
from gridmgmt.models.inspections import Inspection
from gridmgmt.models.jobs import JobRun
from gridmgmt.models.landlords import Landlord
from gridmgmt.models.leases import Lease
from gridmgmt.models.managers import Manager
from gridmgmt.models.organisations import Organisation
from gridmgmt.models.people import Discrepancy, Identity, Person, PersonSecret
from gridmgmt.models.rents import (
    RentCut,
    RentFigure,
    RentLimit,
    RentObservation,
    RentPairStatistic,
    RentRelease,
    RentReleaseRun,
    RentRun,
    RentStatistic,
    RentValue,
)
from gridmgmt.models.residences import Residence
from gridmgmt.models.sync import Conflict, DeadLetter, Device, Enrolment, FeedMeta, FieldPolicy, IdAlias, Incident, Mutation
from gridmgmt.models.trail import Audit, Change, LayerChange
from gridmgmt.models.units import Unit

__all__ = [
    "AccessKey",
    "Account",
    "Area",
    "AreaGrant",
    "AreaLineage",
    "Audit",
    "Base",
    "Building",
    "BuildingCell",
    "Change",
    "Conflict",
    "DeadLetter",
    "Device",
    "Discrepancy",
    "DutyReport",
    "Enrolment",
    "FeedMeta",
    "FieldPolicy",
    "File",
    "FileLink",
    "Grid",
    "GridAssignment",
    "GridLineage",
    "IdAlias",
    "Identity",
    "Incident",
    "Inspection",
    "JobRun",
    "Landlord",
    "Layer",
    "LayerChange",
    "Lease",
    "Manager",
    "Mutation",
    "Organisation",
    "Person",
    "PersonSecret",
    "Post",
    "RentCut",
    "RentFigure",
    "RentLimit",
    "RentObservation",
    "RentPairStatistic",
    "RentRelease",
    "RentReleaseRun",
    "RentRun",
    "RentStatistic",
    "RentValue",
    "Residence",
    "ResidentCount",
    "Unit",
]
