"""The map of the district, and the files that it is made of.

MapLibre GL JS 6.17.0 lies unchanged in static/maplibre, with its licence; it draws without tiles or fonts from anywhere.
"""

from pathlib import Path
from string import Template
from typing import Final

from fastapi import APIRouter, Response
from starlette.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.dependencies import SettingsDep
from api.ogc.links import NOTICE
from api.routing import DistrictRoute

HERE: Final = Path(__file__).parent

router = APIRouter(tags=["pages"], route_class=DistrictRoute, include_in_schema=False)


class Files(StaticFiles):
    """Files that may be kept for a few minutes."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or 404."""
        response = await super().get_response(path, scope)
        if isinstance(response, FileResponse) or response.status_code == 304:
            response.headers["Cache-Control"] = "public, max-age=300"
        return response


@router.get("/", response_class=HTMLResponse)
def show_map(settings: SettingsDep) -> HTMLResponse:
    """The map: areas for everybody, grids and buildings after log-in."""
    page = Template((HERE / "map.html").read_text(encoding="utf-8"))
    notice = f'<p class="demo">{NOTICE} · Demonstration data, all of it invented</p>' if settings.access.demo_mode else ""
    return HTMLResponse(page.substitute(notice=notice))


def static_files() -> Files:
    """What is served under /static."""
    return Files(directory=HERE / "static")
