"""Strong tags of the layers: the same tag is the same bytes, whatever changed that is no row of them."""

import datetime as dt
import subprocess
import sys
from dataclasses import replace

import psycopg
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from gridmgmt.layers import LAYERS
from gridmgmt.layers.layer import Statement
from gridmgmt.layers.stamps import declaration_of
from gridmgmt.settings import Settings
from tests.api.conftest import GENEROUS, LogIn
from tests.drawn import Drawn
from tests.places import KEYS

COMMUNITIES = "/ogc/collections/communities"
BUILDINGS = "/ogc/collections/buildings/items?limit=1&count=estimate"


def test_tag_of_demo_mode_is_another(client: TestClient, drawn: Drawn, configured: Settings) -> None:
    paths = (f"{COMMUNITIES}/items", f"{COMMUNITIES}/tiles/WebMercatorQuad/0/0/0")
    tags = {path: client.get(path).headers["etag"] for path in paths}
    earnest = replace(configured, access=configured.access.model_copy(update={"demo_mode": False}))
    asking = TestClient(create_app(earnest, KEYS, drawn.database, limits=GENEROUS))
    asking.portal = client.portal  # the pools of the database belong to its event loop
    for path in paths:
        assert asking.get(path, headers={"If-None-Match": tags[path]}).status_code == 200, path
        tag = asking.get(path).headers["etag"]
        assert asking.get(path, headers={"If-None-Match": tag}).status_code == 304, path


def _fewer(moment: dt.datetime | None) -> Statement:
    return LAYERS["buildings"].rows(moment).limit(1)


def test_other_declaration_is_other_tags() -> None:
    layer = LAYERS["buildings"]
    first, *rest = layer.properties
    others = (
        replace(layer, properties=tuple(rest)),
        replace(layer, properties=(replace(first, title="Code"), *rest)),
        replace(layer, minzoom=13),
        replace(layer, period=(None, None)),
        replace(layer, rows=_fewer),
    )
    assert len({declaration_of(one) for one in (layer, *others, *LAYERS.values())}) == len(others) + len(LAYERS)


def test_declaration_is_the_same_in_every_process() -> None:
    told = "from gridmgmt.layers import LAYERS, stamps; print([stamps.declaration_of(one) for one in LAYERS.values()])"
    seen = {
        subprocess.run([sys.executable, "-c", told], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert seen == {f"{[declaration_of(layer) for layer in LAYERS.values()]}\n".encode()}


def test_tag_moves_when_the_estimate_does(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as root:
        root.execute("ANALYZE reg.building")
        first = district.get(BUILDINGS)
        assert first.json()["numberMatchedEstimated"] == 5
        assert district.get(BUILDINGS, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        root.execute("UPDATE pg_class SET reltuples = 50 * reltuples WHERE oid = 'reg.building'::regclass")
    again = district.get(BUILDINGS, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200
    assert again.json()["numberMatchedEstimated"] == pytest.approx(250, abs=1)
    assert again.headers["etag"] != first.headers["etag"]
