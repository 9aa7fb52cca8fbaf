"""Landing page and conformance."""

from typing import Any, Final

from fastapi import APIRouter, Request

from api.dependencies import SettingsDep
from api.negotiation import FormatDep
from api.ogc.links import JSON, NOTICE, link, root
from api.problems import declares
from api.routing import DistrictRoute

router = APIRouter(prefix="/ogc", tags=["ogc"], route_class=DistrictRoute, responses=declares("invalid-parameter"))

CONFORMS_TO: Final = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
)


@router.get("/")
async def read_landing(request: Request, settings: SettingsDep, _: FormatDep) -> dict[str, Any]:
    """Where everything is."""
    here = root(request)
    page = {
        "title": "gridmgmt",
        "description": "Grids, rental buildings and areas of a district",
        "links": [
            link("self", f"{here}/", JSON, "This page"),
            link("conformance", f"{here}/conformance", JSON, "What this service conforms to"),
            link("data", f"{here}/collections", JSON, "Collections"),
            link("service-desc", here.removesuffix("/ogc") + "/openapi.json", "application/vnd.oai.openapi+json;version=3.1", "OpenAPI"),
        ],
    }
    return page | ({"notice": NOTICE} if settings.access.demo_mode else {})


@router.get("/conformance")
async def read_conformance(_: FormatDep) -> dict[str, Any]:
    """The classes of requirements that are met."""
    return {"conformsTo": list(CONFORMS_TO)}
