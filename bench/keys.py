"""A building by its primary key: what row-level security and the signed context add to the time."""

import random
from collections.abc import Iterator

from bench.scopes import ROLES, find_scope, reads
from bench.stage import Figure, Stage, alternate

LIMIT = 0.3
"""Milliseconds that may be added."""
ROUNDS = 3_000
QUERY = b"SELECT id, house_code, name, address, floors_above, rental FROM reg.building WHERE id = %s"


def measure(stage: Stage) -> Iterator[Figure]:
    """Milliseconds added at the median, for each class of user."""
    generator = random.Random(7)
    for role in ROLES:
        scope = find_scope(stage, role)
        with stage.superuser() as superuser, stage.login(scope.actor) as login:
            rows = superuser.execute(b"SELECT id FROM reg.building WHERE true" + scope.condition, scope.values).fetchall()
            chosen = [generator.choice(rows) for _ in range(ROUNDS)]
            ours = reads(stage, login, QUERY, chosen, scope.actor)
            plain = reads(stage, superuser, QUERY + scope.condition, [(*one, *scope.values) for one in chosen], None)
            assert ours[0]() == plain[0]() == 1
            protected, unprotected = alternate(ours, plain)
        yield Figure(f"primary_key.{role}", protected - unprotected, LIMIT, "ms added", "limit", ("<=", 1.0))
