"""QGIS itself, where Debian's python3-qgis is installed: it reads layers whole, and passes conditions and boxes on to the server."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.embedded import clean_environment
from tests.gis.test_gdal import known
from tests.places import point
from tests.served import Served

PYTHON: Final = "/usr/bin/python3"
"""Debian's, which knows Debian's modules."""


def has_qgis() -> bool:
    try:
        return subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not has_qgis(), reason="Debian's python3-qgis is not installed")


def read(served: Served, layer: str, **asked: Any) -> dict[str, Any]:
    """What QGIS finds in a layer."""
    words = [PYTHON, str(Path(__file__).with_name("qgis_layer.py")), served.root, layer, json.dumps(asked)]
    said = {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(words, env=clean_environment() | said, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("layer", "value"), [("guide-rents", 40), ("rent-index", 100)])
def test_published_rents_are_numbers_that_can_be_chosen(served: Served, layer: str, value: int) -> None:
    with served.client() as client:
        ours = [one["properties"] for one in client.get(f"/collections/{layer}/items").json()["features"]]
    found = read(served, layer)
    assert [(one["code"], one["use"], one["value"]) for one in found["features"]] == [(one["code"], one["use"], value) for one in ours]
    assert found["drawn"] == len(ours) == 1
    # QGIS takes the type of a column from the first features, and these are whole
    assert (found["columns"]["value"], found["columns"]["observations"]) == ("Real", "Integer")
    for condition, many in ((f"value >= {value} AND use = 'residential'", 1), (f"value > {value}", 0), ("use = 'shop'", 0)):
        assert len(read(served, layer, where=condition)["features"]) == many, condition


def test_buildings_are_read_by_pages_conditions_and_boxes(served: Served) -> None:
    key = f" username='district' password='{served.key('district')}'"
    houses = {one["house_code"] for one in read(served, "buildings", more=key)["features"]}
    assert len(houses) == 1_205
    with served.superuser() as superuser:
        assert houses == {code for (code,) in superuser.execute("SELECT house_code FROM reg.building WHERE deleted_at IS NULL")}
    some = read(served, "buildings", more=key, where="floors_above = 3")["features"]
    assert len(some) == len(known(served, "floors_above = 3"))
    (west, south), (east, north) = point(90, 290), point(260, 310)
    box = f"ST_MakeEnvelope({west}, {south}, {east}, {north}, 4490)"
    near = read(served, "buildings", more=key, box=(west, south, east, north))["features"]
    assert len(near) == len(known(served, f"ST_Intersects(coalesce(footprint, entrance), {box})"))
