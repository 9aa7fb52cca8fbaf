import pytest
import shapely
from geoalchemy2 import Geometry
from sqlalchemy import Column, ColumnElement, Connection, Integer, MetaData, Table, select, text
from sqlalchemy.dialects import postgresql

from geo.bbox import Box, parse_bbox
from geo.crs import to_degrees
from geo.predicates import intersects_box, within_metres

# (id, longitude, latitude): asymmetrical, so that swapped axes find nothing.
TREES = [(1, 113.80, 22.50), (2, 113.81, 22.52), (3, 113.90, 22.60), (4, 179.5, -17.0), (5, -179.5, -17.0)]
TREE = Table("tree", MetaData(), Column("id", Integer, primary_key=True), Column("geom", Geometry("POINT", srid=4490, spatial_index=False)))


@pytest.fixture
def trees(postgis_connection: Connection) -> Connection:
    postgis_connection.execute(text("CREATE TABLE tree (id int PRIMARY KEY, geom geometry(Point, 4490) NOT NULL)"))
    postgis_connection.execute(text("CREATE INDEX ix_tree_geom ON tree USING gist (geom)"))
    for number, lon, lat in TREES:
        query = text("INSERT INTO tree VALUES (:id, ST_Point(:lon, :lat, 4490))")
        postgis_connection.execute(query, {"id": number, "lon": lon, "lat": lat})
    return postgis_connection


def found(connection: Connection, condition: ColumnElement[bool]) -> list[int]:
    return list(connection.scalars(select(TREE.c.id).where(condition).order_by(TREE.c.id)))


@pytest.mark.parametrize("metres", [0, -5, float("nan"), float("inf")])
def test_a_distance_that_is_none_is_refused(metres: float) -> None:
    with pytest.raises(ValueError, match="positive number of metres"):
        within_metres(TREE.c.geom, shapely.Point(113.8, 22.5), metres)


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ("113.79,22.49,113.82,22.53", [1, 2]),
        ("113.80,22.50,113.80,22.50", [1]),
        ("113.79,22.52,113.90,22.52", [2]),
        ("113.82,22.49,113.85,22.53", []),
        ("179,-18,-179,-16", [4, 5]),
        ("-180,-18,-179,-16", [5]),
    ],
)
def test_a_box_finds_what_it_meets(trees: Connection, bbox: str, expected: list[int]) -> None:
    assert found(trees, intersects_box(TREE.c.geom, parse_bbox(bbox))) == expected


def test_a_triangle_whose_box_meets_is_not_taken_for_one_that_does(postgis_connection: Connection) -> None:
    box = Box(113.88, 22.58, 113.9, 22.6)
    lower_left = "ST_GeomFromText('POLYGON((113.8 22.5, 113.9 22.5, 113.8 22.6, 113.8 22.5))', 4490) AS geom"
    triangle = Table("triangle", MetaData(), Column("geom", Geometry("POLYGON", srid=4490, spatial_index=False)))
    postgis_connection.execute(text(f"CREATE TABLE triangle AS SELECT {lower_left}"))
    assert postgis_connection.scalar(select(intersects_box(triangle.c.geom, box)).select_from(triangle)) is False


def test_a_distance_counts_metres_in_every_direction(trees: Connection) -> None:
    easting, northing = 479_000.0, 2_500_000.0
    rows = {
        10: (easting + 299, northing),
        11: (easting, northing - 299),
        12: (easting + 301, northing),
        13: (easting + 220, northing + 220),
    }
    for number, (x, y) in rows.items():
        lon, lat = to_degrees(x, y)
        query = text("INSERT INTO tree VALUES (:id, ST_Point(:lon, :lat, 4490))")
        trees.execute(query, {"id": number, "lon": float(lon), "lat": float(lat)})
    # 220 m east and 220 m north are 311 m.
    lon, lat = to_degrees(easting, northing)
    assert found(trees, within_metres(TREE.c.geom, shapely.Point(float(lon), float(lat)), 300)) == [10, 11]


@pytest.mark.parametrize(
    "condition",
    [intersects_box(TREE.c.geom, Box(113.79, 22.49, 113.82, 22.53)), within_metres(TREE.c.geom, shapely.Point(113.8, 22.5), 50)],
)
def test_the_spatial_index_serves_even_where_functions_wait_behind_policies(trees: Connection, condition: ColumnElement[bool]) -> None:
    many = "SELECT 100 + i, ST_Point(113 + random(), 22 + random(), 4490) FROM generate_series(1, 5000) i"
    trees.execute(text(f"INSERT INTO tree {many}"))
    trees.execute(text("ANALYZE tree"))
    # What prepares a database marks the operator's function so; the policy makes everything else wait.
    trees.execute(text("ALTER FUNCTION geometry_overlaps(geometry, geometry) LEAKPROOF"))
    trees.execute(text("CREATE ROLE gardener; GRANT SELECT ON tree TO gardener; ALTER TABLE tree ENABLE ROW LEVEL SECURITY"))
    trees.execute(text("CREATE POLICY p ON tree USING (id % 2 = 0); SET LOCAL ROLE gardener"))
    statement = select(TREE.c.id).where(condition).compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    plan = "\n".join(trees.scalars(text(f"EXPLAIN {statement}")))
    assert "ix_tree_geom" in plan
    assert "Index Cond: (geom &&" in plan
