"""/v1/duty-reports: the duty log of building managers. Reports are entered and struck out, never corrected."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.conditional import CACHED, IfMatchDep, tag
from api.creation import made
from api.dependencies import OFFICE_ROLES, REGISTER_ROLES, ActorDep, ReadSessionDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.base import EntityId, Listing
from api.schemas.duty_reports import DutyReportNew, DutyReportShown, Kind
from api.schemas.filters import AreaFilter, FirstDay, GridFilter, LastDay
from gridmgmt.registers import duty_reports

router = APIRouter(
    prefix="/v1/duty-reports",
    tags=["duty_report"],
    route_class=DistrictRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)


@router.get("", response_model=Listing[DutyReportShown])
def list_duty_reports(
    session: ReadSessionDep,
    actor: ActorDep,
    page: PageDep,
    area: AreaFilter = None,
    grid: GridFilter = None,
    manager_id: Annotated[EntityId | None, Query()] = None,
    building_id: Annotated[EntityId | None, Query()] = None,
    kind: Annotated[Kind | None, Query()] = None,
    first: FirstDay = None,
    last: LastDay = None,
) -> object:
    """Reports in the order in which they were entered."""
    rows = duty_reports.browse(
        session, actor, limit=page.limit, after=page.after(UUID), area=area, grid=grid, manager_id=manager_id, building_id=building_id,
        kind=kind, first=first, last=last,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.id,))


@router.post("", status_code=201, response_model=DutyReportShown, responses=declares("id-taken", "unknown-reference"))
def create_duty_report(session: SessionDep, actor: ActorDep, request: Request, response: Response, body: DutyReportNew) -> object:
    """Enter a report; the same request twice makes one."""
    entered = duty_reports.create(session, actor, **body.model_dump(exclude={"id"}), identifier=body.id)
    report = duty_reports.read(session, actor, entered.id)
    made(request, response, report.id, report.version, report.house_code, fresh=entered.fresh)
    return report


@router.get("/{id}", response_model=DutyReportShown, responses=declares("not-found") | CACHED)
def read_duty_report(session: ReadSessionDep, actor: ActorDep, response: Response, id: EntityId) -> object:
    """One report."""
    report = duty_reports.read(session, actor, id)
    tag(response, report.version, report.house_code)
    return report


@router.delete(
    "/{id}",
    status_code=204,
    responses=declares("not-found", "stale-version", "precondition-required"),
    dependencies=[Depends(allow(*OFFICE_ROLES))],
)
def delete_duty_report(session: SessionDep, actor: ActorDep, id: EntityId, read: IfMatchDep) -> None:
    """Strike out a report that was entered by mistake: the offices do, not who entered it."""
    duty_reports.delete(session, actor, id, versions=read)
