"""How many buildings stand in each cell of the map, for the levels where single buildings are too many to draw.

Why: a tile of level 12 over the city holds ten thousand footprints, and drawing them takes PostgreSQL a fifth of a second. Counting them
is no cheaper, so the counts are kept. What is kept are differences, one row for each cell that a statement touched: writers never wait
for one another and cannot deadlock, as they would over counters. Now and then a writer adds up what lies in the cells it touched.
"""

from alembic import op

from migrations.protection import SCOPES, force, readable

revision = "20261123_13"
down_revision = "20261123_12"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE reg.building_cell (
  id bigint GENERATED ALWAYS AS IDENTITY,
  x int NOT NULL,
  y int NOT NULL,
  grid_id int NOT NULL,
  subdistrict_id int NOT NULL,
  retired_on date,
  buildings int NOT NULL,
  rental int NOT NULL,
  CONSTRAINT pk_building_cell PRIMARY KEY (id)
);
-- building_cell.x: column, and y the row, of the tile of level 17 in Web Mercator (some 300 m wide) in which the entrances lie.
-- Serves tiles, and the adding up of a cell.
CREATE INDEX ix_building_cell_x_y ON reg.building_cell (x, y);
"""

# Column and row of the tile of level 17, of which there are 131072 on a side, by the formulas of Web Mercator.
CELL = (
    "SELECT floor((public.ST_X(r.entrance) + 180) / 360 * 131072)::int AS x,"
    " floor((1 - asinh(tan(radians(public.ST_Y(r.entrance)))) / pi()) / 2 * 131072)::int AS y"
)

COUNT = """
-- {what}
CREATE FUNCTION sec.{name}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO reg.building_cell (x, y, grid_id, subdistrict_id, retired_on, buildings, rental)
  SELECT k.x, k.y, r.grid_id, r.subdistrict_id, r.retired_on, sum(r.sign), sum(r.sign * r.rental::int)
    FROM ({rows}) r CROSS JOIN LATERAL ({cell}) k
   WHERE r.deleted_at IS NULL
   GROUP BY 1, 2, 3, 4, 5
  HAVING sum(r.sign) <> 0 OR sum(r.sign * r.rental::int) <> 0;
  -- Under a snapshot of its own a sweep would stumble over what another one has added up since.
  IF pg_current_xact_id()::text::bigint % 64 = 0 AND current_setting('transaction_isolation') = 'read committed' THEN
    WITH touched AS (SELECT DISTINCT k.x, k.y FROM ({rows}) r CROSS JOIN LATERAL ({cell}) k),
    old AS (
      DELETE FROM reg.building_cell WHERE id IN (
        SELECT c.id FROM reg.building_cell c JOIN touched USING (x, y) FOR UPDATE OF c SKIP LOCKED)
      RETURNING x, y, grid_id, subdistrict_id, retired_on, buildings, rental)
    INSERT INTO reg.building_cell (x, y, grid_id, subdistrict_id, retired_on, buildings, rental)
    SELECT x, y, grid_id, subdistrict_id, retired_on, sum(buildings), sum(rental) FROM old
     GROUP BY 1, 2, 3, 4, 5 HAVING sum(buildings) <> 0 OR sum(rental) <> 0;
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION sec.{name}() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sec.{name}() TO reg_owner;
"""
OLD = "SELECT -1 AS sign, o.entrance, o.grid_id, o.subdistrict_id, o.retired_on, o.rental, o.deleted_at FROM old_rows o"
NEW = "SELECT 1 AS sign, n.entrance, n.grid_id, n.subdistrict_id, n.retired_on, n.rental, n.deleted_at FROM new_rows n"
TRIGGERS = (
    ("insert", "NEW TABLE AS new_rows", NEW, "The buildings that came."),
    ("update", "OLD TABLE AS old_rows NEW TABLE AS new_rows", f"{OLD} UNION ALL {NEW}", "Buildings moved, retired, struck out or let."),
    ("delete", "OLD TABLE AS old_rows", OLD, "Nobody may delete a building, but should the owner do it, the counts stay true."),
)

FILL = f"""
INSERT INTO reg.building_cell (x, y, grid_id, subdistrict_id, retired_on, buildings, rental)
SELECT k.x, k.y, r.grid_id, r.subdistrict_id, r.retired_on, count(*), count(*) FILTER (WHERE r.rental)
  FROM reg.building r CROSS JOIN LATERAL ({CELL}) k WHERE r.deleted_at IS NULL GROUP BY 1, 2, 3, 4, 5;
"""


def upgrade() -> None:
    op.execute(TABLE + force("reg.building_cell") + readable("reg.building_cell", SCOPES))
    op.execute("GRANT DELETE ON reg.building_cell TO sec_definer")
    op.execute("SET ROLE sec_definer")
    for verb, _, rows, what in TRIGGERS:
        op.execute(COUNT.format(name=f"count_{verb}", rows=rows, what=what, cell=CELL))
    op.execute("SET ROLE reg_owner")
    for verb, tables, _, _ in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER count_{verb} AFTER {verb.upper()} ON reg.building REFERENCING {tables}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION sec.count_{verb}()"
        )
    op.execute(FILL)


def downgrade() -> None:
    for verb, _, _, _ in TRIGGERS:
        op.execute(f"DROP TRIGGER count_{verb} ON reg.building")
    op.execute("SET ROLE sec_definer")
    for verb, _, _, _ in TRIGGERS:
        op.execute(f"DROP FUNCTION sec.count_{verb}()")
    op.execute("SET ROLE reg_owner")
    op.execute("DROP TABLE reg.building_cell")
