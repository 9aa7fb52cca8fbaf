"""Cursors: sealed, bound to their list, refused when made up."""

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from httpx2 import Response

from api.paging import Cursors
from gridmgmt.errors import InvalidError
from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import EAST_ONE, NORTH, SOUTH, WEST, point

CURSORS = Cursors(bytes(32))
GRIDS = "/ogc/collections/grids/items"


def test_cursor_brings_its_key_back_in_its_own_types() -> None:
    key = (dt.datetime(2024, 1, 2, 3, 4, 5, 678901, dt.UTC), 7, uuid.UUID(int=5), "张三", dt.date(2024, 2, 29))
    sealed = CURSORS.seal("/v1/x", key)
    assert CURSORS.open("/v1/x", sealed, dt.datetime.fromisoformat, int, uuid.UUID, str, dt.date.fromisoformat) == key


def test_cursor_tells_nothing_of_what_is_in_it() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", CURSORS.seal("/v1/x", ["张三"]))
    assert len({CURSORS.seal("/v1/x", [name])[:8] for name in ("张三", "张四", "张三 ", "李三")}) == 4


def test_same_key_gives_the_same_cursor_as_a_strong_tag_promises(log_in: LogIn) -> None:
    assert CURSORS.seal("/v1/x", ["张三"]) == CURSORS.seal("/v1/x", ["张三"])
    district = log_in("district")
    first, second = (district.get("/ogc/collections/grids/items?limit=2") for _ in range(2))
    assert first.headers["etag"] == second.headers["etag"]
    assert (first.content, "cursor=" in first.text) == (second.content, True)


@pytest.mark.parametrize("made_up", ["", "x", "AAAA", "!", "é", "A" * 60, "A" * 1999, "null", "\0"])
def test_made_up_cursor_is_refused_by_name(made_up: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        CURSORS.open("/v1/x", made_up, int)
    assert refusal.value.field == "cursor"


def test_cursor_of_another_list_key_or_installation_is_refused() -> None:
    sealed = CURSORS.seal("/v1/x", [5])
    flipped = ("B" if sealed[0] == "A" else "A") + sealed[1:]
    attempts: list[tuple[Cursors, str, str, tuple[Any, ...]]] = [
        (CURSORS, "/v1/y", sealed, (int,)),
        (CURSORS, "/v1/x", sealed, (int, int)),
        (CURSORS, "/v1/x", sealed, ()),
        (CURSORS, "/v1/x", flipped, (int,)),
        (Cursors(b"x" * 32), "/v1/x", sealed, (int,)),
    ]
    for cursors, path, text, kinds in attempts:
        with pytest.raises(InvalidError):
            cursors.open(path, text, *kinds)


def test_pages_hold_every_row_once_and_the_link_leads_on(log_in: LogIn) -> None:
    district = log_in("district")
    seen: list[str] = []
    first = district.get("/v1/units?limit=4")
    second = district.get(first.links["next"]["url"])
    for answer in (first, second):
        seen += [unit["code"] for unit in answer.json()["items"]]
    assert "link" not in second.headers
    assert len(seen) == len(set(seen)) == 6


def test_page_neither_repeats_nor_leaves_out_a_row_when_others_come_and_go(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    before = district.get("/v1/areas?level=community&limit=1").json()
    assert [area["code"] for area in before["items"]] == [SOUTH]
    square = {"type": "Polygon", "coordinates": [[point(0, 0), point(9, 0), point(9, 9), point(0, 9), point(0, 0)]]}
    new = {"name": "n", "level": "community", "parent": WEST, "valid_from": "2024-01-01", "geometry": square}
    codes = (f"{WEST}000", f"{NORTH[:-1]}3")  # one comes before the page that was read, one lies ahead
    assert [district.post("/v1/areas", json={"code": code, **new}).status_code for code in codes] == [201, 201]
    renamed = district.patch(f"/v1/areas/{drawn.places.areas[SOUTH]}", json={"name": "z"}, headers={"If-Match": "*"})
    assert renamed.status_code == 200
    rest = district.get(f"/v1/areas?level=community&limit=10&cursor={before['next']}").json()["items"]
    assert [area["code"] for area in rest] == [NORTH, f"{NORTH[:-1]}3", EAST_ONE]


def following(answer: Response) -> str:
    """The cursor of the next page."""
    return next(link["href"] for link in answer.json()["links"] if link["rel"] == "next").rpartition("cursor=")[2]


@pytest.mark.parametrize(
    "other",
    [
        "", "sortby=name", "sortby=-code", "sortby=-name,code", "sortby=-valid_from", "sortby=-name&filter=TRUE",
        "sortby=-name&bbox=113,22,115,23",
        "sortby=-name&datetime=../..", "sortby=-name&as_of=2200-01-01T00:00:00Z", "sortby=-name&community=440399001001",
        "sortby=-name&filter-lang=cql2-text", "sortby=-name&filter-crs=http://www.opengis.net/def/crs/EPSG/0/4490",
        "sortby=-name&bbox-crs=http://www.opengis.net/def/crs/EPSG/0/4490",
    ],
)  # fmt: skip
def test_cursor_of_a_list_that_is_chosen_or_ordered_otherwise_is_refused(log_in: LogIn, other: str) -> None:
    district = log_in("district")
    cursor = following(district.get(f"{GRIDS}?limit=1&sortby=-name"))
    answer = district.get(f"{GRIDS}?limit=1&{other}&cursor={cursor}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")
    assert "was not made for this list" in answer.json()["detail"]


def test_cursor_of_a_filter_fits_no_other_filter_and_any_look_at_the_same(log_in: LogIn) -> None:
    district = log_in("district")
    asked = "filter=code LIKE '440399001%25'&sortby=-name"
    cursor = following(district.get(f"{GRIDS}?limit=1&{asked}"))
    assert district.get(f"{GRIDS}?cursor={cursor}&{asked.replace('001', '00')}").status_code == 400
    metres = "http://www.opengis.net/def/crs/EPSG/0/4547"
    looks = ("limit=3", f"crs={metres}", "properties=name", "count=exact", "f=html", "f=html&lang=en", "limit=1&f=json")
    for look in looks:
        assert district.get(f"{GRIDS}?{look}&cursor={cursor}&{asked}").status_code == 200, look
    swapped = "sortby=-name&filter=code LIKE '440399001%25'"
    assert len(district.get(f"{GRIDS}?{swapped}&cursor={cursor}").json()["features"]) == 3


def test_cursor_of_a_list_of_the_register_is_bound_to_its_parameters(log_in: LogIn) -> None:
    district = log_in("district")
    cursor = district.get("/v1/areas?level=community&limit=1").json()["next"]
    assert len(district.get(f"/v1/areas?level=community&limit=10&cursor={cursor}").json()["items"]) == 2
    for other in ("", "level=subdistrict", f"level=community&code={SOUTH}"):
        answer = district.get(f"/v1/areas?{other}&cursor={cursor}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor"), other
        assert "was not made for this list" in answer.json()["detail"]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "1_0", "+5", " 5", "05", "1e2", "x", "", "٣"])
def test_limit_is_a_plain_number_from_1_to_1000(log_in: LogIn, limit: str) -> None:
    answer = log_in("district").get("/v1/units", params={"limit": limit})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit")
