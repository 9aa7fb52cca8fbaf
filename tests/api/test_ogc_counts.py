"""Layers of counts over HTTP: who sees them, and what makes an answer of theirs old."""

import psycopg
import pytest
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.test_ogc_tiles import address, drawn_in
from tests.drawn import Drawn

RESIDENTS = "/ogc/collections/residents/items"
COVERAGE = "/ogc/collections/managers-coverage/items"
DENSITY = "/ogc/collections/lease-density/items"


def test_only_the_count_of_residents_is_public(client: TestClient, log_in: LogIn) -> None:
    for name in ("managers-coverage", "lease-density"):
        for asking in (client, log_in("admin"), log_in("auditor")):
            assert asking.get(f"/ogc/collections/{name}/items").status_code == 404
        assert log_in("worker").get(f"/ogc/collections/{name}/items").json()["numberReturned"] == 1
    for asking in (client, log_in("admin"), log_in("auditor"), log_in("worker")):
        told = asking.get(RESIDENTS).json()["features"]
        assert {one["properties"]["code"] for one in told} == {
            "440399001", "440399002", "440399001001", "440399001002", "440399002001"
        }  # fmt: skip
        assert {(one["properties"]["residents"], one["properties"]["floating"]) for one in told} == {(None, None)}
    assert client.get(f"{RESIDENTS}?level=community").json()["numberReturned"] == 3


def test_what_nobody_may_see_is_no_property(client: TestClient) -> None:
    for name in ("phase", "month", "area_id"):
        assert client.get(f"{RESIDENTS}?{name}=1").status_code == 400
        assert client.get(f"{RESIDENTS}?filter={name}%3D1").status_code == 400
        assert client.get(f"{RESIDENTS}?sortby={name}").status_code == 400
        assert client.get(f"{RESIDENTS}?properties={name}").status_code == 400
    (first, *_) = client.get(RESIDENTS).json()["features"]
    assert list(first["properties"]) == ["code", "name", "level", "residents", "floating", "residents_per_km2", "counted_on"]


@pytest.mark.parametrize(
    ("write", "moved"),
    [
        ("UPDATE reg.residence SET valid_to = '2024-03-01' WHERE valid_to IS NULL", set[str]()),
        ("UPDATE reg.lease SET ended_on = valid_to WHERE ended_on IS NULL", {DENSITY}),
        ("UPDATE reg.manager SET archive_number = 'A-1'", {COVERAGE}),
        ("UPDATE reg.unit SET room = 'X'", {COVERAGE, DENSITY}),
        ("UPDATE reg.resident_count SET floating = NULL", {RESIDENTS}),
    ],
)
def test_answer_is_old_when_what_it_counts_was_written_and_not_before(log_in: LogIn, drawn: Drawn, write: str, moved: set[str]) -> None:
    worker = log_in("worker")
    tags = {name: worker.get(name).headers["etag"] for name in (RESIDENTS, COVERAGE, DENSITY)}
    with psycopg.connect(drawn.address.conninfo("postgres")) as root:
        root.execute(write.encode())
    statuses = {name: worker.get(name, headers={"If-None-Match": tag}).status_code for name, tag in tags.items()}
    assert statuses == {name: 200 if name in moved else 304 for name in tags}


def test_share_looks_like_no_whole_number_even_when_it_is_one(log_in: LogIn) -> None:
    """QGIS takes the type of a column from the first features."""
    worker = log_in("worker")
    assert '"coverage":50.0' in worker.get(COVERAGE).text
    (grid,) = drawn_in(worker, address("managers-coverage", 14, 100, 100))
    assert (type(grid["properties"]["coverage"]), grid["properties"]["coverage"]) == (float, 50.0)


def test_maps_draw_subdistricts_far_away_and_communities_near(client: TestClient) -> None:
    for level, names in ((10, {"西街道", "东街道"}), (11, {"南社区", "北社区", "东一社区"})):
        told = drawn_in(client, address("residents", level, 600, 200))
        assert {one["properties"]["name"] for one in told} == names


def test_count_of_a_later_day_was_not_known_yet(client: TestClient, drawn: Drawn) -> None:
    later = "INSERT INTO reg.resident_count (area_id, month, counted_on) SELECT area_id, '2090-01-01', '2090-01-10' FROM reg.resident_count"
    with psycopg.connect(drawn.address.conninfo("postgres")) as root:
        root.execute(later.encode())
    for query, last, number in (
        ("as_of=2090-01-09T15:59:59Z&datetime=../..", "2089-12-31", 5),
        ("as_of=2090-01-09T15:59:59Z&datetime=2095-01-01", "2089-12-31", 5),  # what was known then, held on
        ("as_of=2090-01-09T16:00:00Z&datetime=../..", "2090-01-10", 10),  # midnight in Shenzhen
        ("as_of=2090-01-09T16:00:00Z&datetime=2095-01-01", "2090-01-10", 5),
    ):
        answer = client.get(f"{RESIDENTS}?{query}")
        assert answer.status_code == 200, answer.text
        days = [one["properties"]["counted_on"] for one in answer.json()["features"]]
        assert (len(days), max(days) <= last) == (number, True), query
