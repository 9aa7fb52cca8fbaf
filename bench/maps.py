"""The buildings in a box of half a kilometre, as a map asks for them, among 300,000 more than the demo has."""

import random
from collections.abc import Iterator

from bench.crowd import gather
from bench.scopes import ROLES, find_scope, reads
from bench.stage import Figure, Stage, alternate

GOAL = 2.0
ROUNDS = 300
HALF = 0.0025
"""Degrees."""
QUERY = (
    b"SELECT id, house_code, ST_AsBinary(geom) FROM reg.building"
    b" WHERE geom && ST_MakeEnvelope(%s, %s, %s, %s, 4490) AND ST_Intersects(geom, ST_MakeEnvelope(%s, %s, %s, %s, 4490))"
)


def measure(stage: Stage) -> Iterator[Figure]:
    """Milliseconds at the median, for each class of user, against the same query with its scope written out."""
    generator = random.Random(7)
    with stage.superuser() as superuser:
        gather(superuser)
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
