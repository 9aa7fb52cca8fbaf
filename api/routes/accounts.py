"""The own account, and the audit trail for the auditor."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.dependencies import ActorDep, ReadSessionDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.accounts import Me, TraceShown
from api.schemas.base import Int8, Listing, Moment
from gridmgmt.security import accounts, audit

router = APIRouter(prefix="/v1", tags=["accounts"], route_class=DistrictRoute, responses=declares("unauthenticated", "device-draining"))

Word = Annotated[str | None, Query(max_length=100, pattern=r"^[A-Za-z0-9_.:-]+$")]


@router.get("/accounts/me", response_model=Me)
def who_am_i(session: ReadSessionDep, actor: ActorDep):
    """The account that asks: its role, and the areas and grids that it works for."""
    account = accounts.own_account(session, actor)
    return {
        "username": account.username,
        "display_name": account.display_name,
        "role": account.role,
        "areas": accounts.own_areas(session, actor),
        "grids": accounts.own_grids(session, actor),
    }


@router.get(
    "/audit",
    response_model=Listing[TraceShown],
    dependencies=[Depends(allow("auditor"))],
    responses=declares("forbidden", "invalid-value"),
)
def read_trail(
    *,
    session: SessionDep,
    page: PageDep,
    actor_id: Annotated[Int8 | None, Query(ge=0)] = None,
    action: Word = None,
    object_type: Word = None,
    object_id: Word = None,
    since: Annotated[Moment | None, Query(description="Rows from this time on")] = None,
    until: Annotated[Moment | None, Query(description="Rows before this time")] = None,
):
    """The audit trail, the newest first. Reading it leaves a row too."""
    rows = audit.read_trail(
        session,
        limit=page.limit,
        before=page.after(dt.datetime.fromisoformat, int),
        actor_id=actor_id,
        action=action,
        object_type=object_type,
        object_id=object_id,
        since=since,
        until=until,
    )
    return page.show(rows, lambda row: (row.at, row.id))
