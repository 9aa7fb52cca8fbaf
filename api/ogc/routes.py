"""Every address below /ogc."""

from collections.abc import Sequence

from starlette.routing import BaseRoute

from api.ogc.asking import route
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

ROUTES: Sequence[BaseRoute] = (
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
