"""Log-in."""

from fastapi import APIRouter, Request
from limits import RateLimitItemPerMinute

from api.dependencies import DatabaseDep, PartsDep
from api.limits import address_of
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.auth import Credentials, TokenIssued
from gridmgmt.security.accounts import log_in

router = APIRouter(prefix="/v1/auth", tags=["auth"], route_class=DistrictRoute)


@router.post(
    "/token", response_model=TokenIssued, responses=declares("unauthenticated", "invalid-value", "too-large", "unsupported-media-type")
)
def issue_token(request: Request, credentials: Credentials, database: DatabaseDep, parts: PartsDep):
    """Exchange user name and password for a bearer token. After ten refusals in a minute the name waits."""
    rate = RateLimitItemPerMinute(parts.limits.log_ins_minute)
    key = ("log-in", credentials.username, address_of(request))
    with parts.rates.refusals(rate, *key):
        actor = log_in(database, parts.passwords, credentials.username, credentials.password)
    return TokenIssued(access_token=parts.tokens.issue(actor), token_type="Bearer", expires_in=parts.tokens.lifetime, role=actor.role)  # noqa: S106 -- a word of OAuth
