import datetime as dt
import json
from typing import Any

import pytest
from geoalchemy2 import Geometry
from sqlalchemy import Column, ColumnElement, Connection, Date, FromClause, Integer, MetaData, Select, Table, Text, literal, select, text

from geo.bbox import parse_bbox
from geo.crs import EXCHANGES, to_metric
from geo.features import Key, Look, feature, feature_collection, page
from geo.predicates import intersects_box

TREE = Table(
    "tree",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("kind", Text),
    Column("planted", Date),
    Column("geom", Geometry("POINT", srid=4490, spatial_index=False)),
)
LAYER = select(TREE.c.id, TREE.c.kind.label("树种"), TREE.c.planted, TREE.c.geom)
EVERYWHERE = "-180,-90,180,90"


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


LOOK = Look(("树种", "planted"))


def read(connection: Connection, limit: int, **asked: Any) -> tuple[list[int], Any, int, bool]:
    """The ids of the page's features, and the rest of its row; of the end only the key. Asked as `read_end` is."""
    ids, end, number, more = read_end(connection, limit, **asked)
    return ids, None if end is None else end[:-1], number, more


def read_end(
    connection: Connection,
    limit: int,
    *,
    after: list[Any] | None = None,
    box: str | None = None,
    order: tuple[Key, ...] = (),
    walking: bool = False,
    dense: int = 20_000,
    layer: Select[*tuple[Any, ...]] = LAYER,
) -> tuple[list[int], Any, int, bool]:
    """The ids of the page's features, and the rest of its row."""
    key = None if after is None else [None if value is None else literal(value) for value in after]

    def where(rows: FromClause) -> list[ColumnElement[bool]]:
        assert box is not None
        return [intersects_box(rows.c.geom, parse_bbox(box))]

    rows, met = layer.subquery("rows"), None if box is None else where
    statement = page(rows, LOOK, limit=literal(limit), order=order, after=key, where=met, walking=walking, dense=dense)
    features, last, number, more = connection.execute(statement).one()
    return [one["id"] for one in json.loads(f"[{features}]")], json.loads(last or "null"), number, more


def tell(connection: Connection, identifier: int, look: Look = LOOK, layer: Select[*tuple[Any, ...]] = LAYER) -> Any:
    """One feature, None where there is none."""
    rows = layer.subquery("rows")
    text = connection.execute(select(feature(rows, look)).where(rows.c.id == identifier)).scalar_one_or_none()
    return None if text is None else json.loads(text)


def test_a_feature_that_does_not_exist_gives_no_row(trees: Connection) -> None:
    assert tell(trees, 2) is None


def test_a_feature_carries_its_id_geometry_and_named_properties(trees: Connection) -> None:
    assert tell(trees, 3) == {
        "type": "Feature",
        "id": 3,
        "geometry": {"type": "Point", "coordinates": [113.803, 22.5]},
        "properties": {"树种": '"荔枝" 3', "planted": "2011-07-01"},
    }


def test_a_feature_without_a_place_has_a_null_geometry(trees: Connection) -> None:
    assert tell(trees, 11) == {"type": "Feature", "id": 11, "geometry": None, "properties": {"树种": None, "planted": None}}


def test_a_feature_shows_the_properties_that_are_asked_for_and_no_geometry_unless_wanted(trees: Connection) -> None:
    assert tell(trees, 3, Look(("planted",), geometry=False)) == {
        "type": "Feature",
        "id": 3,
        "geometry": None,
        "properties": {"planted": "2011-07-01"},
    }
    assert tell(trees, 3, Look(()))["properties"] == {}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("CRS84", [113.803, 22.5]),
        ("4490", [22.5, 113.803]),
        ("4326", [22.5, 113.803]),
        ("3857", [12668492.011, 2571663.047]),
    ],
)
def test_coordinates_stand_in_the_order_of_the_authority(trees: Connection, code: str, expected: list[float]) -> None:
    """Web Mercator by hand: x = 6378137 m * radians(113.803), y = 6378137 m * atanh(sin(radians(22.5)))."""
    exchange = next(one for uri, one in EXCHANGES.items() if uri.endswith(f"/{code}"))
    assert tell(trees, 3, Look((), exchange))["geometry"]["coordinates"] == pytest.approx(expected, abs=0.001)


def test_the_district_s_metric_system_has_the_northing_first(trees: Connection) -> None:
    """By pyproj, which the statement does not use."""
    exchange = next(one for uri, one in EXCHANGES.items() if uri.endswith("/4547"))
    easting, northing = to_metric(113.803, 22.5)
    assert tell(trees, 3, Look((), exchange))["geometry"]["coordinates"] == pytest.approx([float(northing), float(easting)], abs=0.001)


def test_pages_follow_one_another_without_gap_or_repetition(trees: Connection) -> None:
    assert read(trees, 4) == ([1, 3, 5, 7], [7], 4, True)
    assert read(trees, 4, after=[7]) == ([9, 11], None, 2, False)


def test_a_page_that_ends_with_the_layer_has_no_next(trees: Connection) -> None:
    assert read(trees, 6) == ([1, 3, 5, 7, 9, 11], [11], 6, False)


def test_an_empty_page_is_empty(trees: Connection) -> None:
    assert read(trees, 4, after=[11]) == ([], None, 0, False)


@pytest.mark.parametrize(("dense", "walking"), [(0, False), (20_000, False), (20_000, True)], ids=["dense", "collected", "walked"])
def test_a_box_gives_the_same_pages_whichever_way_they_are_found(trees: Connection, dense: int, *, walking: bool) -> None:
    box = "113.8025,22.4,113.8095,22.6"

    def found(limit: int, box: str, after: list[Any] | None = None) -> tuple[list[int], Any, int, bool]:
        return read(trees, limit, box=box, after=after, dense=dense, walking=walking)

    assert found(3, box) == ([3, 5, 7], [7], 3, True)
    assert found(3, box, [7]) == ([9], None, 1, False)
    assert found(3, "0,0,1,1") == ([], None, 0, False)
    assert found(10, EVERYWHERE) == ([1, 3, 5, 7, 9], None, 5, False)


def test_a_dense_box_is_walked_from_the_next_page_on(trees: Connection) -> None:
    """Five trees lie in the box: more than four are dense, more than five are not there."""
    assert read_end(trees, 2, box=EVERYWHERE, dense=4)[1] == [3, True]
    assert read_end(trees, 2, box=EVERYWHERE, dense=5)[1] == [3, False]
    assert read_end(trees, 2, after=[3], box=EVERYWHERE, walking=True)[1] == [7, True]
    assert read_end(trees, 2)[1] == [3, False]


def test_a_layer_s_own_conditions_hold_on_every_page(trees: Connection) -> None:
    layer = LAYER.where(TREE.c.id != 5)
    assert read(trees, 3, box=EVERYWHERE, layer=layer) == ([1, 3, 7], [7], 3, True)
    assert tell(trees, 5, layer=layer) is None


@pytest.mark.parametrize("descending", [False, True])
def test_pages_in_another_order_hold_every_row_once_and_nothing_last(trees: Connection, *, descending: bool) -> None:
    """Planted 1: 2001, 3 and 5: 2003, 7 and 11: unknown, 9: 1999."""
    days = {1: "2001-01-01", 3: "2003-01-01", 5: "2003-01-01", 9: "1999-01-01"}
    trees.execute(text("UPDATE tree SET planted = NULL"))
    for number, day in days.items():
        trees.execute(text("UPDATE tree SET planted = :day WHERE id = :id"), {"day": day, "id": number})
    order = (Key("planted", descending),)
    expected = [3, 5, 1, 9, 7, 11] if descending else [9, 1, 3, 5, 7, 11]
    for size in (1, 2, 4, 6):
        seen: list[int] = []
        after: list[Any] | None = None
        more = True
        while more:
            ids, after, _, more = read(trees, size, order=order, after=_key(after))
            seen += ids
        assert seen == expected


def _key(last: list[Any] | None) -> list[Any] | None:
    """As a cursor hands it back: days as days."""
    return None if last is None else [None if last[0] is None else dt.date.fromisoformat(last[0]), last[1]]


def test_a_small_box_is_served_by_the_spatial_index(trees: Connection) -> None:
    many = "SELECT 100 + i, 'x', NULL, ST_Point(113 + random(), 22 + random(), 4490) FROM generate_series(1, 20000) i"
    trees.execute(text(f"INSERT INTO tree {many}"))
    trees.execute(text("ANALYZE tree"))
    box = parse_bbox("113.40,22.40,113.41,22.41")
    rows = LAYER.subquery("rows")
    statement = page(rows, LOOK, limit=literal(100), where=lambda rows: [intersects_box(rows.c.geom, box)]).compile(trees)
    plan = "\n".join(row[0] for row in trees.exec_driver_sql(f"EXPLAIN ANALYZE {statement}", dict(statement.params)))
    collected, _, walked = plan.partition("One-Time Filter")
    assert "ix_tree_geom" in collected
    assert "never executed" in walked


def test_a_collection_carries_its_members_before_the_features() -> None:
    body = feature_collection(b'{"type":"Feature"}', {"numberReturned": 1, "links": [{"rel": "next", "href": "下一页"}]})
    assert json.loads(body) == {
        "type": "FeatureCollection",
        "numberReturned": 1,
        "links": [{"rel": "next", "href": "下一页"}],
        "features": [{"type": "Feature"}],
    }
    assert feature_collection(b"", {}) == b'{"type":"FeatureCollection","features":[]}'
