import json
from typing import Any

import pytest
from geoalchemy2 import Geometry
from sqlalchemy import Column, Connection, Date, Integer, MetaData, Select, Table, Text, select, text

from geo.bbox import Box, parse_bbox
from geo.features import feature, feature_collection, page

TREE = Table(
    "tree",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("kind", Text),
    Column("planted", Date),
    Column("geom", Geometry("POINT", srid=4490, spatial_index=False)),
)
LAYER = select(TREE.c.id, TREE.c.kind.label("树种"), TREE.c.planted, TREE.c.geom)
EVERYWHERE = Box(-180.0, -90.0, 180.0, 90.0)


@pytest.fixture
def trees(postgis_connection: Connection) -> Connection:
    """Ids 1, 3, 5, 7, 9 from west to east, a thousandth of a degree apart; 11 stands nowhere."""
    postgis_connection.execute(text("CREATE TABLE tree (id int PRIMARY KEY, kind text, planted date, geom geometry(Point, 4490))"))
    postgis_connection.execute(text("CREATE INDEX ix_tree_geom ON tree USING gist (geom)"))
    postgis_connection.execute(
        text(
            """INSERT INTO tree SELECT i, '"荔枝" ' || i, date '2011-07-01', ST_Point(113.8 + i / 1000.0, 22.5, 4490)
            FROM generate_series(1, 9, 2) i"""
        )
    )
    postgis_connection.execute(text("INSERT INTO tree (id) VALUES (11)"))
    return postgis_connection


def read(connection: Connection, statement: Select[str, Any, int, bool]) -> tuple[list[int], Any, int, bool]:
    """The ids of the page's features, and the rest of its row."""
    features, last, number, more = connection.execute(statement).one()
    return [one["id"] for one in json.loads(features)], last, number, more


def test_a_page_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one feature"):
        page(LAYER, limit=0)


def test_a_feature_that_does_not_exist_gives_no_row(trees: Connection) -> None:
    assert trees.execute(feature(LAYER, 2)).one_or_none() is None


def test_a_feature_carries_its_id_geometry_and_named_properties(trees: Connection) -> None:
    assert json.loads(trees.execute(feature(LAYER, 3)).scalar_one()) == {
        "type": "Feature",
        "id": 3,
        "geometry": {"type": "Point", "coordinates": [113.803, 22.5]},
        "properties": {"树种": '"荔枝" 3', "planted": "2011-07-01"},
    }


def test_a_feature_without_a_place_has_a_null_geometry(trees: Connection) -> None:
    assert json.loads(trees.execute(feature(LAYER, 11)).scalar_one()) == {
        "type": "Feature",
        "id": 11,
        "geometry": None,
        "properties": {"树种": None, "planted": None},
    }


def test_pages_follow_one_another_without_gap_or_repetition(trees: Connection) -> None:
    assert read(trees, page(LAYER, limit=4)) == ([1, 3, 5, 7], 7, 4, True)
    assert read(trees, page(LAYER, limit=4, after=7)) == ([9, 11], 11, 2, False)


def test_a_page_that_ends_with_the_layer_has_no_next(trees: Connection) -> None:
    assert read(trees, page(LAYER, limit=6)) == ([1, 3, 5, 7, 9, 11], 11, 6, False)


def test_an_empty_page_is_an_empty_array(trees: Connection) -> None:
    assert trees.execute(page(LAYER, limit=4, after=11)).one() == ("[]", None, 0, False)


@pytest.mark.parametrize("dense", [0, 20_000], ids=["walked", "collected"])
def test_a_box_gives_the_same_pages_whichever_way_they_are_found(trees: Connection, dense: int) -> None:
    box = parse_bbox("113.8025,22.4,113.8095,22.6")
    assert read(trees, page(LAYER, limit=3, box=box, dense=dense)) == ([3, 5, 7], 7, 3, True)
    assert read(trees, page(LAYER, limit=3, after=7, box=box, dense=dense)) == ([9], 9, 1, False)
    assert read(trees, page(LAYER, limit=3, box=parse_bbox("0,0,1,1"), dense=dense)) == ([], None, 0, False)
    assert read(trees, page(LAYER, limit=10, box=EVERYWHERE, dense=dense)) == ([1, 3, 5, 7, 9], 9, 5, False)


def test_a_layer_s_own_conditions_hold_on_every_page(trees: Connection) -> None:
    layer = LAYER.where(TREE.c.id != 5)
    assert read(trees, page(layer, limit=3, box=EVERYWHERE)) == ([1, 3, 7], 7, 3, True)
    assert trees.execute(feature(layer, 5)).one_or_none() is None


def test_a_small_box_is_served_by_the_spatial_index(trees: Connection) -> None:
    many = "SELECT 100 + i, 'x', NULL, ST_Point(113 + random(), 22 + random(), 4490) FROM generate_series(1, 20000) i"
    trees.execute(text(f"INSERT INTO tree {many}"))
    trees.execute(text("ANALYZE tree"))
    statement = page(LAYER, limit=100, box=parse_bbox("113.40,22.40,113.41,22.41")).compile(trees)
    plan = "\n".join(row[0] for row in trees.exec_driver_sql(f"EXPLAIN ANALYZE {statement}", dict(statement.params)))
    collected, _, walked = plan.partition("One-Time Filter")
    assert "ix_tree_geom" in collected
    assert "never executed" in walked


def test_a_collection_carries_its_members_before_the_features() -> None:
    body = feature_collection('[{"type":"Feature"}]', {"numberReturned": 1, "links": [{"rel": "next", "href": "下一页"}]})
    assert json.loads(body) == {
        "type": "FeatureCollection",
        "numberReturned": 1,
        "links": [{"rel": "next", "href": "下一页"}],
        "features": [{"type": "Feature"}],
    }
    assert feature_collection(b"[]", {}) == b'{"type":"FeatureCollection","features":[]}'
