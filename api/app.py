"""The application: parts, routers, handlers. Nothing happens at import."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio.to_thread
from fastapi import FastAPI

from api.dependencies import Parts
from api.paging import Cursors
from api.problems import COMMON, declares, handle_problems
from api.routes import ROUTERS
from gridmgmt.database import Database
from gridmgmt.operations.cluster import address
from gridmgmt.security.context import signer
from gridmgmt.security.keys import Keys, load_keys
from gridmgmt.security.passwords import Passwords
from gridmgmt.security.sealing import Sealer
from gridmgmt.security.tokens import Tokens
from gridmgmt.settings import Settings, load_settings

THREADS_PER_CONNECTION = 4
"""Routes wait for the database in threads; classes of user share them, so there are more threads than connections of one class."""


def create_app(settings: Settings, keys: Keys, database: Database | None = None) -> FastAPI:
    """The application over `database`, or over the one that the settings name. Opens no connection yet."""
    own = database is None
    if database is None:
        database = Database(address(settings), signer(keys.context_kid, keys.context), pool_size=settings.database.pool_size)
    parts = Parts(
        settings=settings,
        database=database,
        sealer=Sealer.of(keys),
        tokens=Tokens(keys.token, settings.access.token_lifetime),
        passwords=Passwords(),
        cursors=Cursors(keys.context),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS_PER_CONNECTION * settings.database.pool_size
        yield
        if own:
            await parts.database.aclose()

    app = FastAPI(
        title="gridmgmt",
        summary="Register of a district's grids, rental buildings, building managers, residents and leases",
        version=version("gridmgmt"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    handle_problems(app)
    for router in ROUTERS:
        app.include_router(router, responses=declares(*COMMON))
    return app


def serve() -> FastAPI:
    """The application by the environment's settings: what `uvicorn --factory api.app:serve` runs."""
    settings = load_settings()
    return create_app(settings, load_keys(settings))
