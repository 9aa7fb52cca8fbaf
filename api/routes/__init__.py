"""Routers of /v1 and of the service itself.

`ROUTERS` lists every one; app.py includes them with the problems that any route has. A noun's file begins

    router = APIRouter(prefix="/v1/buildings", tags=["buildings"], route_class=DistrictRoute, responses=declares("unauthenticated"))
"""

from collections.abc import Sequence

from fastapi import APIRouter

from api.pages import routes as pages
from api.routes import (
    accounts,
    areas,
    auth,
    bootstrap,
    buildings,
    compare,
    conflicts,
    devices,
    duty_reports,
    feed,
    files,
    grids,
    health,
    inspections,
    leases,
    managers,
    persons,
    problems,
    push,
    rents,
    residences,
    units,
)

ROUTERS: Sequence[APIRouter] = (
    auth.router,
    accounts.router,
    areas.router,
    grids.router,
    buildings.router,
    units.router,
    persons.router,
    compare.router,
    residences.router,
    leases.router,
    managers.router,
    duty_reports.router,
    inspections.router,
    rents.router,
    files.router,
    devices.router,
    bootstrap.router,
    feed.router,
    push.router,
    conflicts.router,
    health.router,
    problems.router,
    pages.router,
)
