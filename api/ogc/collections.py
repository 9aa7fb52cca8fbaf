"""The list of collections, and each one's own page."""

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import func, select

from api.dependencies import CallerDep, DatabaseDep, SettingsDep
from api.negotiation import FormatDep
from api.ogc.links import CRS84, GEOJSON, JSON, NOTICE, link, root
from api.problems import declares
from api.routing import DistrictRoute
from gridmgmt.database import PUBLIC, Database, rendered
from gridmgmt.layers import find_layer, layers_for
from gridmgmt.layers.layer import Layer
from gridmgmt.models import Area

router = APIRouter(
    prefix="/ogc/collections", tags=["ogc"], route_class=DistrictRoute, responses=declares("invalid-parameter", "unauthenticated")
)


@router.get("")
async def list_collections(
    request: Request, database: DatabaseDep, actor: CallerDep, settings: SettingsDep, _: FormatDep
) -> dict[str, Any]:
    """The collections that are there for the caller."""
    extent = await _extent(database)
    page = {
        "links": [link("self", f"{root(request)}/collections", JSON)],
        "collections": [_describe(request, layer, extent) for layer in layers_for(actor)],
    }
    return page | ({"notice": NOTICE} if settings.access.demo_mode else {})


@router.get("/{collection}", responses=declares("not-found"))
async def read_collection(request: Request, database: DatabaseDep, actor: CallerDep, collection: str, _: FormatDep) -> dict[str, Any]:
    """One collection."""
    layer = find_layer(collection, actor)
    return _describe(request, layer, await _extent(database))


def _describe(request: Request, layer: Layer, extent: list[float] | None) -> dict[str, Any]:
    here = f"{root(request)}/collections/{layer.name}"
    described: dict[str, Any] = {
        "id": layer.name,
        "title": layer.title,
        "title_zh": layer.title_zh,
        "description": layer.description,
        "itemType": "feature",
        "crs": [CRS84],
        "minzoom": layer.minzoom,
        "links": [link("self", here, JSON), link("items", f"{here}/items", GEOJSON, layer.title)],
    }
    if extent is not None:
        described["extent"] = {"spatial": {"bbox": [extent], "crs": CRS84}}
    return described


async def _extent(database: Database) -> list[float] | None:
    """The box of the district, which is public; None before there is one."""
    box = func.ST_Extent(Area.geom)
    sides = (func.ST_XMin(box), func.ST_YMin(box), func.ST_XMax(box), func.ST_YMax(box))
    query, values = rendered(select(*sides).where(Area.level == "district", Area.deleted_at.is_(None)))
    async with database.reading(PUBLIC) as connection:
        row = await (await connection.execute(query, values)).fetchone()
    return list(row) if row is not None and row[0] is not None else None
