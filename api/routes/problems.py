"""What the `type` of a problem leads to."""

from fastapi import APIRouter

from api.problems import KINDS, declares
from api.routing import DistrictRoute
from api.schemas.problems import KindShown
from gridmgmt.errors import NotFoundError

router = APIRouter(prefix="/problems", tags=["service"], route_class=DistrictRoute)


@router.get("", response_model=list[KindShown])
async def list_problems() -> object:
    """Every problem that this service tells."""
    return [_told(slug) for slug in KINDS]


@router.get("/{slug}", response_model=KindShown, responses=declares("not-found"))
async def read_problem(slug: str) -> object:
    """One problem."""
    if slug not in KINDS:
        raise NotFoundError("there is no such problem")
    return _told(slug)


def _told(slug: str) -> KindShown:
    kind = KINDS[slug]
    return KindShown(type=f"/problems/{slug}", title=kind.title, title_zh=kind.title_zh, status=kind.status)
