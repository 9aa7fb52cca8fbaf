"""The buildings in a box of half a kilometre, as a map asks for them, among 300,000 more than the demo has."""

import random
from collections.abc import Iterator

from bench.scopes import ROLES, find_scope, reads
from bench.stage import Figure, Stage, alternate

GOAL = 2.0
ROUNDS = 300
HALF = 0.0025
"""Degrees."""
COPIES = 120
"""Of each building, within some fifty metres of it; without triggers and checks, which none of them would break."""
CROWD = f"""
SET session_replication_role = replica;
SELECT setseed(0.5);
INSERT INTO reg.building
  (recorded_by, grid_id, subdistrict_id, house_code, name, address, entrance, source_x, source_y, floors_above, nature, rental)
  SELECT 0, b.grid_id, b.subdistrict_id, '9' || lpad(row_number() OVER ()::text, 18, '0'), b.name, b.address, p.point,
         ST_X(p.point), ST_Y(p.point), b.floors_above, b.nature, b.rental
    FROM reg.building b, generate_series(1, {COPIES}),
         LATERAL (SELECT ST_Translate(b.entrance, (random() - 0.5) * 0.001, (random() - 0.5) * 0.001) AS point) p;
SET session_replication_role = origin;
"""
QUERY = (
    b"SELECT id, house_code, ST_AsBinary(geom) FROM reg.building"
    b" WHERE geom && ST_MakeEnvelope(%s, %s, %s, %s, 4490) AND ST_Intersects(geom, ST_MakeEnvelope(%s, %s, %s, %s, 4490))"
)


def measure(stage: Stage) -> Iterator[Figure]:
    """Milliseconds at the median, for each class of user, against the same query with its scope written out."""
    generator = random.Random(7)
    with stage.superuser() as superuser:
        superuser.execute(CROWD.encode())
        superuser.execute("VACUUM (ANALYZE) reg.building")
    for role in ROLES:
        scope = find_scope(stage, role)
        with stage.superuser() as superuser, stage.login(scope.actor) as login:
            where = b"SELECT ST_X(entrance), ST_Y(entrance) FROM reg.building WHERE true" + scope.condition
            places = superuser.execute(where + b" ORDER BY house_code LIMIT 50000", scope.values).fetchall()
            boxes = [_box(*generator.choice(places)) for _ in range(ROUNDS)]
            ours = reads(stage, login, QUERY, boxes, scope.actor)
            plain = reads(stage, superuser, QUERY + scope.condition, [(*box, *scope.values) for box in boxes], None)
            assert ours[0]() == plain[0]()
            protected, unprotected = alternate(ours, plain)
        yield Figure(f"map_box.{role}", protected, unprotected, "ms", "peer", ("<=", GOAL))


def _box(lon: float, lat: float) -> tuple[float, ...]:
    sides = (lon - HALF, lat - HALF, lon + HALF, lat + HALF)
    return (*sides, *sides)
