"""/v1/compare: a number at a door against the whole register, in three words."""

from fastapi import APIRouter, Depends

from api.clock import TodayDep
from api.dependencies import REGISTER_ROLES, ActorDep, SealerDep, SessionDep, SettingsDep, allow
from api.problems import declares
from api.routing import PersonalRoute
from api.schemas.persons import Comparison, ComparisonAnswer
from gridmgmt.registers import reveals

router = APIRouter(prefix="/v1/compare", tags=["person"], route_class=PersonalRoute, dependencies=[Depends(allow(*REGISTER_ROLES))])


@router.post(
    "",
    response_model=ComparisonAnswer,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type", "quota-exceeded"),
)
def compare_number(
    session: SessionDep, actor: ActorDep, sealer: SealerDep, settings: SettingsDep, today: TodayDep, body: Comparison
) -> object:
    """Whether somebody with this number is registered anywhere, and lives here. Counts on a quota, hit or miss."""
    return reveals.compare(session, actor, sealer, **body.model_dump(), today=today, demo=settings.access.demo_mode)
