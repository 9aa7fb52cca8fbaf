"""GDAL's own drivers read the layers whole: by pages, boxes and conditions, with an access key; and the tiles."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pyogrio import raw

from geo.tiles import quads
from tests.embedded import clean_environment
from tests.places import point
from tests.served import Served


@dataclass(frozen=True)
class Gdal:
    """GDAL with the district's access key."""

    root: str
    key: str

    def ids(self, layer: str, **asked: Any) -> list[str]:
        """Ids that GDAL finds in a layer, or the layers when none is named."""
        words = [sys.executable, str(Path(__file__).with_name("gdal_ids.py")), f"OAPIF:{self.root}", layer, json.dumps(asked)]
        said = {"GDAL_HTTP_AUTH": "BASIC", "GDAL_HTTP_USERPWD": f"district:{self.key}"}
        done = subprocess.run(words, env=clean_environment() | said, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def gdal(served: Served) -> Gdal:
    return Gdal(served.root, served.key("district"))


def known(served: Served, condition: str) -> set[str]:
    """Ids of the buildings in the database."""
    with served.superuser() as superuser:
        rows = superuser.execute(f"SELECT id FROM reg.building WHERE deleted_at IS NULL AND {condition}".encode()).fetchall()
    return {str(row[0]) for row in rows}


def test_every_layer_is_found(gdal: Gdal, served: Served) -> None:
    with served.client("district") as client:
        listed = {one["id"] for one in client.get("/collections").json()["collections"]}
    assert set(gdal.ids("")) == listed


@pytest.mark.parametrize("size", [100, 1_000])
def test_whole_layer_is_read_by_pages(gdal: Gdal, served: Served, size: int) -> None:
    told = gdal.ids("buildings", PAGE_SIZE=size)
    assert len(told) == len(set(told)) == 1_205
    assert set(told) == known(served, "true")


def test_conditions_find_what_the_database_finds(gdal: Gdal, served: Served) -> None:
    for condition in ("floors_above = 3", "floors_above > 3 AND built_year < 1972", "name = 'crowd 1' OR name = 'mill'"):
        assert set(gdal.ids("buildings", where=condition)) == known(served, condition), condition
    assert set(gdal.ids("buildings", where="rental = 1")) == known(served, "rental")


def test_box_finds_what_lies_in_it(gdal: Gdal, served: Served) -> None:
    (west, south), (east, north) = point(90, 290), point(260, 310)
    found = set(gdal.ids("buildings", bbox=(west, south, east, north)))
    box = f"ST_MakeEnvelope({west}, {south}, {east}, {north}, 4490)"
    assert found == known(served, f"ST_Intersects(coalesce(footprint, entrance), {box})")
    assert str(served.drawn.places.buildings["village"]) in found


def test_tile_is_read_by_gdal(served: Served) -> None:
    row, _, column, _ = quads()["WebMercatorQuad"].limits(14, (*point(500, 400), *point(500, 400)))
    answer = httpx2.get(f"{served.root}/collections/communities/tiles/WebMercatorQuad/14/{row}/{column}")
    meta, _, _, fields = raw.read(answer.content, layer="communities")
    assert {"南社区", "北社区"} <= set(fields[list(meta["fields"]).index("name")])
