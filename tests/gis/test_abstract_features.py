"""The abstract test suite of OGC API - Features Part 1, walked from the landing page. Each test names its requirement."""

import datetime as dt
import re
from typing import Any

import httpx2
import pytest
import shapely
from openapi_spec_validator import OpenAPIV30SpecValidator

from tests.gis.walking import (
    GEOJSON,
    HTML,
    JSON,
    OPENAPI,
    api,
    collections,
    document,
    features,
    ids,
    items,
    landing,
    links,
    media_type,
    pages,
    parameters,
)

CLASSES = ("core", "geojson", "html", "oas30")
PAGES = ("conformance", "data")
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


def box_of(told: list[dict[str, Any]]) -> tuple[float, float, float, float]:
    """What their geometries take."""
    return shapely.total_bounds([shapely.geometry.shape(one["geometry"]) for one in told if one["geometry"]])  # pyright: ignore[reportReturnType]


def test_http_is_followed(asking: httpx2.Client) -> None:
    """/req/core/http: HEAD is GET without a body, and methods that are not served are 405 with Allow."""
    for address in ("/", "/conformance", "/collections", "/collections/communities", "/collections/communities/items"):
        head, whole = asking.head(address), asking.get(address)
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", whole.headers["etag"])
        refused = asking.request("PURGE", address)
        assert refused.status_code == 405
        assert {"GET", "HEAD", "OPTIONS"} <= set(refused.headers["allow"].split(", "))


def test_landing_page_leads_to_everything(asking: httpx2.Client) -> None:
    """/req/core/root-op, /req/core/root-success."""
    page = landing(asking)
    assert links(page, "service-desc")
    assert links(page, "service-doc", HTML)
    for rel in PAGES:
        assert document(asking, links(page, rel, JSON)[0])


def test_api_definition_is_openapi_3_0(asking: httpx2.Client) -> None:
    """/req/core/api-definition-op, /req/core/api-definition-success, /req/oas30/oas-definition-1, /req/oas30/oas-impl."""
    told = api(asking)
    assert re.fullmatch(r"3\.0\.\d", told["openapi"])
    OpenAPIV30SpecValidator(told).validate()
    operations = [one["get"]["operationId"] for one in told["paths"].values() if "get" in one]
    assert len(set(operations)) == len(operations)
    for path, one in told["paths"].items():
        if "{" not in path:
            address = told["servers"][0]["url"] + path
            assert asking.get(address).status_code == 200, path
            offered = set(one["get"]["responses"]["200"]["content"])
            for offer in offered & {JSON, GEOJSON, HTML, OPENAPI}:
                assert media_type(asking.get(address, headers={"Accept": offer})) == offer.partition(";")[0], (path, offer)


def test_api_definition_lists_the_problems_and_the_ways_to_log_in(asking: httpx2.Client) -> None:
    """/req/oas30/exceptions-codes, /req/oas30/security."""
    told = api(asking)
    assert {scheme["scheme"] for scheme in told["components"]["securitySchemes"].values()} == {"bearer", "basic"}
    assert told["security"][0] == {}
    for path, one in told["paths"].items():
        assert {"200", "400", "404", "406", "500"} <= set(one["get"]["responses"]), path


def test_conformance_is_declared(asking: httpx2.Client) -> None:
    """/req/core/conformance-op, /req/core/conformance-success."""
    [address, *_] = links(landing(asking), "conformance", JSON)
    declared = document(asking, address)["conformsTo"]
    assert len(set(declared)) == len(declared)
    assert {f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" for name in CLASSES} <= set(declared)


def test_collections_are_listed_with_their_features(asking: httpx2.Client) -> None:
    """/req/core/fc-md-op, /req/core/fc-md-success, fc-md-links, fc-md-items, fc-md-items-links, /req/core/crs84."""
    [address, *_] = links(landing(asking), "data", JSON)
    page = document(asking, address)
    assert len(links(page, "self", JSON)) == 1
    assert links(page, "alternate", HTML)
    for one in page["collections"]:
        assert one["id"]
        assert one["crs"][0] == CRS84
        offered = {link["type"] for link in one["links"] if link["rel"] == "items"}
        told = api(asking)["paths"][f"/collections/{one['id']}/items"]["get"]["responses"]["200"]["content"]
        assert offered == {offer.partition(";")[0] for offer in told} == {offer.partition(";")[0] for offer in offered}
        assert {GEOJSON, HTML} <= offered


def test_extent_holds_every_feature(asking: httpx2.Client) -> None:
    """/req/core/fc-md-extent, /req/core/fc-md-extent-multi."""
    for one in collections(asking):
        told = features(asking, items(one))
        if not told:
            continue
        spatial = one["extent"]["spatial"]
        assert spatial.get("crs", CRS84) == CRS84
        west, south, east, north = spatial["bbox"][0]
        first = box_of(told)
        assert west - 1e-7 <= first[0] <= first[2] <= east + 1e-7
        assert south - 1e-7 <= first[1] <= first[3] <= north + 1e-7
        if "temporal" in one["extent"]:
            [[begins, ends]] = one["extent"]["temporal"]["interval"]
            assert begins is None or dt.datetime.fromisoformat(begins)
            assert ends is None or dt.datetime.fromisoformat(ends)


def test_collection_is_told_as_in_the_list(asking: httpx2.Client) -> None:
    """/req/core/sfc-md-op, /req/core/sfc-md-success."""
    for one in collections(asking):
        [address] = links(one, "self", JSON)
        alone = document(asking, address)
        for name in ("id", "title", "description", "extent", "itemType", "crs", "storageCrs"):
            assert alone.get(name) == one.get(name), name
        assert all(link in alone["links"] for link in one["links"])
        assert links(alone, "alternate", HTML)


def test_parameters_are_defined_as_the_standard_has_them(asking: httpx2.Client) -> None:
    """/req/core/fc-bbox-definition, fc-limit-definition, fc-time-definition."""
    for one in collections(asking):
        told = parameters(asking, one)
        for name in ("bbox", "limit", "datetime"):
            assert (told[name]["in"], told[name].get("required", False)) == ("query", False)
            assert (told[name]["style"], told[name]["explode"]) == ("form", False)
        bbox, limit, when = (told[name]["schema"] for name in ("bbox", "limit", "datetime"))
        assert (bbox["type"], bbox["items"], bbox["minItems"], bbox["maxItems"]) == ("array", {"type": "number"}, 4, 6)
        assert bbox["oneOf"] == [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}]
        assert (limit["type"], limit["minimum"], limit["maximum"], limit["default"]) == ("integer", 1, 10_000, 100)
        assert when["type"] == "string"


def test_bbox_selects_what_it_meets(asking: httpx2.Client) -> None:
    """/req/core/fc-bbox-response, with four numbers and with six."""
    for one in collections(asking):
        every = features(asking, items(one))
        west, south, east, north = one["extent"]["spatial"]["bbox"][0]
        across, along = (east - west) / 3, (north - south) / 3
        corner = (west, south, west + across, south + along)
        text = ",".join(f"{number:.7f}" for number in corner)
        low, left, high, right = (float(number) for number in text.split(","))
        box = shapely.box(low, left, high, right)
        met = [one["id"] for one in every if not one["geometry"] or shapely.geometry.shape(one["geometry"]).intersects(box)]
        with_heights = "{},{},-10,{},{},500".format(*text.split(","))
        assert ids(asking, items(one), bbox=text) == ids(asking, items(one), bbox=with_heights) == met
        assert 0 < len(met) < len(every) or len(every) < 9
        assert ids(asking, items(one), bbox="-80,-5,-70,5") == []
        assert ids(asking, items(one), bbox="177,65,-177,70") == []  # across the 180th meridian


def test_limit_is_kept_and_the_largest_is_no_error(asking: httpx2.Client) -> None:
    """/req/core/fc-limit-response-1, /req/core/fc-numberReturned."""
    for one in collections(asking):
        for limit, most in ((1, 1), (3, 3), (100, 100), (10_001, 10_000), (2**31, 10_000)):
            page = document(asking, items(one), GEOJSON, limit=limit)
            assert page["numberReturned"] == len(page["features"]) <= most


def test_datetime_selects_what_was_in_force(asking: httpx2.Client) -> None:
    """/req/core/fc-time-response: instants, intervals, half-bounded in each of their spellings."""
    for one in collections(asking):
        every = ids(asking, items(one), datetime="../..")
        begins = [began for began, _ in one.get("extent", {}).get("temporal", {}).get("interval", []) if began]
        for text in ("2026-01-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00Z/2026-02-01T00:00:00+08:00"):
            assert set(ids(asking, items(one), datetime=text)) <= set(every)
        for first, second in (("2026-01-01T00:00:00Z/..", "2026-01-01T00:00:00Z/"), ("../2026-01-01T00:00:00Z", "/2026-01-01T00:00:00Z")):
            assert ids(asking, items(one), datetime=first) == ids(asking, items(one), datetime=second)
        for beginning in begins:
            before = dt.datetime.fromisoformat(beginning) - dt.timedelta(days=1)
            at_first = ids(asking, items(one), datetime=f"../{before.strftime('%Y-%m-%dT%H:%M:%SZ')}")
            assert at_first == [], one["id"]
            assert ids(asking, items(one), datetime=beginning), one["id"]


@pytest.mark.parametrize(
    "query",
    ["limit=unlimited", "limit=0", "limit=-1", "bbox=1,2,3", "bbox=a,b,c,d", "datetime=today", "datetime=2026-13-01T00:00:00Z", "crs=4490"],
)
def test_invalid_parameter_is_400(asking: httpx2.Client, query: str) -> None:
    """/req/core/query-param-invalid."""
    for one in collections(asking):
        answer = asking.get(f"{items(one)}?{query}")
        assert (answer.status_code, media_type(answer)) == (400, "application/problem+json")
        assert [error["field"] for error in answer.json()["errors"]] == [query.partition("=")[0]]


def test_unknown_parameter_is_400(asking: httpx2.Client) -> None:
    """/req/core/query-param-unknown, at every path of the document that needs nothing filled in."""
    told = api(asking)
    for path in told["paths"]:
        if "{" not in path:
            assert asking.get(told["servers"][0]["url"] + path, params={"unknownQueryParameter12345": 1}).status_code == 400, path


def test_page_of_features_has_its_links_and_counts(asking: httpx2.Client) -> None:
    """/req/core/fc-op, fc-response, fc-links, fc-rel-type, fc-timeStamp, fc-numberMatched, /req/geojson/content."""
    for one in collections(asking):
        whole = len(ids(asking, items(one)))
        for query in ({}, {"limit": 1}, {"limit": 1, "count": "exact"}, {"bbox": "113,22,115,23"}):
            page = document(asking, items(one), GEOJSON, **query)
            assert page["type"] == "FeatureCollection"
            assert all(feature["type"] == "Feature" and {"geometry", "properties", "id"} <= feature.keys() for feature in page["features"])
            assert "timeStamp" not in page  # else no two answers were the same, and no strong tag could be kept
            assert page.get("numberMatched", whole) == whole
            assert len(links(page, "self", GEOJSON)) == 1
            offered = {link["type"] for link in one["links"] if link["rel"] == "items"}
            assert {link["type"] for link in page["links"] if link["rel"] == "alternate"} == offered - {GEOJSON}


def test_pages_lead_on_until_everything_was_told_once(asking: httpx2.Client) -> None:
    """/req/core/fc-response and its recommendation of `next`."""
    for one in collections(asking):
        every = ids(asking, items(one))
        told = [feature["id"] for page in pages(asking, items(one), limit=max(1, len(every) // 3)) for feature in page["features"]]
        assert told == every


def test_feature_is_found_by_its_id(asking: httpx2.Client) -> None:
    """/req/core/f-op, /req/core/f-success, /req/core/f-links, /req/geojson/content B."""
    for one in collections(asking):
        for feature in document(asking, items(one), GEOJSON, limit=3)["features"]:
            alone = document(asking, f"{items(one)}/{feature['id']}", GEOJSON)
            assert {name: alone[name] for name in feature} == feature
            assert len(links(alone, "self", GEOJSON)) == 1
            assert links(alone, "alternate", HTML)
            assert links(alone, "collection", JSON) == links(one, "self", JSON)
        assert asking.get(f"{items(one)}/no-such-feature").status_code == 404


def test_every_page_is_there_for_people_with_all_its_links(asking: httpx2.Client) -> None:
    """/req/html/definition, /req/html/content."""
    [one, *_] = collections(asking)
    page = document(asking, items(one), GEOJSON, limit=1)
    feature = f"{items(one)}/{page['features'][0]['id']}"
    addresses = [links(landing(asking), "self")[0], *(links(landing(asking), rel, JSON)[0] for rel in PAGES), *links(one, "self", JSON)]
    addresses += [items(one), feature, f"{items(one)}?limit=1"]
    for address in addresses:
        answer = asking.get(address, headers={"Accept": HTML})
        assert (answer.status_code, media_type(answer)) == (200, HTML)
        assert answer.text.lower().startswith("<!doctype html>")
        told = asking.get(address).json()
        targets = {found.replace("&amp;", "&") for found in re.findall(r'<a [^>]*href="([^"]*)"', answer.text)}
        missing = [link for link in told["links"] if not targets & {link["href"], link["href"].partition("?")[0] + "?f=html"}]
        assert [link for link in missing if link["rel"] not in {"self", "alternate", "next"} and link["type"] != HTML] == [], address
