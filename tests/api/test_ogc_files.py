"""Whole layers as files, read by programs that are not ours: GDAL, pyarrow, csv. Scopes, bad parameters, and clients who hang up."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from fastapi import FastAPI
from pyogrio import raw
from pyproj import CRS
from starlette.testclient import TestClient

from api.app import create_app
from api.ogc.files import FILES
from geo.crs import EXCHANGES, LONLAT
from gridmgmt.settings import Settings
from tests.api.conftest import GENEROUS, LogIn
from tests.drawn import Drawn
from tests.places import KEYS, point

ITEMS = "/ogc/collections/buildings/items"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
FORMS = list(FILES)
MADE = ["gpkg", "fgb", "parquet"]


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """The folder of temporary files, empty."""
    before, folder = tempfile.tempdir, tmp_path / "temporary"
    folder.mkdir()
    tempfile.tempdir = str(folder)
    yield folder
    tempfile.tempdir = before


def fetch(client: TestClient, form: str, query: str = "", *, address: str = ITEMS) -> bytes:
    answer = client.get(f"{address}?f={form}&{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].split(";")[0] == FILES[form]
    return answer.content


def rows(client: TestClient, form: str, query: str, folder: Path, *, address: str = ITEMS) -> list[dict[str, Any]]:
    """What a reader of that form finds: properties by name, id among them, and the geometry as shapely has it."""
    body = fetch(client, form, query, address=address)
    if form == "geojsonseq":
        texts = body.decode().split("\x1e")
        assert texts[0] == ""
        found = [json.loads(text) for text in texts[1:]]
        return [one["properties"] | {"id": one["id"], "geometry": shapely.geometry.shape(one["geometry"])} for one in found]
    if form == "csv":
        read = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""))
        return [{name: value or None for name, value in one.items()} | {"geometry": shapely.from_wkt(one["WKT"])} for one in read]
    path = folder / f"read.{form}"
    path.write_bytes(body)
    if form == "parquet":
        read = pq.read_table(path).to_pylist()
        return [one | {"geometry": shapely.from_wkb(one["geometry"])} for one in read]
    meta, _, shapes, values = raw.read(path)
    columns = zip(*(column.tolist() for column in values), strict=True)
    return [
        dict(zip(meta["fields"], row, strict=True)) | {"geometry": shape}
        for row, shape in zip(columns, shapely.from_wkb(shapes), strict=True)
    ]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("parameter", ["cursor", "count", "filter-nonsense", "limit", "bbox", "crs"])
def test_parameter_that_cannot_be_is_refused_before_the_first_byte(log_in: LogIn, form: str, parameter: str) -> None:
    answer = log_in("district").get(ITEMS, params={"f": form, parameter: "none"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, parameter)


@pytest.mark.parametrize("form", FORMS)
def test_one_feature_is_no_file(log_in: LogIn, drawn: Drawn, form: str) -> None:
    answer = log_in("district").get(f"{ITEMS}/{drawn.places.buildings['mill']}?f={form}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "f")


@pytest.mark.parametrize("form", FORMS)
def test_hidden_layer_has_no_file(client: TestClient, form: str) -> None:
    assert client.get(f"{ITEMS}?f={form}").status_code == 404


@pytest.mark.parametrize("form", FORMS)
def test_everybody_gets_the_own_features(log_in: LogIn, tmp_path: Path, form: str) -> None:
    seen = {name: len(rows(log_in(name), form, "", tmp_path)) for name in ("worker", "worker-east", "community", "subdistrict", "district")}
    assert seen == {"worker": 2, "worker-east": 1, "community": 3, "subdistrict": 4, "district": 5}


@pytest.mark.parametrize("form", FORMS)
def test_ids_values_and_places_are_those_of_the_page(log_in: LogIn, tmp_path: Path, form: str) -> None:
    district = log_in("district")
    page = {one["id"]: one for one in district.get(ITEMS).json()["features"]}
    found = {one["id"]: one for one in rows(district, form, "", tmp_path)}
    assert found.keys() == page.keys()
    for identifier, one in page.items():
        expected, told = one["properties"], found[identifier]
        assert told["notice"] == "演示数据"
        assert shapely.equals_exact(told["geometry"], shapely.geometry.shape(one["geometry"]), 1e-6)
        if form == "csv":
            expected = {
                name: None if value is None else str(value).replace("True", "true").replace("False", "false")
                for name, value in expected.items()
            }
        assert {name: None if told[name] != told[name] else told[name] for name in expected} == expected


@pytest.mark.parametrize("form", FORMS)
def test_box_filter_limit_and_properties_hold(log_in: LogIn, tmp_path: Path, form: str) -> None:
    district = log_in("district")
    (w, s), (e, n) = point(230, 180), point(236, 186)
    [tower] = rows(district, form, f"bbox={w},{s},{e},{n}&properties=name,floors_above", tmp_path)
    assert tower["name"] == "tower"
    assert "address" not in tower
    assert {one["name"] for one in rows(district, form, "sortby=-name&limit=2", tmp_path)} == {"village", "tower"}
    assert [one["name"] for one in rows(district, form, "name=tower", tmp_path)] == ["tower"]


@pytest.mark.parametrize("form", FORMS)
def test_layer_without_rows_is_a_whole_file(log_in: LogIn, tmp_path: Path, form: str) -> None:
    assert rows(log_in("district"), form, "name=nobody", tmp_path) == []


@pytest.mark.parametrize(
    "case",
    [
        ("", "OGC:CRS84", (114.0, 22.6)),
        (f"crs={LONLAT.uri}", "OGC:CRS84", (114.0, 22.6)),
        (f"crs={EPSG}4490", "EPSG:4490", (114.0, 22.6)),
        (f"crs={EPSG}4326", "EPSG:4326", (114.0, 22.6)),
        (f"crs={EPSG}4547", "EPSG:4547", (500_000, 2_500_000)),
        (f"crs={EPSG}3857", "EPSG:3857", (12_690_000, 2_570_000)),
    ],
)
@pytest.mark.parametrize("form", MADE)
def test_files_state_their_reference_system_with_easting_first(
    log_in: LogIn, tmp_path: Path, form: str, case: tuple[str, str, tuple[float, float]]
) -> None:
    asked, stated, corner = case
    found = rows(log_in("district"), form, asked, tmp_path, address="/ogc/collections/grids/items")
    path = tmp_path / f"read.{form}"
    if form == "parquet":
        geo = json.loads(pq.read_schema(path).metadata[b"geo"])
        assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
        assert geo["columns"]["geometry"]["geometry_types"] == ["MultiPolygon"]
        assert CRS.from_json_dict(geo["columns"]["geometry"]["crs"]) == CRS(stated)
    else:
        assert CRS(pyogrio.read_info(path)["crs"]) == CRS(stated)
        assert pyogrio.read_info(path)["geometry_type"] == "MultiPolygon"
    x, y = shapely.get_coordinates(found[0]["geometry"])[0]
    assert (x, y) == pytest.approx(corner, rel=0.01)


@pytest.mark.parametrize("form", FORMS)
def test_file_names_its_reference_system_and_text_has_the_order_of_its_axes(log_in: LogIn, tmp_path: Path, form: str) -> None:
    grids = "/ogc/collections/grids/items"
    for asked, stated, corner in (
        ("", LONLAT.uri, (114.0, 22.6)),
        (f"&crs={EPSG}4490", f"{EPSG}4490", (22.6, 114.0)),
        (f"&crs={EPSG}4326", f"{EPSG}4326", (22.6, 114.0)),
        (f"&crs={EPSG}4547", f"{EPSG}4547", (2_500_000, 500_000)),
        (f"&crs={EPSG}3857", f"{EPSG}3857", (12_690_000, 2_570_000)),
    ):
        answer = log_in("district").get(f"{grids}?f={form}{asked}")
        assert answer.headers["content-crs"] == f"<{stated}>"
        assert log_in("district").head(f"{grids}?f={form}{asked}").headers["content-crs"] == f"<{stated}>"
        [first, *_] = rows(log_in("district"), form, asked[1:], tmp_path, address=grids)
        expected = corner[::-1] if form in MADE and EXCHANGES[stated].swapped else corner
        assert tuple(shapely.get_coordinates(first["geometry"])[0]) == pytest.approx(expected, rel=0.01)


def test_geopackage_is_of_a_version_that_gdal_of_debian_knows(log_in: LogIn) -> None:
    heading = fetch(log_in("district"), "gpkg")[:100]
    assert (heading[68:72], int.from_bytes(heading[60:64], "big")) == (b"GPKG", 10_300)  # application and version of a file of SQLite


def test_types_are_kept(log_in: LogIn, tmp_path: Path) -> None:
    rows(log_in("district"), "parquet", "", tmp_path)
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "read.parquet")}
    assert (types["rental"], types["floors_above"], types["house_code"]) == ("bool", "int64", "string")
    rows(log_in("district"), "parquet", "", tmp_path, address="/ogc/collections/grids/items")
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "read.parquet")}
    assert (types["id"], types["valid_from"]) == ("int64", "date32[day]")


def test_csv_holds_no_formula_and_a_point_in_each_shape(log_in: LogIn, drawn: Drawn, tmp_path: Path) -> None:
    with psycopg.connect(drawn.address.conninfo("postgres")) as superuser:
        superuser.execute("""UPDATE reg.building SET name = E'=1+"1"\\n' WHERE name = 'tower'""")
    found = rows(log_in("district"), "csv", "", tmp_path)
    [tower] = [one for one in found if one["name"].startswith("'")]
    assert tower["name"] == '\'=1+"1"\n'
    assert tower["geometry"].contains(shapely.Point(float(tower["longitude"]), float(tower["latitude"])))
    assert fetch(log_in("district"), "csv").startswith(b"\xef\xbb\xbfid,")


def test_accept_chooses_a_file_and_the_tag_holds_until_a_write(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    tags: dict[str, str] = {}
    for form, media_type in FILES.items():
        first = district.get(ITEMS, headers={"Accept": media_type})
        assert first.headers["content-type"].startswith(media_type)
        assert first.headers["content-disposition"] == f'attachment; filename="buildings.{form}"'
        again = district.get(ITEMS, headers={"Accept": media_type, "If-None-Match": first.headers["etag"]})
        tags[form] = first.headers["etag"]
        assert (again.status_code, again.content) == (304, b"")
    with psycopg.connect(drawn.address.conninfo("postgres")) as superuser:
        superuser.execute("UPDATE reg.building SET name = 'spire' WHERE name = 'tower'")
    assert district.get(ITEMS, headers={"Accept": FILES["csv"], "If-None-Match": tags["csv"]}).status_code == 200


def test_head_tells_the_kind_of_file_and_makes_none(log_in: LogIn) -> None:
    answer = log_in("district").head(f"{ITEMS}?f=gpkg")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", FILES["gpkg"])


def test_more_files_at_once_than_may_be_are_refused(app: FastAPI, log_in: LogIn) -> None:
    with app.state.parts.files.taken(), app.state.parts.files.taken():
        answer = log_in("district").get(f"{ITEMS}?f=gpkg")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert log_in("district").head(f"{ITEMS}?f=gpkg").status_code == 200, "who asks for no body makes no file"
    assert log_in("district").get(f"{ITEMS}?f=gpkg").status_code == 200


def test_files_have_so_many_features_and_bytes_as_the_settings_say(drawn: Drawn, configured: Settings, temporary: Path) -> None:
    few = replace(configured, server=configured.server.model_copy(update={"file_rows": 2, "file_bytes": 30_000}))
    app = create_app(few, KEYS, drawn.database, limits=GENEROUS)
    token = app.state.parts.tokens.issue(drawn.places.accounts["district"])
    with TestClient(app, headers={"Authorization": f"Bearer {token}"}) as client:
        for form in FORMS:
            for query in ("", "&limit=3", "&limit=99999999999"):
                refused = client.get(f"{ITEMS}?f={form}{query}")
                assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "limit"), (form, query)
                assert "more than 2 features" in refused.json()["detail"]
            assert client.get(f"{ITEMS}?f={form}&limit=2").status_code == (400 if form == "gpkg" else 200)
        assert "larger than 30000 bytes" in client.get(f"{ITEMS}?f=gpkg&limit=2").json()["detail"]
    assert list(temporary.iterdir()) == []


def test_no_file_is_left_behind(log_in: LogIn, temporary: Path) -> None:
    for form in MADE:
        fetch(log_in("district"), form)
    assert list(temporary.iterdir()) == []


def test_links_to_files_lead_from_any_page_to_the_whole(log_in: LogIn) -> None:
    district = log_in("district")
    first = district.get("/ogc/collections/buildings/items?limit=2&count=exact&name=tower&sortby=name").json()
    further = district.get("/ogc/collections/buildings/items?limit=2&sortby=name").json()
    [following] = [link["href"] for link in further["links"] if link["rel"] == "next"]
    for page in (first, district.get(following).json(), district.get(f"{following}&f=json").json()):
        offered = [link["href"] for link in page["links"] if link["rel"] == "alternate"]
        assert len(offered) == 6
        for address in offered:
            assert district.get(address).status_code == 200, address
            assert ("cursor=" in address or "count=" in address) == address.endswith("f=html")
