"""Three hundred thousand buildings: the demo's, each copied a hundred and some times about its place."""

from typing import Any, Final

import psycopg

MANY: Final = 250_000
COPIES: Final = 119
SPREAD: Final = 0.01
"""Degrees in which the copies of one building lie."""
CROWD: Final = f"""
SET session_replication_role = replica;
ALTER TABLE reg.building ENABLE ALWAYS TRIGGER count_insert;
SELECT setseed(0.5);
INSERT INTO reg.building
  (recorded_by, grid_id, subdistrict_id, house_code, name, address, entrance, footprint, source_x, source_y, floors_above, nature, rental,
   built_year)
  SELECT 0, b.grid_id, b.subdistrict_id, '9' || lpad(row_number() OVER ()::text, 18, '0'), b.name, b.address,
         ST_Translate(b.entrance, d.x, d.y), ST_Translate(b.footprint, d.x, d.y), b.source_x + d.x, b.source_y + d.y, b.floors_above,
         b.nature, b.rental, 1970 + (random() * 50)::int
    FROM reg.building b, generate_series(1, {COPIES}) AS copy,
         -- copy does nothing there but to make the two numbers others for each
         LATERAL (SELECT (random() + copy * 0 - 0.5) * {SPREAD} AS x, (random() + copy * 0 - 0.5) * {SPREAD} AS y) AS d;
ALTER TABLE reg.building ENABLE TRIGGER count_insert;
SET session_replication_role = origin;
"""
"""Without the triggers and checks, which none of them would break but by where it lies; only the counts of cells are kept."""


def gather(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Make the crowd, unless it is there."""
    [(found,)] = superuser.execute("SELECT count(*) FROM reg.building").fetchall()
    if found < MANY:
        superuser.execute(CROWD.encode())
        superuser.execute("VACUUM (ANALYZE) reg.building, reg.building_cell")
