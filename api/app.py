"""The application: parts, routers, handlers. Nothing happens at import."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp
from structlog.typing import FilteringBoundLogger

from api.dependencies import Parts
from api.envelope import Envelope
from api.limits import Buckets, Gate, Limits, Rates
from api.logs import make_log
from api.metrics import Metrics
from api.ogc.routes import ROUTES as OGC
from api.ogc.routes import Shortcut
from api.origins import Origins
from api.pages.routes import static_files
from api.paging import Cursors
from api.problems import COMMON, SCHEMAS, declares, handle_problems
from api.routes import ROUTERS
from api.turns import Queue, Turns
from gridmgmt.database import Database
from gridmgmt.layers.tiles import Tiles
from gridmgmt.operations.cluster import address
from gridmgmt.security.context import signer
from gridmgmt.security.keys import Keys, load_keys
from gridmgmt.security.passwords import Passwords
from gridmgmt.security.sealing import Sealer, follow_keys
from gridmgmt.security.tokens import Tokens
from gridmgmt.settings import Settings, load_settings
from gridmgmt.sync.cursors import FeedCursors
from gridmgmt.sync.pokes import Pokes
from gridmgmt.sync.stored import Stored

THREADS_PER_CONNECTION = 4
"""Routes wait for the database in threads; classes of user share them, so there are more threads than connections of one class."""

PUSH_PATIENCE = 0.3
"""Seconds that a push waits for its turn: with the time that it takes itself, whoever is let in is answered within a second."""
PUSH_LINE = 4
"""Pushes that wait for each turn: more have none within the time that they wait."""

SNAPSHOTS_EACH = 3
"""Snapshots that one handheld gets at once: one, and two that were cut off where the server has not noticed yet."""
LISTENERS_EACH = 8
"""Connections on which one handheld waits for changes at once, those that the network has lost counted too."""


def create_app(
    settings: Settings,
    keys: Keys,
    database: Database | None = None,
    *,
    sealer: Callable[[], Sealer] | None = None,
    limits: Limits | None = None,
    log: FilteringBoundLogger | None = None,
) -> FastAPI:
    """The application over `database`, or over the one that the settings name. Opens no connection yet.

    `sealer` gives the sealer of the moment; unless given, that of `keys` for good. Unless given, the limits are the usual ones with
    the settings' `max_body`, and the log goes to standard error.
    """
    if database is None:
        database = Database(address(settings), signer(keys.context_kid, keys.context), pool_size=settings.database.pool_size)
    fixed = Sealer.of(keys)
    parts = Parts(
        settings=settings,
        database=database,
        sealer=sealer or (lambda: fixed),
        tokens=Tokens(keys.token, settings.access.token_lifetime),
        passwords=Passwords(),
        cursors=Cursors(keys.context),
        limits=limits or Limits(body=settings.server.max_body, piece=settings.uploads.upload_chunk_most),
        rates=Rates(),
        metrics=Metrics(database),
        tiles=Tiles(settings.server.tile_cache),
        stored=Stored(settings.places.file_store),
        feed=FeedCursors(keys.context),
        pokes=Pokes(database),
        snapshots=Turns(settings.sync.snapshots, "as many snapshots are being sent as may be at once", each=SNAPSHOTS_EACH),
        listeners=Turns(settings.sync.listeners, "as many handhelds are waiting as may at once", each=LISTENERS_EACH),
        pushes=Queue(
            settings.sync.pushes, PUSH_PATIENCE, "as many handhelds are sending as may at once", line=settings.sync.pushes * PUSH_LINE
        ),
        pushed=Buckets(settings.sync.push_burst, settings.sync.push_minute),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS_PER_CONNECTION * settings.database.pool_size
        yield
        await parts.pokes.aclose()
        # Whoever brought the database: its readers' pools were opened in this loop, and one that still tries to connect would never end.
        await parts.database.aclose()

    app = DistrictAPI(
        title="gridmgmt",
        summary="Register of a district's grids, rental buildings, building managers, residents and leases",
        version=version("gridmgmt"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # looked for with each request, and nobody here provides any
    )
    app.state.parts = parts
    handle_problems(app)
    # The last one added is the outermost.
    app.add_middleware(Shortcut)
    app.add_middleware(Gate, limits=parts.limits, rates=parts.rates)
    if settings.access.origins:
        app.add_middleware(Origins, origins=settings.access.origins.split(","))
    app.add_middleware(Envelope, metrics=parts.metrics, log=log or make_log(), demo_mode=settings.access.demo_mode)
    for router in ROUTERS:
        app.include_router(router, responses=declares(*COMMON))
    app.mount("/static", static_files())
    app.router.routes[:0] = OGC
    return app


class DistrictAPI(FastAPI):
    """FastAPI whose document knows problems and both ways to log in."""

    def build_middleware_stack(self) -> ASGIApp:
        """What was added stands around FastAPI's own, which not every request passes."""
        added, self.user_middleware = self.user_middleware, []
        app = super().build_middleware_stack()
        self.user_middleware = added
        for cls, args, kwargs in reversed(added):
            app = cls(app, *args, **kwargs)
        return app

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        document = super().openapi()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {}).update(SCHEMAS)
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "access-key": {"type": "http", "scheme": "basic", "description": "User name and personal access key; GET only"},
        }
        for path, item in document["paths"].items():
            for operation in item.values():
                _correct_422(path, operation["responses"])
        for name in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(name, None)
        document["security"] = [{"bearer": []}, {"access-key": []}, {}]
        return document


def serve() -> FastAPI:
    """The application by the environment's settings: what `uvicorn --factory api.app:serve` runs."""
    settings = load_settings()
    return create_app(settings, load_keys(settings), sealer=follow_keys(settings))


def _correct_422(path: str, responses: dict[str, Any]) -> None:
    """FastAPI declares its own 422 wherever there are parameters; ours is a problem, and under /ogc it is a 400."""
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
        if not path.startswith("/ogc"):
            responses |= {str(status): response for status, response in declares("invalid-value").items()}
