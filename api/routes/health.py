"""Whether the process lives, whether it can serve, and what it counted."""

import ipaddress

from fastapi import APIRouter, Request, Response
from psycopg import ProgrammingError
from starlette.exceptions import HTTPException

from api.dependencies import PartsDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.health import Alive, Check, Ready
from gridmgmt.errors import BusyError, InvalidError
from gridmgmt.operations.job_runs import seconds_since_success
from gridmgmt.operations.readiness import check_database
from gridmgmt.sync.figures import Figure, read_figures

router = APIRouter(tags=["service"], route_class=DistrictRoute)


@router.get("/healthz", response_model=Alive)
async def is_alive():
    """The process answers; nothing else is asked."""
    return Alive(status="ok")


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready, "description": "A check failed; `checks` says which"}})
async def is_ready(parts: PartsDep, response: Response):
    """Whether requests can be served: the database answers, is of this release, and its maps use their index."""
    try:
        checks = [Check(name=name, ok=ok) for name, ok in (await check_database(parts.database)).items()]
    except BusyError:
        checks = [Check(name="database", ok=False)]
    ready = all(check.ok for check in checks)
    response.status_code = 200 if ready else 503
    return Ready(status="ok" if ready else "failed", demo_mode=parts.settings.access.demo_mode, checks=checks)


@router.get("/metrics", include_in_schema=True, responses=declares("not-found"), response_class=Response)
async def read_metrics(request: Request, parts: PartsDep) -> Response:
    """Counters in Prometheus' format; to this machine only."""
    host = request.client.host if request.client is not None else ""
    if not _is_here(host):
        raise HTTPException(404)
    try:
        figures = await read_figures(parts.database)
    except (BusyError, ProgrammingError, InvalidError):  # the process is watched when its database is away or not migrated, too
        figures = []
    figures += [Figure("job", job, seconds) for job, seconds in (await seconds_since_success(parts.database)).items()]
    return Response(parts.metrics.text(figures), media_type="text/plain; version=0.0.4; charset=utf-8")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
