"""Pull, snapshot, verify and the poke, as handhelds speak them."""

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import INT4, Answer, Body, EntityId

ScopeId = Annotated[int, Field(ge=1, le=INT4, description="Number of a base grid")]
CursorText = Annotated[str, Field(min_length=1, max_length=500, description="As it was given; opaque")]
Reason = Literal["cursor-expired", "epoch", "schema"]


class PullScope(Body):
    """A grid that the handheld holds, or is to hold (cursor null)."""

    scope_id: ScopeId
    cursor: CursorText | None = None


class ChangedColumns(Body):
    """Members of a kind that are new in the handheld's schema."""

    table: str
    columns: Annotated[list[str], Field(max_length=100)]


class Migration(Body):
    """What is new in the schema of a handheld that was updated: only these kinds are read anew."""

    tables: Annotated[list[str], Field(max_length=50)] = Field(default_factory=list[str])
    columns: Annotated[list[ChangedColumns], Field(max_length=50)] = Field(default_factory=list[ChangedColumns])


def _distinct(scopes: list[PullScope]) -> list[PullScope]:
    if len({one.scope_id for one in scopes}) < len(scopes):
        raise ValueError("a scope stands twice")
    return scopes


class Pull(Body):
    """What a handheld asks for."""

    scopes: Annotated[list[PullScope], Field(max_length=50), AfterValidator(_distinct)]
    limit: Annotated[
        int, Field(ge=1, le=5_000, description="Most items of a scope; more than the service's own limit is taken for that")
    ] = 500
    wait_s: Annotated[int, Field(ge=0, le=25, description="Seconds to wait when there is nothing new")] = 0
    migration: Migration | None = None


class Item(Answer):
    """A row as it is now (`upsert`), or that it is gone from the scope (`remove`). Applied when the version is higher than the own one."""

    op: Literal["upsert", "remove"]
    kind: str
    id: EntityId
    version: int
    data: dict[str, Any] | None = None
    reason: Literal["deleted", "moved"] | None = None


class PulledScope(Answer):
    """A page of a scope, or where to read it anew."""

    scope_id: int
    items: list[Item] | None = None
    cursor: str | None = None
    has_more: bool | None = None
    checksum: str | None = None
    resync: Literal[True] | None = None
    reason: Reason | None = None
    snapshot: str | None = None


class Pulled(Answer):
    """The answer to a pull."""

    server_time: dt.datetime
    acked_seq: int
    assignment_version: int
    scopes: list[PulledScope]
    removed_scopes: list[int]
    device_status: Literal["active", "draining"]


class VerifyScope(Body):
    """What a handheld holds of a scope."""

    scope_id: ScopeId
    cursor: CursorText
    count: Annotated[int, Field(ge=0, le=INT4)]
    checksum: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


def _once(scopes: list[VerifyScope]) -> list[VerifyScope]:
    if len({one.scope_id for one in scopes}) < len(scopes):
        raise ValueError("a scope stands twice")
    return scopes


class Verify(Body):
    """Asked when the queue is empty and the last pull brought nothing."""

    scopes: Annotated[list[VerifyScope], Field(max_length=50), AfterValidator(_once)]


class VerifiedScope(Answer):
    """How a scope compares. `behind`: pull, then ask again. `mismatch` and `resync`: read it anew."""

    scope_id: int
    result: Literal["match", "behind", "mismatch", "resync"]
    count: int | None = None
    checksum: str | None = None
    resync: Literal[True] | None = None
    reason: Reason | None = None
    snapshot: str | None = None


class Verified(Answer):
    """The answer to a comparison."""

    scopes: list[VerifiedScope]
    removed_scopes: list[int]
