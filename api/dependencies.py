"""What routes ask for: finished values, never raw strings. Each alias is declared here and only here.

A session has function scope: it is committed after the route returned and before the answer leaves, so a deferred constraint that
fails at the commit still becomes a problem. Spelling the Depends again would open a second transaction; a test forbids it.
"""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request
from sqlalchemy.orm import Session

from api.auth import caller
from api.limits import Buckets, Limits, Rates
from api.metrics import Metrics
from api.paging import Cursors
from api.shelf import Shelf
from api.turns import Queue, Turns
from gridmgmt.database import PUBLIC, Actor, Database
from gridmgmt.errors import ForbiddenError, UnauthenticatedError
from gridmgmt.layers.extents import Extents
from gridmgmt.layers.tiles import Tiles
from gridmgmt.security.passwords import Passwords
from gridmgmt.security.sealing import Sealer
from gridmgmt.security.tokens import Tokens
from gridmgmt.settings import Settings
from gridmgmt.sync.cursors import FeedCursors
from gridmgmt.sync.pokes import Pokes
from gridmgmt.sync.standing import require_active
from gridmgmt.sync.stored import Stored


@dataclass(frozen=True)
class Parts:
    """What an application is made of; kept in its state."""

    settings: Settings
    database: Database
    sealer: Callable[[], Sealer]
    tokens: Tokens
    passwords: Passwords
    cursors: Cursors
    limits: Limits
    rates: Rates
    metrics: Metrics
    tiles: Tiles
    stored: Stored
    """Where the bytes of uploaded files lie."""
    feed: FeedCursors
    pokes: Pokes
    snapshots: Turns
    """First syncs that are sent at once."""
    listeners: Turns
    """Handhelds that wait for changes at once."""
    pushes: Queue
    """Pushes of handhelds that are worked on at once."""
    pushed: Buckets
    """Pushes of each handheld, those refused left out."""
    extents: Extents = field(default_factory=Extents)
    files: Turns = field(default_factory=lambda: Turns(2))
    """Large files that are made at once; each needs a process."""
    documents: Shelf = field(default_factory=Shelf)
    """Bulletins that were made already."""
    streams: Turns = field(default_factory=lambda: Turns(4))
    """Long answers that are sent at once; each holds a connection."""
    storing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(8))
    """Threads that write to the store of files: a slow store takes none of those that other requests wait in."""


def parts_of(request: Request) -> Parts:
    """The parts of the application that serves this request."""
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


# Dependencies that never wait are coroutines: FastAPI sends each plain function through a thread of its own.
async def _parts(request: Request) -> Parts:
    return parts_of(request)


PartsDep = Annotated[Parts, Depends(_parts)]


async def _settings(parts: PartsDep) -> Settings:
    return parts.settings


async def _database(parts: PartsDep) -> Database:
    return parts.database


def _sealer(parts: PartsDep) -> Sealer:
    return parts.sealer()


SettingsDep = Annotated[Settings, Depends(_settings)]
DatabaseDep = Annotated[Database, Depends(_database)]
SealerDep = Annotated[Sealer, Depends(_sealer)]
"""Seals and opens identity numbers and phones."""


async def _bearer(request: Request, parts: PartsDep) -> Actor:
    actor = await caller(request, parts.database, parts.tokens, parts.rates, parts.limits)
    request.state.actor = actor
    return actor


BearerDep = Annotated[Actor, Depends(_bearer)]
"""Who asks, or PUBLIC, however the handheld stands: for the routes that look at that themselves (api/device_access.py)."""


async def _caller(request: Request, actor: BearerDep, database: DatabaseDep) -> Actor:
    if not getattr(request.state, "hands_in", False):
        await require_active(database, actor)
    return actor


CallerDep = Annotated[Actor, Depends(_caller)]
"""Who asks, or PUBLIC: for what anonymous callers may see too. A wrong token or key is refused all the same, and so is a
handheld that gets nothing more, unless the route said that files are handed in (api/tus.py)."""


async def _actor(actor: CallerDep) -> Actor:
    require_known(actor)
    return actor


ActorDep = Annotated[Actor, Depends(_actor)]
"""Who asks; anonymous callers get 401."""


def _session(database: DatabaseDep, actor: ActorDep) -> Generator[Session]:
    with database.transaction(actor) as session:
        yield session


def _read_session(database: DatabaseDep, actor: ActorDep) -> Generator[Session]:
    with database.transaction(actor, read_only=True) as session:
        yield session


def _open_session(database: DatabaseDep, actor: CallerDep) -> Generator[Session]:
    with database.transaction(actor, read_only=True) as session:
        yield session


SessionDep = Annotated[Session, Depends(_session, scope="function")]
"""The transaction of this request. For everything that writes, and for reads of personal data, which write their audit row."""
ReadSessionDep = Annotated[Session, Depends(_read_session, scope="function")]
"""The same, READ ONLY: for GETs of data that are not personal."""
OpenSessionDep = Annotated[Session, Depends(_open_session, scope="function")]
"""The same for whoever asks, also without an account: for what was published."""


def require_known(actor: Actor) -> None:
    """Raises UnauthenticatedError for anonymous callers."""
    if actor is PUBLIC:
        raise UnauthenticatedError("log in first: POST /v1/auth/token gives a bearer token")


def allow(*roles: str) -> Callable[[Actor], Awaitable[None]]:
    """A dependency for routes or whole routers: only these account roles, 403 for the others.

    `dependencies=[Depends(allow("district", "subdistrict"))]`. Rows are none of its business: row-level security sees to them.
    """

    async def check(actor: ActorDep) -> None:
        if actor.role not in roles:
            raise ForbiddenError("your role may not do this")

    return check


REGISTER_ROLES = ("district", "subdistrict", "community", "worker")
"""Roles that see rows of the register at all; `admin` and `auditor` do not."""
OFFICE_ROLES = ("district", "subdistrict")
"""Those of them that strike out what others saw and entered."""
