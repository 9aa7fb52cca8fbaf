"""Every address below /ogc."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from api.ogc.asking import Resource, route
from api.ogc.collections import list_collections, read_collection
from api.ogc.editing import create_item, delete_item, replace_item, update_item
from api.ogc.items import read_item, read_items
from api.ogc.landing import read_conformance, read_landing
from api.ogc.openapi import read_api
from api.ogc.schemas import read_queryables, read_schema, read_sortables
from api.ogc.styles import ROUTES as STYLES
from api.ogc.tiles import ROUTES as TILES
from api.ogc.wanted import LOOK

F = frozenset({"f"})
MAKING = {"POST": create_item}
CHANGING = {"PUT": replace_item, "PATCH": update_item, "DELETE": delete_item}

ROUTES: Sequence[Resource] = (
    route("/collections/{collection}/items", read_items, parameters=None, writes=MAKING),
    route("/collections/{collection}/items/{fid}", read_item, parameters=LOOK, writes=CHANGING),
    *TILES,
    *STYLES,
    route("/", read_landing, parameters=F),
    route("/conformance", read_conformance, parameters=F),
    route("/api", read_api, parameters=F),
    route("/collections", list_collections, parameters=F),
    route("/collections/{collection}", read_collection, parameters=F),
    route("/collections/{collection}/queryables", read_queryables, parameters=F),
    route("/collections/{collection}/sortables", read_sortables, parameters=F),
    route("/collections/{collection}/schema", read_schema, parameters=F),
)


class Shortcut:
    """ASGI middleware that leads to them, past what FastAPI does around each of its own routes. Others go the long way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith("/ogc/") and not scope.get("root_path"):
            for resource in ROUTES:
                named = resource.named(scope["path"])
                if named is not None:
                    scope["path_params"] = named
                    await resource.handle(scope, receive, send)
                    return
        await self._app(scope, receive, send)
